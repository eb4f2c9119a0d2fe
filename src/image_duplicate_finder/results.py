"""What the library hands to people and programs: scans, groups with their files, summaries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from image_duplicate_finder.messages import ENGLISH, Message, english
from image_duplicate_finder.model import (
    Difference,
    FileStat,
    GroupKind,
    ImageInfo,
    Lack,
    Relation,
    Transform,
)
from image_duplicate_finder.settings import ScanSettings


class ScanState(StrEnum):
    """The state of a scan; ``interrupted``: its program ended without recording how."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """One scan as the library remembers it; times in seconds since 1970."""

    id: int
    roots: tuple[str, ...]
    settings: ScanSettings
    state: ScanState
    started: float
    finished: float | None = None
    files: int = 0
    decoded: int = 0
    failures: int = 0

    @property
    def seconds(self) -> float:
        """How long the scan took; 0 while it runs."""
        return 0.0 if self.finished is None else self.finished - self.started


@dataclass(frozen=True, slots=True)
class FileView:
    """A file with what is known of its content. ``content`` is the BLAKE3 hash, 32 bytes.

    ``gone`` is True once the program removed the file (an undo makes it False again).
    ``removable`` is False in protected and compare-only folders.
    """

    id: int
    path: str
    stat: FileStat
    content: bytes
    info: ImageInfo
    gone: bool = False
    removable: bool = True


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of a group; ``transform`` maps the keeper's pixel coordinates to the member's.

    ``decided``: a person, not a rule of the program, said whether it is selected.
    ``witness`` is the id of the file, one that stays, that the member was compared with; the
    rest as in :class:`~model.Member`.
    """

    file: FileView
    relation: Relation
    description: tuple[Message, ...]
    transform: Transform | None
    mirrored: bool
    overlap: float
    score: float
    selected: bool
    decided: bool = False
    witness: int | None = None
    lacks: tuple[Lack, ...] = ()
    detail: float | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def words(self) -> str:
        """The description in English."""
        return ENGLISH.listed(self.description)


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as it is shown: the keeper with its reasons, then the members.

    ``chosen``: a person chose the keeper.
    """

    id: int
    scan: int
    kind: GroupKind
    keeper: FileView
    keep_reasons: tuple[Message, ...]
    members: tuple[MemberView, ...]
    chosen: bool = False

    @property
    def files(self) -> tuple[FileView, ...]:
        """All files, the keeper first."""
        return (self.keeper, *(member.file for member in self.members))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the keeper is kept, in English."""
        return tuple(map(english, self.keep_reasons))


@dataclass(frozen=True, slots=True)
class Pair:
    """A keeper and one of its members: what the member is to the keeper, and how well they agree.

    ``score`` is 0 to 1; ``group`` is the number of the group that holds both.
    """

    group: int
    keeper: FileView
    member: FileView
    relation: Relation
    score: float
    description: tuple[Message, ...]

    @property
    def words(self) -> str:
        """The description in English."""
        return ENGLISH.listed(self.description)


class GroupSort(StrEnum):
    """What a list of groups is ordered by, largest or newest first; ``path`` from A to Z."""

    SPACE = "space"
    COUNT = "count"
    DATE = "date"
    SIMILARITY = "similarity"
    PIXELS = "pixels"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """Which groups of a scan are wanted. Empty tuples and strings do not restrict.

    ``relations`` keeps groups that have a member of one of them; ``text`` groups with a file
    whose path contains it (letter case ignored); ``folder`` groups with a file below it;
    ``min_bytes`` groups whose members have at least as many bytes together; ``open_only`` groups
    that have a member which is still there.
    """

    kinds: tuple[GroupKind, ...] = ()
    relations: tuple[Relation, ...] = ()
    text: str = ""
    folder: str = ""
    min_bytes: int = 0
    selected_only: bool = False
    open_only: bool = False
    sort: GroupSort = GroupSort.SPACE
    reverse: bool = False
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of the groups that a query found; ``total`` counts all pages' groups."""

    groups: tuple[GroupView, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of one scan's groups; bytes are of members, keepers excluded."""

    groups: dict[GroupKind, int]
    members: dict[Relation, int]
    bytes: dict[Relation, int]
    selected_files: int
    selected_bytes: int


@dataclass(frozen=True, slots=True)
class Selection:
    """How many files of a scan are selected for removal, and their bytes together."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DismissedPair:
    """Two contents that a person said are not duplicates, with a file of each if one is known."""

    first: bytes
    second: bytes
    when: float
    first_path: str | None = None
    second_path: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A group's place in a list: its number, how many files it has with its keeper, and how many
    of these were removed."""

    group: int
    files: int
    gone: int = 0


@dataclass(frozen=True, slots=True)
class Facets:
    """How many groups each kind and relation would show, all other filters as they are."""

    kinds: dict[GroupKind, int]
    relations: dict[Relation, int]


class DecisionKind(StrEnum):
    """What a person decided about groups."""

    SELECTED = "selected"
    UNSELECTED = "unselected"
    INVERTED = "inverted"
    KEPT = "kept"
    SPLIT = "split"
    NOT_DUPLICATES = "not_duplicates"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision that can be undone.

    ``files`` is how many files it was about, ``name`` the path of the file, if it was one.
    ``left`` are the paths of files that left their group by it: they do not match its new keeper.
    """

    id: int
    scan: int
    when: float
    kind: DecisionKind
    files: int = 0
    name: str = ""
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undone:
    """A decision that was undone, and the groups that exist again because of it."""

    decision: DecisionRecord
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExampleHit:
    """A file that shows what an example picture shows, or looks like it.

    ``description`` says what the file is to the example; ``score`` is 0 to 1.
    """

    file: FileView
    relation: Relation
    description: tuple[Message, ...]
    score: float

    @property
    def words(self) -> str:
        """The description in English."""
        return ENGLISH.listed(self.description)
