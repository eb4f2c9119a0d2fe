"""What a scan proposes for removal in a set made by ``benchmarks.make``.

    python -m benchmarks.proposing FOLDER [--mode quick]

Scans the folder with the command line and an empty library, and prints for each kind of file how
many are in groups of duplicates and how many of these are proposed; proposals beside a witness
that shows another picture; and what the closer look cost.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.truth import FILE_NAME, Truth
from image_duplicate_finder.cli import run
from image_duplicate_finder.executors.engine import LocalExecutor
from image_duplicate_finder.executors.messages import LookAnswer, Looked, LookTask
from image_duplicate_finder.own_files import LIBRARY_NAME
from image_duplicate_finder.settings import DecodeLimits


@dataclass(slots=True)
class Proposals:
    """By kind of file: how many there are, are in groups, are kept and are proposed.

    ``wrong`` are proposals beside a witness of another family: ``(file, witness)``. ``why``
    counts what witnesses lack of files that are not proposed.
    """

    files: Counter[str] = field(default_factory=Counter)
    grouped: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    proposed: Counter[str] = field(default_factory=Counter)
    why: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[tuple[str, str]] = field(default_factory=list)


def proposals(truth: Truth, document: dict[str, Any], folder: Path) -> Proposals:
    """Count what the JSON document of a scan proposes."""
    found = Proposals(Counter(truth.kinds[name] for name in truth.files))

    def name_of(path: str) -> str:
        return Path(path).relative_to(folder.resolve()).as_posix()

    for group in document["groups"]:
        if group["kind"] != "duplicates":
            continue
        keeper = name_of(group["keeper"]["path"])
        found.kept[truth.kinds[keeper]] += 1
        found.grouped[truth.kinds[keeper]] += 1
        for member in group["members"]:
            name = name_of(member["path"])
            kind = truth.kinds[name]
            found.grouped[kind] += 1
            found.proposed[kind] += member["selected"]
            witness = name_of(member["witness"]) if member.get("witness") else keeper
            if member["selected"] and truth.families[name] != truth.families[witness]:
                found.wrong.append((name, witness))
            if not member["selected"]:
                lacks = "+".join(member.get("lacks", ())) or "nothing"
                found.why.setdefault(kind, Counter())[lacks] += 1
    return found


class CountingExecutor(LocalExecutor):
    """Counts the files decoded for closer looks."""

    decoded = 0

    def look(
        self, tasks: Sequence[LookTask], limits: DecodeLimits
    ) -> Generator[LookAnswer, None, None]:
        """See :meth:`LocalExecutor.look`."""
        for answer, nothing in super().look(tasks, limits):
            if isinstance(answer, Looked):
                CountingExecutor.decoded += len(answer.seen)
            yield answer, nothing


def main() -> None:
    """Scan a set and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help=f"holds {FILE_NAME}")
    parser.add_argument("--out", type=Path, help="keep the JSON document of the scan here")
    parser.add_argument("--mode", choices=("quick", "standard", "thorough"), default="standard")
    given = parser.parse_args()
    from image_duplicate_finder.executors import engine

    engine.open_executor = lambda settings: CountingExecutor(settings.jobs)
    with tempfile.TemporaryDirectory() as scratch:
        library, out = Path(scratch) / "library", given.out or Path(scratch) / "out.json"
        arguments = ["--library", library, "scan", given.folder, "--mode", given.mode]
        status = run([str(word) for word in (*arguments, "--json", out, "--quiet")])
        if status:
            raise SystemExit(status)
        document = json.loads(out.read_text(encoding="utf-8"))
        with closing(sqlite3.connect(library / LIBRARY_NAME)) as database:
            looks, most, mean = database.execute(
                "SELECT count(*), max(length(data)), avg(length(data)) FROM look"
            ).fetchone()
    found = proposals(Truth.load(given.folder), document, given.folder)
    print("| kind | files | in groups of duplicates | kept | proposed | not proposed for |")
    print("|---|--:|--:|--:|--:|---|")
    for kind, files in sorted(found.files.items()):
        why = ", ".join(
            f"{n} {lacks}" for lacks, n in found.why.get(kind, Counter()).most_common(4)
        )
        counts = files, found.grouped[kind], found.kept[kind], found.proposed[kind], why
        print(f"| {kind} | " + " | ".join(map(str, counts)) + " |")
    print(f"wrong: {len(found.wrong)}", *found.wrong[:20], sep="\n")
    decoded = CountingExecutor.decoded
    print(
        f"{looks} looks of {mean or 0:.0f} bytes, at most {most or 0}; {decoded} files decoded for "
        f"them, {decoded / max(1, found.grouped.total()):.2f} of each in groups; "
        f"{document['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
