"""Groups as a table: one row for each file of a group, the keeper first. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from image_duplicate_finder.printable import printable
from image_duplicate_finder.results import FileView, GroupView, MemberView


class Choice(StrEnum):
    """What is to become of a file: what a table says, and what a person writes into it.

    ``keep`` is the keeper of a group, ``leave`` a member that stays; ``not_duplicate`` is only
    ever written by a person.
    """

    KEEP = "keep"
    REMOVE = "remove"
    LEAVE = "leave"
    NOT_DUPLICATE = "not_duplicate"


@dataclass(frozen=True, slots=True)
class Row:
    """One file of a group; the fields are the columns, in this order.

    ``group`` counts from 1 in the order given. ``path`` is written as
    :func:`~image_duplicate_finder.printable.printable` does. ``relation`` and ``score`` (0 to 1)
    are those of a member to its keeper, None for the keeper itself. ``modified`` is ISO 8601
    with zone, ``taken`` as in the file; ``blake3`` is hexadecimal.
    """

    group: int
    kind: str
    role: str
    path: str
    relation: str | None
    description: str
    selected: bool | None
    width: int
    height: int
    bytes: int
    format: str
    modified: str
    taken: str | None
    camera: str | None
    score: float | None
    blake3: str
    choice: str


def rows(groups: Iterable[GroupView]) -> Iterator[Row]:
    """The rows of all groups, in their order."""
    for number, group in enumerate(groups, 1):
        yield _row(number, group, group.keeper, None)
        for member in group.members:
            yield _row(number, group, member.file, member)


def _row(number: int, group: GroupView, file: FileView, member: MemberView | None) -> Row:
    modified = datetime.datetime.fromtimestamp(file.stat.mtime_ns / 1e9).astimezone()
    return Row(
        group=number,
        kind=group.kind.value,
        role="keeper" if member is None else "member",
        path=printable(file.path),
        relation=None if member is None else member.relation.value,
        description="; ".join(group.reasons) if member is None else member.words,
        selected=None if member is None else member.selected,
        width=file.info.width,
        height=file.info.height,
        bytes=file.stat.size,
        format=file.info.format,
        modified=modified.isoformat(timespec="seconds"),
        taken=file.info.metadata.taken,
        camera=file.info.metadata.camera,
        score=None if member is None else round(member.score, 4),
        blake3=file.content.hex(),
        choice=_choice(member).value,
    )


def _choice(member: MemberView | None) -> Choice:
    if member is None:
        return Choice.KEEP
    return Choice.REMOVE if member.selected else Choice.LEAVE
