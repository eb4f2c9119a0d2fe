"""A thousand hostile names go through plan, JSON, apply and undo unharmed."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from image_duplicate_finder.removal import Remover, plan_from_dict, plan_to_dict
from image_duplicate_finder.removal.backup import MANIFEST_NAME
from image_duplicate_finder.settings import BackupMode
from tests.removal.support import any_match, evidence, plan_for, tree

FIXED = (
    "CON", "con.jpg", "NUL.tar.gz", "COM1", "LPT9.jpg", "aux.", "trailing dot.", "trailing space ",
    "-rf", "--help", "-", "--", "~", "$HOME", "`id`", "$(id)", "%00", "%2e%2e%2f", "\\..\\", "a:b",
    '"quoted"', "'single'", "<script>alert(1)<b>.jpg", "&amp;.jpg", "?*[x]{y}", "a|b>c<d",
    "\u202egpj.exe", "\u200b", "\u200f\u200e", "\ufeff", "e\u0301", "\u00e9", "\u1e9b\u0323",
    "Straße.JPG", "STRASSE.JPG", "straße.jpg", "İ.jpg", "i̇.jpg", "ﬁ.jpg", "fi.jpg",
    "K.jpg", "K.jpg",
    "😀👩\u200d👩\u200d👧.jpg", "日本語の写真.jpg", "العربية.jpg", "\x01\x02",
    "\x7f", "\t", "\n", "\r\n", " ",
    "line\nbreak.jpg", '{"event": "removed"}\n', "a" * 255, "ä" * 127, "a" * 251 + ".jpg", "....",
    ". .", ".hidden", ".idf-moving-1-0.part", "README.txt", "manifest.jsonl",
    "removed", "removed-2",
    "preserved", "long-paths", "copy (restored).jpg", "ImageDuplicateFinder-backup2", "C:", "PRN",
)  # fmt: skip


def hostile_names(count: int, seed: int) -> list[bytes]:
    """Distinct file names as bytes: anything but "/", NUL, "." and ".."."""
    rng = random.Random(seed)
    names = dict.fromkeys(os.fsencode(name) for name in FIXED)
    pools: tuple[list[bytes], ...] = (
        [bytes([b]) for b in range(1, 256) if b != 0x2F],
        [chr(c).encode() for c in (*range(0x300, 0x30F), *range(0x202A, 0x202F), 0x61, 0xC5)],
        [chr(c).encode() for c in (0x1F600, 0x10FFFF, 0xE000, 0xFFFD, 0x2028, 0x85, 0x0A)],
        [b"A", b"a", b"B", b"b", b".jpg", b".JPG", b" ", b"(1)"],
        [b"\xff", b"\xfe", b"\xc3", b"\xed\xb3\xbf", b"\x80", b"x"],
    )
    while len(names) < count:
        pool = rng.choice(pools)
        name = b"".join(rng.choices(pool, k=rng.choice((1, 2, 3, 8, 40, 255))))[:255]
        if name not in (b".", b"..", b""):
            names[name] = None
    return list(names)


def test_a_thousand_hostile_names(quick_path: Path) -> None:
    root = os.fsencode(quick_path) + b"/photos \xff\n"
    os.mkdir(root)
    for folder in (root + b"/keep", root + b"/copies", root + b"/copies/\xe2\x80\xae"):
        os.mkdir(folder)
    keeper = root + b"/keep/keep.jpg"
    names = hostile_names(1000, seed=7)
    paths = [
        (root + b"/copies/" if number % 2 else root + b"/copies/\xe2\x80\xae/") + name
        for number, name in enumerate(names)
    ]
    for number, path in enumerate((keeper, *paths)):
        with open(path, "wb") as file:
            file.write(b"picture")
        os.utime(path, ns=(number, 1_400_000_000_000_000_000 + number))
    before = tree(root)
    wishes = [evidence(os.fsdecode(p), os.fsdecode(keeper)) for p in paths]
    plan = plan_for(wishes, os.fsdecode(root))
    # Sidecar-like names ("manifest.jsonl" is none) may join units, but nothing may be refused.
    assert len(plan.items) == 1000, plan.refusals
    plan = plan_from_dict(json.loads(json.dumps(plan_to_dict(plan))))

    remover = Remover(quick_path / "library")
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert report.skipped == () and len(report.done) == 1000
    assert not any(os.path.lexists(path) for path in paths)
    manifests = list(Path(os.fsdecode(root)).glob(f"*/*/{MANIFEST_NAME}"))
    assert len(manifests) == 1 and len(manifests[0].read_text().splitlines()) == 1000
    assert remover.verify().problems == ()

    again = Remover(quick_path / "library")
    restored = again.undo(report.run)
    assert restored.skipped == () and len(restored.done) == 1000
    assert tree(root) == before


def test_names_of_full_length_get_new_names_that_fit(quick_path: Path) -> None:
    root = quick_path / "photos"
    for name in ("ä" * 125 + ".jpg", "\udcff" * 251 + ".jpg"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        (root / "keep.jpg").write_bytes(b"picture")
        path.write_bytes(b"picture")
        remover = Remover(quick_path / "library")
        plan = plan_for([evidence(path, root / "keep.jpg")], root)
        report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
        path.write_bytes(b"taken")
        restored = remover.undo(report.run, rename=True)
        assert len(restored.done) == 1, restored.skipped
        assert Path(restored.done[0].destination or "").read_bytes() == b"picture"
