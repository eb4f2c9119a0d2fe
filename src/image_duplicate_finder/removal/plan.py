"""The plan: the exact list of removals with the evidence that each depends on. Pure.

What cannot be removed safely becomes a :class:`Refusal` with its reason. Applying a plan checks
everything again on the disk; nothing here is trusted there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from blake3 import blake3

from image_duplicate_finder.additions import Additions
from image_duplicate_finder.companions import Folder, Unit
from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.messages import ENGLISH, Message, Stays, english
from image_duplicate_finder.model import FileStat, Relation
from image_duplicate_finder.settings import RemovalAction
from image_duplicate_finder.sources import is_read_only, library_of

LINKS = frozenset({RemovalAction.HARDLINK, RemovalAction.REFLINK, RemovalAction.SYMLINK})


COMPANION_KINDS = ("video", "sidecar")


class Reason(StrEnum):
    """The kind of reason why a file is not removed; the message with it says more."""

    OUTSIDE = "outside"
    READ_ONLY = "read_only"
    LIBRARY = "library"
    PROTECTED = "protected"
    NOT_CHOSEN = "not_chosen"
    BACKUP = "backup"
    SAME_FILE = "same_file"
    NO_MATCH = "no_match"
    KEEPER_PLANNED = "keeper_planned"
    KEEPER_GONE = "keeper_gone"
    KEEPER_CHANGED = "keeper_changed"
    GONE = "gone"
    CHANGED = "changed"
    UNIT = "unit"
    MERGE = "merge"
    LINK = "link"
    VOLUME = "volume"
    TAKEN = "taken"
    DAMAGED = "damaged"
    DRIVE = "drive"
    SYSTEM = "system"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A file as the scan knew it; ``content`` is the BLAKE3 hash (32 bytes) of its bytes.

    ``content_identifier`` is the id that both halves of a Live Photo share, where stated.
    """

    path: str
    stat: FileStat
    content: bytes
    content_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One stored match that a removal depends on: ``keeper`` shows what ``file`` shows.

    The keeper is the witness: a file that stays and has a verified match of its own with ``file``,
    or the same bytes. ``chosen``: it has none, but a person saw both and chose to remove just
    this file; only the library can say so, no plan.
    """

    file: PlanFile
    keeper: PlanFile
    relation: Relation
    group: int = 0
    score: float = 1.0
    description: tuple[Message, ...] = field(default=(), compare=False, repr=False)
    chosen: bool = field(default=False, compare=False, repr=False)

    @property
    def words(self) -> str:
        """The description in English."""
        return ENGLISH.listed(self.description)


def content_from_hex(value: object) -> bytes:
    """The hash of a content as a document has it. Raises ValueError."""
    content = bytes.fromhex(value) if isinstance(value, str) else b""
    if len(content) != 32:
        raise ValueError("a content hash has 64 hexadecimal digits")
    return content


@dataclass(frozen=True, slots=True)
class Companion:
    """A file that travels with a picture; ``kind`` is one of :data:`COMPANION_KINDS`."""

    path: str
    stat: FileStat
    kind: str


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One removal. Items of one ``unit`` are removed together or not at all."""

    evidence: Evidence
    unit: int
    companions: tuple[Companion, ...] = ()

    @property
    def path(self) -> str:
        """The file to remove."""
        return self.evidence.file.path


