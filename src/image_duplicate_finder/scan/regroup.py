"""What a person changes in a group: another keeper, or a part of it on its own."""

from __future__ import annotations

from collections.abc import Collection

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.model import Group, Match, Member, Relation, compose, invert
from image_duplicate_finder.results import FileView, GroupView, MemberView
from image_duplicate_finder.sources import is_read_only
from image_duplicate_finder.verify.wording import describe

CHOSEN = "chosen by you"


def with_keeper(group: GroupView, file: int) -> Group:
    """The group with one of its members as keeper.

    The other members' matches are carried over through the old keeper, and nothing but
    identical files stays selected: a person looks again. Raises UsageError for a file that is
    no member.
    """
    chosen = _member(group, file)
    others = [member for member in group.members if member.file.id != file]
    members = [_seen_from(chosen, None, group.keeper)]
    members += [_seen_from(chosen, other, other.file) for other in others]
    return Group(group.kind, file, (CHOSEN,), tuple(members))


def split(group: GroupView, files: Collection[int]) -> list[Group]:
    """The group without ``files``, and ``files`` as a group of their own.

    A part of one file is no group and vanishes. Raises UsageError when ``files`` are not
    members, or all of them are chosen, which would leave nothing to split from.
    """
    for file in files:
        _member(group, file)
    staying = [member for member in group.members if member.file.id not in files]
    leaving = [member for member in group.members if member.file.id in files]
    parts: list[Group] = []
    if staying:
        parts.append(
            Group(group.kind, group.keeper.id, group.reasons, tuple(map(as_member, staying)))
        )
    if len(leaving) > 1:
        first, *rest = leaving
        members = [_seen_from(first, other, other.file) for other in rest]
        parts.append(Group(group.kind, first.file.id, (CHOSEN,), tuple(members)))
    return parts


def as_member(view: MemberView) -> Member:
    """A member as it was stored."""
    return Member(
        file=view.file.id,
        relation=view.relation,
        words=view.words,
        transform=view.transform,
        mirrored=view.mirrored,
        overlap=view.overlap,
        score=view.score,
        selected=view.selected,
    )


def _member(group: GroupView, file: int) -> MemberView:
    for member in group.members:
        if member.file.id == file:
            return member
    raise UsageError(f"File {file} is no member of group {group.id}.")


def _seen_from(keeper: MemberView, other: MemberView | None, file: FileView) -> Member:
    """``other`` (None: the old keeper) as a member of the group that ``keeper`` now leads."""
    if keeper.file.content == file.content:
        selected = file.removable and not is_read_only(keeper.file.path)
        return Member(file.id, Relation.BYTE_IDENTICAL, "identical file", selected=selected)
    to_keeper = None if keeper.transform is None else invert(keeper.transform)
    transform = to_keeper
    relation, score, mirrored = keeper.relation, keeper.score, keeper.mirrored
    if other is not None:
        both = to_keeper is not None and other.transform is not None
        transform = compose(other.transform, to_keeper) if both else None  # type: ignore[arg-type]
        relation = _weaker(keeper.relation, other.relation)
        score = min(keeper.score, other.score)
        mirrored = keeper.mirrored != other.mirrored
    match = Match(0, 0, relation, transform, mirrored=mirrored, score=score)
    return Member(
        file=file.id,
        relation=relation,
        words=describe(match, keeper.file.info, file.info),
        transform=transform,
        mirrored=mirrored,
        score=score,
    )


def _weaker(one: Relation, other: Relation) -> Relation:
    order = list(Relation)
    return max(one, other, key=order.index)
