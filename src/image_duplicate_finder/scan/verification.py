"""Verify candidate pairs on all cores, once for each pair, and store what was found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from image_duplicate_finder.discover.beside import Beside, beside
from image_duplicate_finder.dominance import (
    Evidence,
    facts_lacking,
    revised,
    standings,
)
from image_duplicate_finder.errors import Interrupted
from image_duplicate_finder.executors.engine import Executor
from image_duplicate_finder.executors.messages import (
    FileTask,
    LookAnswer,
    Looked,
    LookTask,
    Partner,
)
from image_duplicate_finder.executors.task import verify_share
from image_duplicate_finder.fingerprint.appearance import recoloured
from image_duplicate_finder.fingerprint.specs import (
    COLOUR,
    FACTS,
    PERCEPTUAL,
    PIXELS,
    PROOF,
    SEEN,
    Specs,
    keypoint_kind,
)
from image_duplicate_finder.grouping import Content, duplicate_groups
from image_duplicate_finder.keeping import NO_STANDING, KeepFacts
from image_duplicate_finder.model import (
    IDENTITY,
    Fingerprint,
    Fingerprinted,
    Group,
    Look,
    Match,
    Relation,
    Seen,
)
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.relations import ONE_FRAME, SAME_PIXELS, is_duplicate
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.sources import is_read_only
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.pair import StoredSide
from image_duplicate_finder.verify.version import LOOK_VERSION
from image_duplicate_finder.verify.wording import describe

Pair = tuple[int, int]


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
        contents = self._store.contents
        hashes = contents.hashes(sorted(ids))
        known = contents.fingerprints(*PIXELS, sorted(ids))
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
    colours = store.contents.fingerprints(*COLOUR, ids)
    return [
        replace(match, relation=Relation.EDITED)
        if is_duplicate(match)
        and match.relation not in SAME_PIXELS
        and match.a in colours
        and match.b in colours
        and recoloured(
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


def stored_sides(store: Store, ids: Sequence[int], mode: Mode) -> dict[int, StoredSide]:
    """Sides by content id, of those contents that have what verification needs."""
    wanted = [PERCEPTUAL, PROOF]
    if mode is not Mode.QUICK:
        wanted.append(keypoint_kind(mode))
    found = {kind.name: store.contents.fingerprints(*kind, ids) for kind in wanted}
    sides: dict[int, StoredSide] = {}
    for id, info in store.contents.infos(ids).items():
        data = {name: of[id] for name, of in found.items() if id in of}
        side = side_of(id, (info.width, info.height), data, mode)
        if side is not None:
            sides[id] = side
    return sides


def side_of(
    id: int, size: tuple[int, int], data: Mapping[str, bytes], mode: Mode
) -> StoredSide | None:
    """The side of one picture of ``size`` (width, height) from its fingerprints by name.

    None where it has no perceptual hash or proof.
    """
    if PERCEPTUAL.name not in data or PROOF.name not in data:
        return None
    points = None if mode is Mode.QUICK else data.get(keypoint_kind(mode).name)
    return StoredSide(id, *size, data[PERCEPTUAL.name], points, data[PROOF.name])


_MOST_ROUNDS = 8
# A picture is decoded once more for each so many of its partners.
_PARTNERS = 8
# Other files that a member is compared with where its keeper lacks something.
_OTHER_WITNESSES = 3
_ANSWERS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Judged:
    """What groups are formed of: contents with how they stand, matches, and the looks at them.

    ``looks`` are keyed by ``(low id, high id)`` and lead from low to high.
    """

    contents: Sequence[Content]
    matches: Sequence[Match]
    looks: Mapping[Pair, Look | None]


def judged(
    store: Store,
    scan: int,
    matches: Sequence[Match],
    companions: dict[str, tuple[Beside, ...]] | None = None,
) -> Judged:
    """What is known by now of a scan's contents and ``matches``, without another look.

    ``companions`` remembers what lies beside files from one call to the next.
    """
    companions = {} if companions is None else companions
    contents = store.scans.contents(scan)
    of_pair = {_pair(match): match for match in matches if is_duplicate(match)}
    meeting = sorted({id for pair in of_pair for id in pair})
    looks = store.looks.known(LOOK_VERSION, meeting)
    best = {each.id: each.files[0] for each in contents}
    seen = {
        id: Seen(bool(data[0]), bool(data[1]), data[2])
        for id, data in store.contents.fingerprints(SEEN.name, SEEN.version, meeting).items()
    }
    met = set(meeting)
    several = (each for each in contents if each.id in met or len(each.files) > 1)
    _find_companions([facts.path for each in several for facts in each.files], companions)
    for id in met & best.keys():
        best[id] = _told(best[id], seen.get(id), companions)
    compared = [pair for pair in of_pair if pair[0] in best and pair[1] in best]
    standing = standings(best, compared, Evidence(of_pair, looks))

    def judged_content(content: Content) -> Content:
        if content.id not in met and len(content.files) == 1:
            return content
        stands = standing.get(content.id, NO_STANDING)
        files = (_told(facts, seen.get(content.id), companions) for facts in content.files)
        return replace(content, files=tuple(replace(facts, standing=stands) for facts in files))

    return Judged([judged_content(each) for each in contents], matches, looks)


def _told(
    facts: KeepFacts, seen: Seen | None, companions: Mapping[str, tuple[Beside, ...]]
) -> KeepFacts:
    found = companions.get(facts.path, ())
    return replace(facts, seen=seen, beside=tuple((each.kind, each.digest) for each in found))


def _find_companions(paths: Iterable[str], known: dict[str, tuple[Beside, ...]]) -> None:
    """What lies beside files and belongs to them, for those not known yet."""
    new = [path for path in paths if path not in known and not is_read_only(path)]
    known.update(dict.fromkeys(new, ()))
    known.update(beside(new))


def look_closer(
    store: Store,
    scan: int,
    settings: ScanSettings,
    matches: Sequence[Match],
    executor: Executor,
    progress: Progress,
    cancel: CancelToken,
) -> Judged:
    """Look at every pair that a proposal to remove depends on, and judge ``matches`` by it.

    Looks are stored by the pair of contents and never repeated. A match that turns out to be of
    two other pictures is stored as such. Raises Interrupted when ``cancel`` asked for a stop;
    what was seen is stored by then.
    """
    verifier = Verifier(store, settings, executor, progress, cancel)
    of_pair = {_pair(match): match for match in matches}
    failed: set[Pair] = set()
    companions: dict[str, tuple[Beside, ...]] = {}
    for _ in range(_MOST_ROUNDS):
        now = judged(store, scan, list(of_pair.values()), companions)
        groups = duplicate_groups(
            now.contents,
            now.matches,
            describe=describe,
            rules=settings.keep_rules,
            dismissed=store.decisions.dismissed_ids(),
            looks=now.looks,
        )
        wanted = _pairs_to_look_at(now, groups)
        missing = [pair for pair in wanted if pair not in of_pair]
        of_pair.update((_pair(match), match) for match in verifier.verify(missing))
        todo = [
            of_pair[pair]
            for pair in wanted
            if pair in of_pair and pair not in now.looks and pair not in failed
            if is_duplicate(of_pair[pair]) and of_pair[pair].relation not in SAME_PIXELS
        ]
        if not todo:
            return now
        looks = _look(store, todo, executor, progress, cancel)
        infos = store.contents.infos(_ids(todo))
        failed.update(_pair(match) for match in todo if _pair(match) not in looks)
        changed = {
            pair: after
            for pair, look in looks.items()
            if (match := of_pair[pair])
            and (after := revised(match, look, infos[match.a], infos[match.b])) != match
        }
        of_pair |= changed
        with store.atomic():
            store.matches.put(verifier.name, changed.values())
    return judged(store, scan, list(of_pair.values()), companions)


def _pair(match: Match) -> Pair:
    return min(match.a, match.b), max(match.a, match.b)


def _pairs_to_look_at(now: Judged, groups: Iterable[Group]) -> list[Pair]:
    """Members beside their keepers; where those lack something, beside others that stay."""
    content_of = {facts.file: each.id for each in now.contents for facts in each.files}
    facts_of = {facts.file: facts for each in now.contents for facts in each.files}
    wanted: dict[Pair, None] = {}

    def want(one: int, other: int) -> None:
        a, b = content_of[one], content_of[other]
        if a != b:
            wanted[min(a, b), max(a, b)] = None

    for group in groups:
        for member in group.members:
            want(group.keeper, member.file)
        staying = [member for member in group.members if not member.selected]
        for member in staying:
            if not member.lacks:
                continue  # a protected file: nobody asks what it holds
            found = 0
            for other in staying:
                if other.file == member.file or found == _OTHER_WITNESSES:
                    continue
                if not any(facts_lacking(facts_of[member.file], facts_of[other.file])):
                    want(member.file, other.file)
                    found += 1
    return list(wanted)


def _look(
    store: Store,
    matches: Sequence[Match],
    executor: Executor,
    progress: Progress,
    cancel: CancelToken,
) -> dict[Pair, Look | None]:
    """Look at the pairs of ``matches`` and store what is seen; unreadable ones are missing."""
    tasks = list(_tasks(store, matches, _PARTNERS))
    found, left = _run(store, tasks, matches, executor, progress, cancel, len(matches))
    if left:
        # Some file among several stopped its worker: each pair by itself, once.
        tasks = list(_tasks(store, left, 1))
        again, _ = _run(store, tasks, left, executor, progress, cancel, len(matches))
        found |= again
    return found


def _run(
    store: Store,
    tasks: Sequence[LookTask],
    matches: Sequence[Match],
    executor: Executor,
    progress: Progress,
    cancel: CancelToken,
    total: int,
) -> tuple[dict[Pair, Look | None], list[Match]]:
    """What was seen, and the matches whose task failed as a whole though it had several."""
    ids = {hash: id for id, hash in store.contents.hashes(_ids(matches)).items()}
    found: dict[Pair, Look | None] = {}
    with closing(executor.look(tasks)) as answers:
        for part in _batches(answers):
            stop_if_asked(cancel)
            with store.atomic():
                for looked in part:
                    found |= _stored(store, looked, ids)
            progress(Step("look", total - len(matches) + len(found), total))
    left = [
        match
        for task in tasks
        if len(task.partners) > 1
        for match in (partner.match for partner in task.partners)
        if _pair(match) not in found
    ]
    return found, left


def _batches(answers: Iterator[LookAnswer]) -> Iterator[list[Looked]]:
    batch: list[Looked] = []
    for answer, _ in answers:
        if isinstance(answer, Looked):
            batch.append(answer)
        if len(batch) >= _ANSWERS_AT_ONCE:
            yield batch
            batch = []
    yield batch


def _stored(store: Store, looked: Looked, ids: Mapping[bytes, int]) -> dict[Pair, Look | None]:
    for content, seen in looked.seen.items():
        data = bytes((seen.alpha_used, seen.colourful, seen.bits))
        store.contents.put_fingerprints(ids[content], [Fingerprint(*SEEN, data)])
    hub = ids[looked.content]
    looks: dict[Pair, Look | None] = {}
    for content, look in looked.looks.items():
        other = ids[content]
        pair = min(hub, other), max(hub, other)
        looks[pair] = look if look is None or hub < other else look.reversed()
    store.looks.put(LOOK_VERSION, looks)
    return looks


def _tasks(store: Store, matches: Sequence[Match], partners: int) -> Iterator[LookTask]:
    """Matches as tasks: what most of them share is decoded once for ``partners`` of them."""
    ids = _ids(matches)
    hashes, sizes = store.contents.hashes(ids), store.contents.sizes(ids)
    paths = {id: held[0] for id in ids if (held := store.files.paths_of(hashes[id]))}
    often = Counter(id for match in matches for id in (match.a, match.b))
    around: defaultdict[int, list[Match]] = defaultdict(list)
    for match in matches:
        if match.a in paths and match.b in paths:
            hub = max((match.a, match.b), key=lambda id: (often[id], -id))
            around[hub].append(match if match.a == hub else match.reversed())
    for hub, found in around.items():
        for start in range(0, len(found), partners):
            part: list[Match] = found[start : start + partners]
            yield LookTask(
                path=paths[hub],
                size=sizes[hub] + sum(sizes[match.b] for match in part),
                content=hashes[hub],
                partners=tuple(Partner(paths[each.b], hashes[each.b], each) for each in part),
            )


def _ids(matches: Iterable[Match]) -> list[int]:
    return sorted({id for match in matches for id in (match.a, match.b)})
