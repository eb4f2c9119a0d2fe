"""What is known of a scan's pictures, and the closer looks that proposals to remove depend on.

Groups name the pairs for a closer look: each member beside its keeper and, where that lacks
something, beside other files that stay. A look can show that two pictures differ, or make another
file the better keeper, so groups are formed again and looked at until no new pair is wanted.
"""

from __future__ import annotations

import logging
import os
import shutil
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from itertools import accumulate, islice

from image_duplicate_finder.discover.beside import Beside, beside
from image_duplicate_finder.dominance import Evidence, Lacked, facts_lacking, revised, standings
from image_duplicate_finder.executors.engine import Executor, release_memory
from image_duplicate_finder.executors.messages import LookAnswer, Looked, LookTask, Partner
from image_duplicate_finder.fingerprint.specs import SEEN
from image_duplicate_finder.grouping import Content, duplicate_groups
from image_duplicate_finder.keeping import NO_STANDING, KeepFacts, ranking
from image_duplicate_finder.model import (
    ContentPair,
    Failure,
    Fingerprint,
    Group,
    Lack,
    Look,
    Match,
    Seen,
    ordered,
)
from image_duplicate_finder.own_files import temporary_folder
from image_duplicate_finder.progress import Stage
from image_duplicate_finder.relations import is_duplicate, may_differ
from image_duplicate_finder.scan.context import ScanContext
from image_duplicate_finder.scan.verification import Verifier, ids_of
from image_duplicate_finder.settings import KeepRule
from image_duplicate_finder.sources import is_read_only
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify import LOOK_VERSION
from image_duplicate_finder.verify.prepared import prepared_bytes
from image_duplicate_finder.verify.wording import describe

_log = logging.getLogger(__name__)

_MOST_ROUNDS = 8
# A picture with more partners has several tasks, for as many workers.
_PARTNERS = 8
# Of the free disk space, this part may be used meanwhile.
_SHARE_OF_FREE = 4
# Other files that a member is compared with where its keeper lacks something.
_OTHER_WITNESSES = 3
_ANSWERS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Judged:
    """What groups are formed of: contents with their standing, matches, and the looks at them.

    ``looks`` are keyed by ``(low id, high id)`` and lead from low to high.
    """

    contents: Sequence[Content]
    matches: Sequence[Match]
    looks: Mapping[ContentPair, Look | None]


class Judge:
    """Judges a scan's matches by all that is known of their pictures; keeps what it has read."""

    def __init__(self, store: Store, scan: int) -> None:
        self._store = store
        self._contents = {each.id: each for each in store.scans.contents(scan)}
        self._read: set[int] = set()
        self._looks: dict[ContentPair, Look | None] = {}
        self._seen: dict[int, Seen] = {}
        self._companions: dict[str, tuple[Beside, ...]] = {}

    def bytes_of(self, contents: Iterable[int]) -> dict[int, int]:
        """What each of ``contents`` takes in memory, once decoded for closer looks."""
        infos = ((id, self._contents[id].files[0].info) for id in contents)
        return {id: prepared_bytes(info.width, info.height) for id, info in infos}

    def judge(self, matches: Sequence[Match], among: Collection[int] | None = None) -> Judged:
        """What follows from ``matches`` and the looks so far, for all contents or some."""
        contents = (
            self._contents.values()
            if among is None
            else [self._contents[id] for id in sorted(among)]
        )
        of_pair = {each.pair: each for each in matches if is_duplicate(each)}
        matched = {id for pair in of_pair for id in pair}
        if new := matched - self._read:
            self._read |= new
            self.read_again(matched)
        self._find_companions(matched, contents)
        best = {each.id: each.files[0] for each in contents}
        for id in matched & best.keys():
            best[id] = self._with_facts(best[id], id)
        compared = [pair for pair in of_pair if pair[0] in best and pair[1] in best]
        standing = standings(best, compared, Evidence(of_pair, self._looks))

        def judged_content(content: Content) -> Content:
            if content.id not in matched and len(content.files) == 1:
                return content
            own = standing.get(content.id, NO_STANDING)
            files = (self._with_facts(facts, content.id) for facts in content.files)
            return replace(content, files=tuple(replace(facts, standing=own) for facts in files))

        return Judged([judged_content(each) for each in contents], matches, dict(self._looks))

    def read_again(self, contents: Collection[int]) -> None:
        """Read what is stored of contents and of looks among them: some was looked at by now."""
        ids = sorted(contents)
        self._looks.update(self._store.looks.known(LOOK_VERSION, ids))
        stored = self._store.contents.fingerprints(*SEEN, ids)
        self._seen.update(
            (id, Seen(bool(data[0]), bool(data[1]), data[2])) for id, data in stored.items()
        )

    def _find_companions(self, matched: Collection[int], contents: Iterable[Content]) -> None:
        several = (each for each in contents if each.id in matched or len(each.files) > 1)
        paths = [facts.path for each in several for facts in each.files]
        new = [p for p in paths if p not in self._companions and not is_read_only(p)]
        self._companions.update(dict.fromkeys(new, ()))
        self._companions.update(beside(new))

    def _with_facts(self, facts: KeepFacts, content: int) -> KeepFacts:
        found = self._companions.get(facts.path, ())
        companions = tuple((each.kind, each.digest) for each in found)
        return replace(facts, seen=self._seen.get(content), beside=companions)