@dataclass(frozen=True, slots=True)
class Merge:
    """Metadata that a keeper takes over from ``sources``, files that the plan removes."""

    keeper: PlanFile
    additions: Additions
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that stays where it is, and why; a plan that was read has that as plain text."""

    path: str
    reason: Reason
    why: Message = field(compare=False)

    @property
    def message(self) -> str:
        """Why, in English."""
        return english(self.why)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to remove and how. ``id`` is a hash of what it does (see :func:`identified`).

    ``only_from`` is empty when files may go from every root. ``merges`` come before all removals.
    """

    id: str
    action: RemovalAction
    roots: tuple[str, ...]
    protected: tuple[str, ...]
    only_from: tuple[str, ...]
    items: tuple[PlanItem, ...]
    refusals: tuple[Refusal, ...] = ()
    merges: tuple[Merge, ...] = ()

    @property
    def total_bytes(self) -> int:
        """Bytes of the files to remove with their companions; each inode counts once."""
        sizes = {
            stat.identity: stat.size
            for item in self.items
            for stat in (item.evidence.file.stat, *(c.stat for c in item.companions))
        }
        return sum(sizes.values())


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies beside the files of a plan, from :func:`.checks.look_around`.

    ``folders`` maps a folder to its names, ``beside`` to the paths in folders of labels that a
    training set keeps beside it; ``stats`` has the files among them that may be
    companions, by path; ``identifiers`` maps paths to the content identifiers of Live Photos;
    ``links`` maps files to a symbolic link that leads to them.
    """

    folders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stats: Mapping[str, FileStat] = field(default_factory=dict)
    identifiers: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def make_plan(
    evidence: Iterable[Evidence],
    *,
    roots: Sequence[str],
    action: RemovalAction = RemovalAction.BACKUP,
    protected: Sequence[str] = (),
    only_from: Sequence[str] = (),
    surroundings: Surroundings | None = None,
    refused: Iterable[Refusal] = (),
    merges: Iterable[Merge] = (),
) -> Plan:
    """Turn evidence into a plan; the result depends on the arguments alone.

    ``roots``, ``protected`` and ``only_from`` are absolute, normalised folders. A file with
    several keepers takes the first that stays. ``refused`` are files that the caller refuses
    already. ``merges`` are left out where their keeper or all of their sources are not in the plan,
    and always where the plan makes links.
    """
    around = surroundings or Surroundings()
    draft = Plan("", action, tuple(roots), tuple(protected), tuple(only_from), ())
    refusals = {refusal.path: refusal for refusal in refused}
    candidates: dict[str, list[Evidence]] = {}
    for each in evidence:
        refusal = refuse(each, draft)
        link = around.links.get(each.file.path)
        if refusal is None and link is not None:
            refusal = led_to(each.file.path, link)
        if refusal is None:
            candidates.setdefault(each.file.path, []).append(each)
        else:
            refusals.setdefault(each.file.path, refusal)

    planned = {path: found[0].file for path, found in candidates.items()}
    identities = {file.stat.identity for file in planned.values()}
    accepted: dict[str, Evidence] = {}
    for path, found in candidates.items():
        usable = [
            each
            for each in found
            if each.keeper.path not in planned and each.keeper.stat.identity not in identities
        ]
        if usable:
            accepted[path] = usable[0]
        else:
            refusals.setdefault(path, keeper_planned(path, found[0].keeper.path))
    if action in LINKS:  # the path stays in use, so nothing is orphaned
        items = [PlanItem(each, number) for number, each in enumerate(accepted.values())]
    else:
        items = _with_units(accepted, refusals, around)
    kept = {item.path for item in items}
    return identified(
        replace(
            draft,
            items=tuple(items),
            refusals=tuple(refusal for path, refusal in refusals.items() if path not in kept),
            merges=tuple(_merges_of(items, merges if action not in LINKS else ())),
        )
    )


def _merges_of(items: Sequence[PlanItem], merges: Iterable[Merge]) -> Iterator[Merge]:
    going = {item.path: item.evidence.keeper.path for item in items}
    for merge in merges:
        sources = tuple(path for path in merge.sources if going.get(path) == merge.keeper.path)
        if sources and merge.additions:
            yield replace(merge, sources=sources)


def identified(plan: Plan) -> Plan:
    """The plan with its id: sixteen hexadecimal digits that change with what it would do."""
    does = (plan.action, plan.roots, plan.protected, plan.only_from, plan.items, *plan.merges)
    return replace(plan, id=blake3(repr(does).encode("ascii", "backslashreplace")).hexdigest()[:16])


def in_order(plan: Plan) -> Plan:
    """The plan with each file once and the items of a unit side by side, whoever wrote it."""
    first: dict[str, PlanItem] = {}
    for item in plan.items:
        first.setdefault(item.path, item)
    return identified(replace(plan, items=tuple(sorted(first.values(), key=lambda i: i.unit))))


def no_match(path: str, keeper: str) -> Refusal:
    """The refusal of a file without a verified match with its keeper."""
    return Refusal(path, Reason.NO_MATCH, Stays.NO_MATCH(path=keeper))


def keeper_planned(path: str, keeper: str) -> Refusal:
    """The refusal of a file whose keeper is to be removed as well."""
    return Refusal(path, Reason.KEEPER_PLANNED, Stays.KEEPER_PLANNED(path=keeper))


def led_to(path: str, link: str) -> Refusal:
    """The refusal of a file that a symbolic link leads to."""
    return Refusal(path, Reason.LINK, Stays.LINK_TARGET(path=link))


def root_of(path: str, roots: Iterable[str]) -> str | None:
    """The innermost of ``roots`` that holds ``path``, or None."""
    holding = [root for root in roots if path != root and is_inside(path, root)]
    return max(holding, key=len, default=None)


def refuse(evidence: Evidence, plan: Plan) -> Refusal | None:
    """What the rules say of one removal by itself, without looking at the disk."""
    found = _refused(evidence, plan)
    return None if found is None else Refusal(evidence.file.path, *found)


def _refused(evidence: Evidence, plan: Plan) -> tuple[Reason, Message] | None:
    file, keeper, path = evidence.file, evidence.keeper, evidence.file.path
    if is_read_only(path):
        return Reason.READ_ONLY, Stays.READ_ONLY()
    if is_read_only(keeper.path):
        return Reason.READ_ONLY, Stays.KEEPER_READ_ONLY(path=keeper.path)
    if (package := library_of(path)) is not None:
        return Reason.LIBRARY, Stays.IN_PACKAGE(path=package)
    if root_of(path, plan.roots) is None:
        return Reason.OUTSIDE, Stays.OUTSIDE()
    for folder in plan.protected:
        if is_inside(path, folder):
            return Reason.PROTECTED, Stays.FOLDER_PROTECTED(folder=folder)
    if plan.only_from and not any(is_inside(path, folder) for folder in plan.only_from):
        return Reason.NOT_CHOSEN, Stays.NOT_CHOSEN()
    if path == keeper.path or file.stat.identity == keeper.stat.identity:
        return Reason.SAME_FILE, Stays.SAME_FILE(path=keeper.path)
    if evidence.relation == Relation.BYTE_IDENTICAL and file.content != keeper.content:
        return Reason.NO_MATCH, Stays.OTHER_BYTES(path=keeper.path)
    if plan.action in LINKS:
        if evidence.relation != Relation.BYTE_IDENTICAL:
            return Reason.LINK, Stays.LINK_OTHER_BYTES()
        if plan.action != RemovalAction.SYMLINK and file.stat.device != keeper.stat.device:
            return Reason.LINK, Stays.LINK_OTHER_VOLUME(path=keeper.path)
    return None


def _with_units(
    accepted: dict[str, Evidence], refusals: dict[str, Refusal], around: Surroundings
) -> list[PlanItem]:
    """Items with companions and unit numbers; files whose unit would be split are refused."""
    index = UnitIndex(around)
    while split := {
        path: refusal
        for path, evidence in accepted.items()
        if (refusal := index.would_split(evidence, accepted)) is not None
    }:
        for path, refusal in split.items():
            refusals.setdefault(path, refusal)
            del accepted[path]

    numbers: dict[str, int] = {}
    claimed: set[str] = set()
    keepers = {evidence.keeper.path for evidence in accepted.values()}
    items = []
    for path, evidence in accepted.items():
        partners = index.partners(path)
        number = numbers.get(path, len(numbers))
        for other in (path, *partners):
            numbers.setdefault(other, number)
        found = index.companions(path, accepted, keepers)
        companions = tuple(c for c in found if c.path not in claimed)
        claimed.update(c.path for c in companions)
        items.append(PlanItem(evidence, numbers[path], companions))
    return sorted(items, key=lambda item: item.unit)


class UnitIndex:
    """Units by path, over the folders of some surroundings."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._folders: dict[str, Folder] = {}

    def unit(self, path: str) -> Unit:
        """What belongs to a picture; empty where its folder is not known."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            names = self._around.folders.get(folder, ())
            self._folders[folder] = Folder.of(
                names,
                {
                    n: self._around.identifiers[p]
                    for n in names
                    if (p := os.path.join(folder, n)) in self._around.identifiers
                },
                self._around.beside.get(folder, ()),
            )
        return self._folders[folder].unit(name)

    def partners(self, path: str) -> tuple[str, ...]:
        """The RAW or camera picture of the same shot, as paths."""
        return self.paths(path, self.unit(path).partners)

    def would_split(self, evidence: Evidence, planned: Mapping[str, object]) -> Refusal | None:
        """Why removing this file would split its unit, or None."""
        path = evidence.file.path
        partners = self.partners(path)
        for partner in partners:
            if partner == evidence.keeper.path:
                return Refusal(path, Reason.UNIT, Stays.KEEPER_IS_PARTNER(path=partner))
            if partner not in planned:
                return Refusal(path, Reason.UNIT, Stays.PARTNER_STAYS(path=partner))
        videos = self._own_videos(path, planned)
        if videos and not self.unit(evidence.keeper.path).films:
            return Refusal(path, Reason.UNIT, Stays.KEEPER_WITHOUT_VIDEO(path=videos[0]))
        return None

    def companions(
        self, path: str, planned: Mapping[str, object], keepers: Collection[str]
    ) -> tuple[Companion, ...]:
        """The film and the sidecars that go where this file goes.

        A mask is a picture, too: it stays where it is one of the ``keepers``.
        """
        unit = self.unit(path)
        sidecars = list(self.paths(path, unit.own_sidecars))
        if all(other in planned for other in self.paths(path, unit.stem_sharers)):
            sidecars += self.paths(path, unit.stem_sidecars)
        kinds = dict.fromkeys(self._own_videos(path, planned), "video")
        kinds.update(dict.fromkeys(sidecars, "sidecar"))
        return tuple(
            Companion(other, self._around.stats[other], kind)
            for other, kind in kinds.items()
            if other not in planned and other not in keepers and other in self._around.stats
        )

    def _own_videos(self, path: str, planned: Mapping[str, object]) -> tuple[str, ...]:
        """Moving halves that would be left without any picture."""
        unit = self.unit(path)
        if all(other in planned for other in self.paths(path, unit.film_sharers)):
            return self.paths(path, unit.films)
        return ()

    @staticmethod
    def paths(path: str, names: Iterable[str]) -> tuple[str, ...]:
        """The names of a unit's files as paths."""
        folder = os.path.dirname(path)
        return tuple(os.path.join(folder, name) for name in names)
