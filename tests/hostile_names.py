"""File names that are legal and that programs stumble over."""

from __future__ import annotations

import os
import random

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
