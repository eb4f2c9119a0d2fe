"""Print what came of every file of a folder, by suite and format, as Markdown tables.

``python -m tests.decode.table ../shared/data/formats ../shared/data/bad`` prints the tables of
docs/formats.md; ``--photos FOLDER`` measures how far quick and full decoding are apart;
``--bombs`` prints what the bombs of bombs.py end in and their peak memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from image_duplicate_finder.decode import decode_full
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.settings import DecodeLimits
from tests.decode.bombs import BOMBS
from tests.decode.test_decode_oracle import quick_distance, with_pillow

LIMITS = DecodeLimits()
_PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
Counts = dict[tuple[str, str], Counter[str]]


def tables(folder: Path) -> tuple[Counts, Counts]:
    """Counts by (suite, file name's extension), and of reasons by (suite, reason)."""
    formats: Counts = defaultdict(Counter)
    reasons: Counts = defaultdict(Counter)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        suite = path.relative_to(folder.parent).parts[:2]
        data = path.read_bytes()
        pillow = with_pillow(data) is not None
        key = "/".join(suite), path.suffix.lstrip(".").lower() or "none"
        formats[key]["files"] += 1
        formats[key]["Pillow"] += pillow
        try:
            decode_full(data, limits=LIMITS)
            formats[key]["decoded"] += 1
        except DecodeError as error:
            formats[key][error.stage] += 1
            reasons[key[0], _kind_of(str(error))][error.stage] += 1
            formats[key]["only Pillow"] += pillow
    return formats, reasons


def _kind_of(message: str) -> str:
    """A reason without what belongs to one file."""
    words = message.split("(")[0] if "header is damaged" in message else message
    return "".join("#" if letter.isdigit() else letter for letter in words)[:90].strip()


def print_tables(folders: list[Path]) -> None:
    print("| suite | extension | files | decoded | failed: header | decode | limits | "
          "Pillow decodes | Pillow only |")  # fmt: skip
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    columns = ("files", "decoded", "header", "decode", "limits", "Pillow", "only Pillow")
    total: Counter[str] = Counter()
    all_reasons: Counts = {}
    for folder in folders:
        formats, reasons = tables(folder)
        all_reasons |= reasons
        for (suite, extension), counts in sorted(formats.items()):
            total.update(counts)
            print(f"| {suite} | {extension} |", " | ".join(str(counts[c]) for c in columns), "|")
    print("| **all** | |", " | ".join(f"**{total[c]}**" for c in columns), "|")
    print("\n| suite | reason | files |\n|---|---|---:|")
    for (suite, reason), counts in sorted(all_reasons.items()):
        print(f"| {suite} | {reason} | {counts.total()} |")


def print_photos(folder: Path) -> None:
    photos = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _PHOTOS]
    print("| long side requested | mean | 99th percentile | largest |\n|---:|---:|---:|---:|")
    for side in (128, 200, 256):
        apart = sorted(quick_distance(path, side) for path in photos)
        mean, most = sum(apart) / len(apart), apart[int(0.99 * len(apart))]
        print(f"| {side} | {mean:.1f} | {most} | {apart[-1]} |")


def print_bombs() -> None:
    print("| file | bytes | result | seconds | peak MiB |")
    print("|---|---:|---|---:|---:|")
    probe = Path(__file__).with_name("probe.py")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bomb"
        for name, make in BOMBS.items():
            path.write_bytes(make())
            run = subprocess.run(
                [sys.executable, str(probe), str(path)], capture_output=True, text=True, check=True
            )
            found = json.loads(run.stdout)
            ending = f"{found['outcome']}: {found['message']}"
            size = path.stat().st_size
            print(f"| {name} | {size:,} | {ending} | {found['seconds']} | {found['peak_mib']} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--bombs", action="store_true")
    options = parser.parse_args()
    if options.folders:
        print_tables(options.folders)
    if options.photos:
        print_photos(options.photos)
    if options.bombs:
        print_bombs()


if __name__ == "__main__":
    main()
