"""A folder and an outside world that does as it likes with it, for tests of any sequence."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from blake3 import blake3
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from image_duplicate_finder.removal.backup import FOLDER_NAME
from tests.removal.support import MEMORY, contents, write

NAMES = st.sampled_from(
    ["a.jpg", "b.jpg", "a.cr2", "a.xmp", "a.heic", "a.mov", "x/a.jpg", "x/b.jpg", "safe/a.jpg"]
)
WHICH = st.integers(0, 2)


class Outside(RuleBasedStateMachine):
    """The rules of other programs. ``data`` are the bytes of the three files that come and go."""

    data: tuple[bytes, bytes, bytes] = (b"one picture", b"two pictures", b"three")

    def __init__(self) -> None:
        super().__init__()
        base = MEMORY if os.access(MEMORY, os.W_OK) else None
        self.top = Path(os.path.realpath(tempfile.mkdtemp(prefix="idf-property", dir=base)))
        self.root = self.top / "photos"
        (self.root / "x").mkdir(parents=True)
        (self.root / "safe").mkdir()
        self.pictures = {blake3(data).digest() for data in self.data}
        self.disturbed = False  # whether the outside reached into a backup

    def teardown(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)

    @rule(name=NAMES, which=WHICH)
    def create(self, name: str, which: int) -> None:
        with contextlib.suppress(OSError):
            (self.root / name).unlink(missing_ok=True)
            write(self.root / name, self.data[which])

    @rule(name=NAMES, which=WHICH)
    def edit(self, name: str, which: int) -> None:
        path = self.root / name
        if path.is_file():
            self.disturbed |= path.stat().st_nlink > 1  # a backup may hold the other name
            with contextlib.suppress(OSError):
                path.write_bytes(self.data[which])

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    @rule(source=NAMES, to=NAMES)
    def rename(self, source: str, to: str) -> None:
        with contextlib.suppress(OSError):
            os.replace(self.root / source, self.root / to)

    @rule(source=NAMES, to=NAMES)
    def copy(self, source: str, to: str) -> None:
        with contextlib.suppress(OSError, shutil.SameFileError):
            if not os.path.lexists(self.root / to):
                shutil.copy2(self.root / source, self.root / to)

    @rule(source=NAMES, to=NAMES, symbolic=st.booleans())
    def link(self, source: str, to: str, symbolic: bool) -> None:
        with contextlib.suppress(OSError):
            (os.symlink if symbolic else os.link)(self.root / source, self.root / to)

    def everything(self) -> Counter[bytes]:
        """How often each content stands in the folder and in backups, wherever these are."""
        return contents(self.root, self.top / FOLDER_NAME, self.top / "Desktop")

    def nothing_missing(self, before: Mapping[bytes, int]) -> None:
        """Assert that every picture that was in the folder or a backup still is."""
        now = self.everything()
        missing = {content for content in self.pictures & before.keys() if not now.get(content)}
        assert not missing, missing
