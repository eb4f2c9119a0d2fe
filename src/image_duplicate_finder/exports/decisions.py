"""Decisions that a person made in an exported table: read from CSV, checked, then carried out."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.exports.tables import Choice, plain
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import printable
from image_duplicate_finder.results import GroupView

_COLUMNS = ("group", "path", "choice")
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Decision:
    """What a line of a table says about one file of one of its groups."""

    line: int
    group: str
    path: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class Imported:
    """How many groups changed, and how: keepers, selected or unselected files, dismissed ones.

    ``left`` are the paths of files that left their group, because they do not match its new
    keeper.
    """

    groups: int
    keepers: int
    selected: int
    unselected: int
    dismissed: int
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to be done with one group, by file numbers; ``keeper`` is None where it stays."""

    group: int
    keeper: int | None
    selected: Mapping[int, bool]
    dismissed: frozenset[int]


def read_decisions(path: str | os.PathLike[str]) -> tuple[Decision, ...]:
    """The decisions in a CSV file with the columns ``group``, ``path`` and ``choice``.

    Raises UsageError with every line that cannot be understood.
    """
    problems: list[str] = []
    found: list[Decision] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, dialect=_dialect(file.readline()))
            file.seek(0)
            if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
                raise UsageError(
                    f"{os.fspath(path)} has no column {' and no column '.join(missing)}."
                )
            for row in reader:
                try:
                    choice = Choice((row["choice"] or "").strip().lower())
                except ValueError:
                    problems.append(
                        f"line {reader.line_num}: the choice {row['choice']!r} is none of "
                        f"{', '.join(Choice)}."
                    )
                    continue
                found.append(
                    Decision(
                        reader.line_num, (row["group"] or "").strip(), row["path"] or "", choice
                    )
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{os.fspath(path)} cannot be read: {error}") from error
    _refuse(problems)
    return tuple(found)


def _dialect(heading: str) -> type[csv.Dialect]:
    """Spreadsheets write semicolons or tabs where the decimal sign is a comma."""
    best = max(",;\t", key=heading.count)
    return type("Found", (csv.excel,), {"delimiter": best})


def apply_decisions(library: Library, scan: int, decisions: Iterable[Decision]) -> Imported:
    """Carry out decisions on the groups of a scan; files that are not mentioned stay as they are.

    A group of the table is the group of the scan that has all its files. Nothing is changed
    unless all of it can be: raises UsageError with every line that cannot.
    """
    groups = library.all_groups(scan)
    by_path: dict[str, list[GroupView]] = {}
    for group in groups:
        for file in group.files:
            by_path.setdefault(printable(file.path), []).append(group)
    tables: dict[str, list[Decision]] = {}
    for decision in decisions:
        known = decision.path in by_path
        found = decision if known else replace(decision, path=plain(decision.path))
        tables.setdefault(decision.group, []).append(found)
    problems: list[str] = []
    changes = [
        change
        for table in tables.values()
        if (change := _change(table, by_path, problems)) is not None
    ]
    times = Counter(change.group for change in changes)
    problems += [
        f"two groups of the table are one group of the scan ({number})."
        for number in sorted(times)
        if times[number] > 1
    ]
    _refuse(problems)
    return _carry_out(library, changes)


def _change(
    table: list[Decision], by_path: Mapping[str, list[GroupView]], problems: list[str]
) -> _Change | None:
    """What one group of the table asks for; None where that is unclear, or nothing."""
    paths = {decision.path for decision in table}
    homes = [
        group
        for group in by_path.get(table[0].path, ())
        if paths <= {printable(file.path) for file in group.files}
    ]
    if not homes:
        known = [d for d in table if d.path not in by_path]
        first = (known or table)[0]
        problems.append(
            f"line {first.line}: no group of the scan has {first.path} in it"
            + ("." if known else " together with the other files of its group.")
        )
        return None
    group = homes[0]
    files = {printable(file.path): file for file in group.files}
    before = len(problems)
    keeps = [decision for decision in table if decision.choice is Choice.KEEP]
    problems += [
        f"line {other.line}: the group has another keeper in line {keeps[0].line}; write leave "
        "for what is not to be removed."
        for other in keeps[1:]
        if other.path != keeps[0].path
    ]
    keeper = files[keeps[0].path] if keeps else group.keeper
    selected: dict[int, bool] = {}
    dismissed: set[int] = set()
    said: dict[str, Decision] = {}
    for decision in table:
        file = files[decision.path]
        earlier = said.setdefault(decision.path, decision)
        if earlier.choice is not decision.choice:
            problems.append(
                f"line {decision.line}: {decision.path} has the choice {earlier.choice.value} in "
                f"line {earlier.line} already."
            )
        if decision.choice is Choice.KEEP:
            continue
        if file.id == keeper.id:
            problems.append(
                f"line {decision.line}: {decision.path} is the keeper of its group; write keep "
                "for another file first."
            )
        elif decision.choice is Choice.NOT_DUPLICATE:
            dismissed.add(file.id)
        elif decision.choice is Choice.REMOVE and not file.removable:
            problems.append(f"line {decision.line}: {decision.path} is never removed from here.")
        else:
            selected[file.id] = decision.choice is Choice.REMOVE
    if len(problems) > before:
        return None
    chosen = keeper.id if keeper.id != group.keeper.id else None
    present = {member.file.id: member.selected for member in group.members}
    if chosen is None and not dismissed:
        selected = {id: value for id, value in selected.items() if present.get(id) is not value}
        if not selected:
            return None
    return _Change(group.id, chosen, selected, frozenset(dismissed))


def _carry_out(library: Library, changes: Iterable[_Change]) -> Imported:
    counts = {"groups": 0, "keepers": 0, "selected": 0, "unselected": 0, "dismissed": 0}
    left: list[str] = []
    for change in changes:
        group: int | None = change.group
        counts["groups"] += 1
        if change.keeper is not None:
            scan = library.group(change.group).scan
            group = library.choose_keeper(change.group, change.keeper) or None
            decision = library.latest_decision(scan)
            left += () if decision is None else decision.left
            counts["keepers"] += 1
        if group is not None and change.dismissed:
            parts = library.dismiss(group, change.dismissed)
            group = parts[0] if parts else None
            counts["dismissed"] += len(change.dismissed)
        if group is None:
            continue
        for value, name in ((True, "selected"), (False, "unselected")):
            files = [(group, file) for file, wanted in change.selected.items() if wanted is value]
            counts[name] += library.select(files, value)
    return Imported(**counts, left=tuple(left))


def _refuse(problems: list[str]) -> None:
    if problems:
        more = len(problems) - _MOST_TOLD
        lines = problems[:_MOST_TOLD] + ([f"and {more} more."] if more > 0 else [])
        raise UsageError("Nothing was changed:\n" + "\n".join(f"  {line}" for line in lines))
