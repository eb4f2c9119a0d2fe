"""How pairs of pictures compare, verified from their fingerprints."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from image_duplicate_finder.executors.engine import Executor
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.executors.task import VerifyTask, verify_pairs
from image_duplicate_finder.fingerprint.appearance import recoloured
from image_duplicate_finder.fingerprint.specs import (
    COLOUR,
    FACTS,
    PERCEPTUAL,
    PIXELS,
    PROOF,
    Specs,
    keypoint_kind,
)
from image_duplicate_finder.model import (
    IDENTITY,
    ContentPair,
    Fingerprinted,
    ImageInfo,
    Match,
    Relation,
    ordered,
)
from image_duplicate_finder.progress import Stage
from image_duplicate_finder.relations import may_differ, shows_one_frame
from image_duplicate_finder.scan.context import ScanContext
from image_duplicate_finder.settings import Mode
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.pair import EncodedVerifyInput

# Of many pictures with equal data, each is matched with this many of the others.
_MOST_EQUAL = 100
# The agreement of two small pictures (0 to 1) that pixel-identical ones never fall below.
_NEARLY_EQUAL = 0.97


class Verifier:
    """Verifies pairs of content ids ``(low, high)`` for one scan's mode."""

    def __init__(self, context: ScanContext, executor: Executor) -> None:
        self._context = context
        self._store = context.store
        self._executor = executor
        self._known = context.store.matches.verified(context.verifier)

    def unverified(self, pairs: Iterable[ContentPair]) -> list[ContentPair]:
        """Those pairs that were not verified before."""
        return [(a, b) for a, b in pairs if b not in self._known.get(a, ())]

    def verify(self, pairs: Iterable[ContentPair]) -> list[Match]:
        """Verify what was not verified before, and store it slice by slice.

        Returns the new matches. Raises Interrupted when a stop was asked for.
        """
        context, store = self._context, self._store
        left = self.unverified(pairs)
        new: list[Match] = []
        size = self._executor.pairs_at_once
        for start in range(0, len(left), size):
            context.cancel.check()
            context.report(Stage.VERIFY, start, len(left))
            part = left[start : start + size]
            found = _mark_recoloured(
                store, self._executor.verify(verify_task(store, part, context.settings.mode))
            )
            for a, b in part:
                self._known.setdefault(a, set()).add(b)
            with store.atomic():
                store.matches.put(context.verifier, found)
                store.matches.put_verified(
                    context.verifier, {a: self._known[a] for a in {a for a, _ in part}}
                )
            new += found
        context.report(Stage.VERIFY, len(left), len(left))
        return new

    def mark_pixel_identical(self, contents: set[int]) -> None:
        """Give pixel-identical pictures that relation, among the stored matches of ``contents``.

        Where the coded data are equal, so are the pixels, also of pictures too plain to verify.
        Else only pictures of one size whose small pictures hardly differ are decoded in full, once,
        and all at the end: a start of worker processes costs as much as some dozen pictures.
        """
        name = self._context.verifier
        stored = self._store.matches.among(name, contents)
        self._match_equal_data(contents, {(match.a, match.b) for match in stored})
        near = [
            match
            for match in stored
            if match.relation is Relation.REENCODED and match.score > _NEARLY_EQUAL
        ]
        infos = self._store.contents.infos(ids_of(near))
        maybe = [m for m in near if _may_have_equal_pixels(infos[m.a], infos[m.b])]
        coded = self._store.contents.fingerprints(*FACTS, sorted(infos))
        equal = [match for match in maybe if coded.get(match.a) and _agree(match, coded)]
        equal_ids = {(match.a, match.b) for match in equal}
        maybe = [match for match in maybe if (match.a, match.b) not in equal_ids]
        digests = self._pixel_hashes(set(ids_of(maybe)))
        equal += [match for match in maybe if match.a in digests and _agree(match, digests)]
        with self._store.atomic():
            self._store.matches.put(
                name, [replace(match, relation=Relation.PIXEL_IDENTICAL) for match in equal]
            )

    def _match_equal_data(self, contents: set[int], stored: set[ContentPair]) -> None:
        """Store a match of each pair of contents with equal coded data that has none yet."""
        alike = (sorted(contents.intersection(ids)) for ids in self._store.contents.alike(*FACTS))
        new = [
            Match(a, b, Relation.PIXEL_IDENTICAL, IDENTITY)
            for ids in alike
            for place, b in enumerate(ids)
            for a in ids[: min(place, _MOST_EQUAL)]
            if (a, b) not in stored
        ]
        with self._store.atomic():
            self._store.matches.put(self._context.verifier, new)

    def _pixel_hashes(self, ids: set[int]) -> dict[int, bytes]:
        contents = self._store.contents
        hashes = contents.hashes(sorted(ids))
        known = contents.fingerprints(*PIXELS, sorted(ids))
        paths = self._store.scans.paths(self._context.scan, ids - known.keys())
        tasks = {path: id for id, path in sorted(paths.items())}
        if not tasks:
            return known
        specs = Specs(Mode.QUICK, pixels=True, limits=self._context.settings.limits)
        with closing(self._executor.read([FileTask(path, 0) for path in tasks], specs)) as answers:
            for done, (result, _) in enumerate(answers):
                self._context.report(Stage.VERIFY, done, len(tasks))
                self._context.cancel.check()
                if not isinstance(result, Fingerprinted):
                    continue
                id = tasks[result.path]
                # The file may have changed since.
                if result.content == hashes[id]:
                    contents.put_fingerprints(id, result.fingerprints)
                    known[id] = result.fingerprints[0].data
        return known


