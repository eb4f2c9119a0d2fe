"""Verify candidate pairs on all cores, once for each pair, and store what was found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from image_duplicate_finder.errors import Interrupted
from image_duplicate_finder.executors.engine import Executor
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.executors.task import verify_share
from image_duplicate_finder.fingerprint import colour, exact
from image_duplicate_finder.fingerprint.specs import FACTS, Specs
from image_duplicate_finder.model import IDENTITY, Fingerprinted, Match, Relation
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.relations import ONE_FRAME, SAME_PIXELS, is_duplicate
from image_duplicate_finder.scan.basis import verifier_name
from image_duplicate_finder.scan.families import Pair
from image_duplicate_finder.scan.sides import stored_sides
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store


def stop_if_asked(cancel: CancelToken) -> None:
    """Raise Interrupted when ``cancel`` asked for a stop, between two pieces of work."""
    if cancel.cancelled:
        raise Interrupted("The scan was stopped. What was read and compared is kept.")


class Verifier:
    """Verifies pairs of content ids ``(low, high)`` for one scan's mode."""

    def __init__(
        self,
        store: Store,
        settings: ScanSettings,
        executor: Executor,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        self.name = verifier_name(settings.mode)
        self._store = store
        self._settings = settings
        self._progress = progress
        self._cancel = cancel
        self._executor = executor
        self._known = store.matches.verified(self.name)

    def unverified(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Those pairs that were not verified before."""
        return [(a, b) for a, b in pairs if b not in self._known.get(a, ())]

    def verify(self, pairs: Iterable[Pair]) -> list[Match]:
        """Verify what was not verified before, and store it slice by slice.

        Returns the new matches. Raises Interrupted when a stop was asked for.
        """
        thorough = self._settings.mode is Mode.THOROUGH
        left = self.unverified(pairs)
        new: list[Match] = []
        done = 0
        for part in _slices(left, self._executor.pairs_at_once):
            stop_if_asked(self._cancel)
            self._progress(Step("verify", done, len(left)))
            ids = sorted({id for pair in part for id in pair})
            sides = stored_sides(self._store, ids, self._settings.mode)
            matches = self._executor.verify(part, sides, thorough=thorough)
            found = _told_by_colour(self._store, matches)
            for a, b in part:
                self._known.setdefault(a, set()).add(b)
            with self._store.atomic():
                self._store.matches.put(self.name, found)
                self._store.matches.put_verified(
                    self.name, {a: self._known[a] for a in {a for a, _ in part}}
                )
            done += len(part)
            new += found
        self._progress(Step("verify", done, len(left)))
        return new

    def tell_pixels(self, contents: set[int]) -> None:
        """Call pixel-identical pictures so, among the stored matches of ``contents``.

        Where the coded data are equal, so are the pixels, also of pictures too plain to verify.
        Else only pictures of one size whose small pictures hardly differ are decoded in full, once,
        and all at the end: a start of worker processes costs as much as some dozen pictures.
        """
        stored = self._store.matches.among(self.name, contents)
        self._match_equal_data(contents, {(match.a, match.b) for match in stored})
        near = [
            match
            for match in stored
            if match.relation is Relation.REENCODED and match.score > _NEARLY_EQUAL
        ]
        infos = self._store.contents.infos(sorted({id for m in near for id in (m.a, m.b)}))
        sizes = {id: (info.width, info.height) for id, info in infos.items()}
        maybe = [match for match in near if sizes[match.a] == sizes[match.b]]
        coded = self._store.contents.fingerprints(*FACTS, sorted(infos))
        equal = [match for match in maybe if coded.get(match.a) and _agree(match, coded)]
        equal_ids = {(match.a, match.b) for match in equal}
        maybe = [match for match in maybe if (match.a, match.b) not in equal_ids]
        digests = self._pixel_hashes({id for match in maybe for id in (match.a, match.b)})
        equal += [match for match in maybe if match.a in digests and _agree(match, digests)]
        with self._store.atomic():
            self._store.matches.put(
                self.name,
                [replace(match, relation=Relation.PIXEL_IDENTICAL) for match in equal],
            )

    def _match_equal_data(self, contents: set[int], stored: set[Pair]) -> None:
        """Store a match of each pair of contents with equal coded data that has none yet."""
        alike = (sorted(contents.intersection(ids)) for ids in self._store.contents.alike(*FACTS))
        new = [
            Match(a, b, Relation.PIXEL_IDENTICAL, IDENTITY)
            for ids in alike
            for place, b in enumerate(ids)
            for a in ids[: min(place, _MOST_TOLD_APART)]
            if (a, b) not in stored
        ]
        with self._store.atomic():
            self._store.matches.put(self.name, new)

    def _pixel_hashes(self, ids: set[int]) -> dict[int, bytes]:
        name, version = exact.PIXELS_NAME, exact.PIXELS_VERSION
        contents = self._store.contents
        hashes = contents.hashes(sorted(ids))
        known = contents.fingerprints(name, version, sorted(ids))
        tasks: dict[str, int] = {}
        for id in sorted(ids - known.keys()):
            paths = self._store.files.paths_of(hashes[id])
            if paths:
                tasks[paths[0]] = id
        if not tasks:
            return known
        specs = Specs(Mode.QUICK, pixels=True)
        with closing(self._executor.read([FileTask(path, 0) for path in tasks], specs)) as answers:
            for done, (result, _) in enumerate(answers):
                self._progress(Step("verify", done, len(tasks)))
                stop_if_asked(self._cancel)
                if not isinstance(result, Fingerprinted):
                    continue
                id = tasks[result.path]
                # A file that changed since holds another content by now.
                if result.content == hashes[id]:
                    contents.put_fingerprints(id, result.fingerprints)
                    known[id] = result.fingerprints[0].data
        return known


def verify_now(store: Store, mode: Mode, content: int, others: Collection[int]) -> set[int]:
    """Verify a content against others, as far as that was never done, and store what was found.

    On this thread: for the few pairs of a group that a person changes. Returns those of
    ``others`` that could not be verified, because what verification looks at is not stored.
    """
    name = verifier_name(mode)
    asked = set(others) - store.matches.of(name, content, others).keys()
    coded = store.contents.fingerprints(*FACTS, [content, *asked]) if asked else {}
    equal = {
        other for other in asked if coded.get(content) and coded.get(content) == coded.get(other)
    }
    store.matches.put(
        name,
        [
            Match(min(content, other), max(content, other), Relation.PIXEL_IDENTICAL, IDENTITY)
            for other in equal
        ],
    )
    asked -= equal
    left = sorted(asked - store.matches.verified_with(name, content, asked))
    if not left:
        return set()
    sides = stored_sides(store, [content, *left], mode)
    able = [other for other in left if other in sides] if content in sides else []
    pairs = [(min(content, other), max(content, other)) for other in able]
    found = _told_by_colour(
        store, verify_share(pairs, sides, thorough=mode is Mode.THOROUGH) if pairs else []
    )
    with store.atomic():
        store.matches.put(name, found)
        store.matches.add_verified(name, pairs)
    return set(left) - set(able)


def _told_by_colour(store: Store, matches: Sequence[Match]) -> list[Match]:
    """The matches, with copies in other colours called edited.

    Quick mode decodes no colours, so it cannot tell.
    """
    ids = sorted({id for match in matches for id in (match.a, match.b)})
    colours = store.contents.fingerprints(colour.NAME, colour.VERSION, ids)
    return [
        replace(match, relation=Relation.EDITED)
        if is_duplicate(match)
        and match.relation not in SAME_PIXELS
        and match.a in colours
        and match.b in colours
        and colour.recoloured(
            colours[match.a],
            colours[match.b],
            same_frame=min(match.share_a, match.share_b) >= ONE_FRAME,
        )
        else match
        for match in matches
    ]


# Of many pictures with equal data, each is matched with this many of the others.
_MOST_TOLD_APART = 100
# The agreement of two small pictures (0 to 1) that pixel-identical ones never fall below.
_NEARLY_EQUAL = 0.97


def _agree(match: Match, digests: Mapping[int, bytes]) -> bool:
    return digests.get(match.a) == digests.get(match.b)


def _slices(items: Sequence[Pair], size: int) -> Iterator[Sequence[Pair]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