def judged(context: ScanContext, matches: Sequence[Match]) -> Judged:
    """What is known by now of a scan's contents and ``matches``, without another look."""
    return Judge(context.store, context.scan).judge(matches)


def look_closer(context: ScanContext, matches: Sequence[Match], executor: Executor) -> Judged:
    """Look at every pair that a proposal to remove depends on, and judge ``matches`` by it.

    Looks are stored by the pair of contents and never repeated. A match that turns out to be of
    two different pictures is stored as such. Raises Interrupted when a stop was asked for; all
    looks are stored by then.
    """
    return _CloserLooks(context, matches, executor).run()


class _CloserLooks:
    """The rounds of looks, family by family, so that each picture is decoded once for all rounds.

    What was decoded is kept on disk until its family is done. ``context.report`` counts pictures.
    """

    def __init__(self, context: ScanContext, matches: Sequence[Match], executor: Executor) -> None:
        self._context = context
        self._executor = executor
        self._verifier = Verifier(context, executor)
        self._judge = Judge(context.store, context.scan)
        self._of_pair: dict[ContentPair, Match] = {}
        self._partners: defaultdict[int, list[int]] = defaultdict(list)
        self._add(matches)
        # A look tells nothing about pictures that no chain of matches leads to.
        families = (frozenset(family) for family in _families(self._of_pair))
        self._family_of = {id: family for family in families for id in family}
        self._dismissed = context.store.decisions.dismissed_ids()
        self._failed: set[ContentPair] = set()
        self._done: set[int] = set()
        self._wanted = 0

    def run(self) -> Judged:
        """See :func:`look_closer`."""
        pairs = [pair for pair, match in self._of_pair.items() if is_duplicate(match)]
        bytes_of = self._judge.bytes_of({id for pair in pairs for id in pair})
        self._wanted = len(bytes_of)
        with ExitStack() as stack:
            folder, room = "", 0
            if pairs and self._executor.bytes_kept:
                with suppress(OSError):  # without temporary files pictures are decoded again
                    folder = stack.enter_context(temporary_folder("looks"))
                    free = shutil.disk_usage(folder).free
                    room = min(self._executor.bytes_kept, free // _SHARE_OF_FREE)
            *first, last = portions(pairs, bytes_of, room)
            for portion in first:
                self._settle(portion, folder)
                self._done |= portion.contents
            # Among all contents now: composites and parts of pictures can concern any family.
            now = self._settle(last, folder, everything=True)
        return now or self._judged(None)

    def _add(self, matches: Iterable[Match]) -> None:
        for match in matches:
            if match.pair not in self._of_pair:
                self._partners[match.a].append(match.b)
            self._of_pair[match.pair] = match

    def _judged(self, among: Collection[int] | None) -> Judged:
        if among is None:
            return self._judge.judge(list(self._of_pair.values()))
        pairs = [(a, b) for a in sorted(among) for b in self._partners[a] if b in among]
        return self._judge.judge([self._of_pair[pair] for pair in pairs], among)

    def _settle(self, portion: Portion, folder: str, *, everything: bool = False) -> Judged | None:
        """Look at what the groups of a portion depend on, until nothing new is wanted.

        Returns what is known of the whole portion, if that did not take a look.
        """
        store, context = self._context.store, self._context
        among = None if everything else portion.contents
        scope = among
        kept = {id: os.path.join(folder, str(id)) for id in portion.kept}
        for _ in range(_MOST_ROUNDS):
            now = self._judged(scope)
            groups = duplicate_groups(
                now.contents,
                now.matches,
                describe=describe,
                rules=context.settings.keep_rules,
                dismissed=self._dismissed,
                looks=now.looks,
            )
            wanted = _pairs_to_look_at(now, groups, context.settings.keep_rules)
            self._add(self._verifier.verify([pair for pair in wanted if pair not in self._of_pair]))
            todo = [
                match
                for pair in wanted
                if (match := self._of_pair.get(pair)) is not None
                and pair not in now.looks
                and pair not in self._failed
                and may_differ(match)
            ]
            if not todo:
                break
            release_memory()
            looks = self._look(todo, kept)
            self._judge.read_again(ids_of(todo))
            infos = store.contents.infos(ids_of(todo))
            self._failed.update(match.pair for match in todo if match.pair not in looks)
            changed = {
                pair: after
                for pair, look in looks.items()
                if (match := self._of_pair[pair])
                and (after := revised(match, look, infos[match.a], infos[match.b])) != match
            }
            self._add(changed.values())
            with store.atomic():
                store.matches.put(context.verifier, changed.values())
            reached = frozenset[int]().union(*{self._family_of[match.a] for match in todo})
            scope = reached if among is None else reached & among
        for path in kept.values():
            with suppress(OSError):
                os.remove(path)
        return now if scope is among else None

    def _look(
        self, matches: Sequence[Match], kept: Mapping[int, str]
    ) -> dict[ContentPair, Look | None]:
        """Look at the pairs of ``matches`` and store what is seen; unreadable ones are missing."""
        context, store = self._context, self._context.store
        context.report(Stage.LOOK, len(self._done), self._wanted)
        ids = {hash: id for id, hash in store.contents.hashes(ids_of(matches)).items()}
        found: dict[ContentPair, Look | None] = {}
        failures: dict[str, Failure] = {}

        def run(tasks: Sequence[LookTask]) -> None:
            with closing(self._executor.look(tasks, context.settings.limits)) as answers:
                for batch in _look_batches(answers):
                    context.cancel.check()
                    with store.atomic():
                        for answer in batch:
                            if isinstance(answer, Failure):
                                failures[answer.path] = answer
                                continue
                            failures.update((each.path, each) for each in answer.failures)
                            found.update(_stored(store, answer, ids))
                            self._done.update(ids[content] for content in answer.seen)
                    context.report(Stage.LOOK, len(self._done), self._wanted)

        tasks = list(_tasks(context, matches, kept, _PARTNERS))
        run(tasks)
        left = [
            partner.match
            for task in tasks
            if len(task.partners) > 1
            for partner in task.partners
            if partner.match.pair not in found
        ]
        if left:
            # Some file among several stopped its worker: each pair by itself, once.
            run(list(_tasks(context, left, kept, 1)))
        missing = ids_of(match for match in matches if match.pair not in found)
        for path in sorted(store.scans.paths(context.scan, missing).values()):
            if path in failures:
                _log.warning(
                    "%s could not be compared closely and is not preselected: %s",
                    *(path, failures[path].message),
                )
        return found


@dataclass(frozen=True, slots=True)
class Portion:
    """Families that are looked at together; pictures of ``kept`` are kept from round to round."""

    contents: frozenset[int]
    kept: frozenset[int]


def portions(pairs: Sequence[ContentPair], bytes_of: Mapping[int, int], room: int) -> list[Portion]:
    """Split matched contents so that the decoded pictures of each portion take ``room`` at most.

    Families stay whole. One of two is done in one round, so nothing of it is kept; of one that is
    larger than ``room`` the pictures with the most matches are. At least one portion is returned.
    """
    often = Counter(id for pair in pairs for id in pair)
    last: list[int] = []
    found: list[tuple[list[int], list[int]]] = []
    left = 0
    for family in _families(pairs):
        if room <= 0 or len(family) <= 2:
            last += family
            continue
        family.sort(key=lambda id: (-often[id], id))
        spent = list(accumulate(bytes_of[id] for id in family))
        kept = family[: bisect_right(spent, room)]
        if not found or spent[-1] > left:
            found.append(([], []))
            left = room
        left -= min(spent[-1], left)
        found[-1][0].extend(family)
        found[-1][1].extend(kept)
    if not found:
        return [Portion(frozenset(last), frozenset())]
    found[-1][0].extend(last)
    return [Portion(frozenset(contents), frozenset(kept)) for contents, kept in found]


def _families(pairs: Iterable[ContentPair]) -> Iterator[list[int]]:
    """The connected components of a graph."""
    near: defaultdict[int, list[int]] = defaultdict(list)
    for a, b in pairs:
        near[a].append(b)
        near[b].append(a)
    met: set[int] = set()
    for start in near:
        if start in met:
            continue
        met.add(start)
        family = [start]
        for id in family:  # grows meanwhile
            new = [other for other in near[id] if other not in met]
            met.update(new)
            family += new
        yield family


def _pairs_to_look_at(
    now: Judged, groups: Iterable[Group], rules: Sequence[KeepRule]
) -> list[ContentPair]:
    """Members with their keepers; where those lack something, with other files that stay.

    And with the best file by the rules, if it becomes the keeper once it is known to hold as much.
    """
    rank = ranking(rules)
    content_of = {facts.file: each.id for each in now.contents for facts in each.files}
    facts_of = {facts.file: facts for each in now.contents for facts in each.files}
    evidence = Evidence({match.pair: match for match in now.matches}, now.looks)
    wanted: dict[ContentPair, None] = {}

    def want(one: int, other: int) -> None:
        a, b = content_of[one], content_of[other]
        if a != b:
            wanted[min(a, b), max(a, b)] = None

    for group in groups:
        keeper = group.keeper
        lacked: dict[int, Lacked | None] = {}
        for member in group.members:
            want(keeper, member.file)
            pair = content_of[member.file], content_of[keeper]
            compared = evidence.compared(*pair)
            if compared is None:
                continue
            if compared.look is not None or compared.same_pixels:
                facts = facts_of[member.file], facts_of[keeper]
                lacked[member.file] = Lacked.of(*facts, compared)
            elif ordered(*pair) in now.looks:  # the two cannot be aligned, which tells nothing
                lacked[member.file] = None
        # What stays only because a rule prefers it is hardly better: this keeper stays, too, or of
        # copies that are nearly equal now one and now another would be kept.
        able = (m.file for m in group.members if not m.selected and m.lacks != (Lack.PREFERRED,))
        best = min([keeper, *able], key=lambda file: rank(_holding(facts_of[file], 0)))
        if best != keeper:
            held = facts_of[best].standing.holds + sum(
                ordered(content_of[member.file], content_of[best]) not in now.looks
                and _may_hold(lacked.get(best), lacked.get(member.file))
                for member in group.members
            )
            if rank(_holding(facts_of[best], held)) < rank(facts_of[keeper]):
                for member in group.members:
                    want(best, member.file)
        staying = {
            member.file: lacked[member.file]
            for member in group.members
            if not member.selected and member.file in lacked
        }
        for member in group.members:
            # Facts of a protected file do not matter, and the turn of others comes later.
            if member.lacks and member.file in staying:
                witnesses = _possible_witnesses(member.file, staying, facts_of)
                for other in islice(witnesses, _OTHER_WITNESSES):
                    want(member.file, other)
    return list(wanted)


def _possible_witnesses(
    file: int, lacked: Mapping[int, Lacked | None], facts_of: Mapping[int, KeepFacts]
) -> Iterator[int]:
    """Which others may hold all of a file, by what their keeper lacks of each and by their facts.

    What it lacks is None where it cannot be aligned with the keeper.
    """
    mine = lacked[file]
    for other, theirs in lacked.items():
        if other == file or not _may_hold(theirs, mine):
            continue
        if not any(facts_lacking(facts_of[file], facts_of[other])):
            yield other


def _may_hold(one: Lacked | None, other: Lacked | None) -> bool:
    """Whether one file may hold all of the other, by what their keeper lacks of both, if known."""
    return one is None or other is None or one.may_hold(other)


def _holding(facts: KeepFacts, files: int) -> KeepFacts:
    """As if it held so many files: who was compared with more holds more."""
    return replace(facts, standing=replace(facts.standing, holds=files))


def _look_batches(answers: Iterator[LookAnswer]) -> Iterator[list[Looked | Failure]]:
    batch: list[Looked | Failure] = []
    for answer, _ in answers:
        batch.append(answer)
        if len(batch) >= _ANSWERS_AT_ONCE:
            yield batch
            batch = []
    yield batch


def _stored(
    store: Store, looked: Looked, ids: Mapping[bytes, int]
) -> dict[ContentPair, Look | None]:
    """Store what a look found; returned by pairs."""
    for content, seen in looked.seen.items():
        data = bytes((seen.alpha_used, seen.colourful, seen.bits))
        store.contents.put_fingerprints(ids[content], [Fingerprint(*SEEN, data)])
    hub = ids[looked.content]
    looks: dict[ContentPair, Look | None] = {}
    for content, look in looked.looks.items():
        other = ids[content]
        looks[ordered(hub, other)] = look if look is None or hub < other else look.reversed()
    store.looks.put(LOOK_VERSION, looks)
    return looks


def _tasks(
    context: ScanContext, matches: Sequence[Match], kept: Mapping[int, str], partners: int
) -> Iterator[LookTask]:
    """Tasks for matches: a picture with many matches is the hub of ``partners`` of them each."""
    ids, contents = ids_of(matches), context.store.contents
    hashes, sizes = contents.hashes(ids), contents.sizes(ids)
    paths = context.store.scans.paths(context.scan, ids)
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
                partners=tuple(
                    Partner(paths[each.b], hashes[each.b], each, kept.get(each.b)) for each in part
                ),
                kept=kept.get(hub),
            )