def _may_have_equal_pixels(a: ImageInfo, b: ImageInfo) -> bool:
    """Whether it is worth decoding two pictures to see.

    JPEGs of unlike qualities are rounded on unlike grids: equal pixels would be chance.
    """
    qualities = a.metadata.jpeg_quality, b.metadata.jpeg_quality
    if None not in qualities and qualities[0] != qualities[1]:
        return False
    return (a.width, a.height) == (b.width, b.height)


def verify_now(context: ScanContext, content: int, others: Collection[int]) -> set[int]:
    """Verify a content against others, where that was never done, and store the result.

    On this thread: for the few pairs of a group that a person changes. Returns those of
    ``others`` that could not be verified, because their fingerprints are not stored.
    """
    store, name = context.store, context.verifier
    asked = set(others) - store.matches.of(name, content, others).keys()
    coded = store.contents.fingerprints(*FACTS, [content, *asked]) if asked else {}
    equal = {
        other for other in asked if coded.get(content) and coded.get(content) == coded.get(other)
    }
    store.matches.put(
        name,
        [Match(*ordered(content, other), Relation.PIXEL_IDENTICAL, IDENTITY) for other in equal],
    )
    asked -= equal
    left = sorted(asked - store.matches.verified_with(name, content, asked))
    if not left:
        return set()
    task = verify_task(store, [ordered(content, other) for other in left], context.settings.mode)
    able = [pair for pair in task.pairs if task.inputs.keys() >= set(pair)]
    found = _mark_recoloured(store, verify_pairs(task))
    with store.atomic():
        store.matches.put(name, found)
        store.matches.add_verified(name, able)
    return set(left).difference(*able)


def _mark_recoloured(store: Store, matches: Sequence[Match]) -> list[Match]:
    """The matches, with copies in other colours as edited.

    Quick mode decodes no colours, so it cannot see this.
    """
    ids = sorted({id for match in matches for id in (match.a, match.b)})
    colours = store.contents.fingerprints(*COLOUR, ids)
    return [
        replace(match, relation=Relation.EDITED)
        if may_differ(match)
        and match.a in colours
        and match.b in colours
        and recoloured(
            colours[match.a],
            colours[match.b],
            same_frame=shows_one_frame(match),
        )
        else match
        for match in matches
    ]


def _agree(match: Match, digests: Mapping[int, bytes]) -> bool:
    return digests.get(match.a) == digests.get(match.b)


def verify_task(store: Store, pairs: Sequence[ContentPair], mode: Mode) -> VerifyTask:
    """Pairs with what verification looks at."""
    inputs = verify_inputs(store, sorted({id for pair in pairs for id in pair}), mode)
    return VerifyTask(pairs, inputs, thorough=mode is Mode.THOROUGH)


def verify_inputs(store: Store, ids: Sequence[int], mode: Mode) -> dict[int, EncodedVerifyInput]:
    """What verification looks at, of those contents whose fingerprints are stored."""
    wanted = [PERCEPTUAL, PROOF]
    if mode is not Mode.QUICK:
        wanted.append(keypoint_kind(mode))
    found = {kind.name: store.contents.fingerprints(*kind, ids) for kind in wanted}
    inputs = {}
    for id, info in store.contents.infos(ids).items():
        data = {name: of[id] for name, of in found.items() if id in of}
        encoded = verify_input(id, (info.width, info.height), data, mode)
        if encoded is not None:
            inputs[id] = encoded
    return inputs


def verify_input(
    id: int, size: tuple[int, int], data: Mapping[str, bytes], mode: Mode
) -> EncodedVerifyInput | None:
    """What verification looks at in a picture of ``size`` (width, height), by its fingerprints.

    None if it has no perceptual hash or proof.
    """
    if PERCEPTUAL.name not in data or PROOF.name not in data:
        return None
    points = None if mode is Mode.QUICK else data.get(keypoint_kind(mode).name)
    return EncodedVerifyInput(id, *size, data[PERCEPTUAL.name], points, data[PROOF.name])


def ids_of(matches: Iterable[Match]) -> list[int]:
    """The contents of matches, sorted."""
    return sorted({id for match in matches for id in (match.a, match.b)})
