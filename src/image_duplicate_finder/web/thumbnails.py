"""Pictures made for the browser, kept on disk up to a size limit.

A file's name is its key, so the cache needs no index: what was used least recently (by the
file's modification time, which a read moves forward) goes first.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from image_duplicate_finder.own_files import is_cache, is_cache_entry, make_cache_folder

_KEY = re.compile(r"[0-9a-z_.-]{3,200}")
_TOUCH_AFTER_SECONDS = 3600.0
_SHRINK_TO = 0.9


class PictureCache:
    """Encoded pictures by key in ``folder``, together at most about ``max_bytes``.

    Safe for threads and for several programs at once: entries appear whole, by rename.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._held: int | None = None

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The entry of ``key``, made and stored if it is missing.

        Threads that ask for the same missing entry wait for one of them to make it. What
        ``make`` raises passes through, and nothing is stored.
        """
        found = self.find(key)
        if found is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                found = self.find(key)
                if found is None:
                    found = make()
                    self._store(key, found)
                return found
        finally:
            with self._lock:
                self._making.pop(key, None)

    def find(self, key: str) -> bytes | None:
        """The entry of ``key``, or None."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            if time.time() - path.stat().st_mtime > _TOUCH_AFTER_SECONDS:
                os.utime(path)
        except OSError:
            return None
        return data

    def _path(self, key: str) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} cannot be a key of the picture cache.")
        return self._folder / key[:2] / key

    def _store(self, key: str, data: bytes) -> None:
        path = self._path(key)
        # A full or read-only disk costs speed here, never the picture.
        with contextlib.suppress(OSError):
            make_cache_folder(self._folder)
            if not is_cache(self._folder):
                return
            make_cache_folder(path.parent)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(name, path)
            except OSError:
                os.unlink(name)
                raise
            self._account(len(data))

    def _account(self, added: int) -> None:
        with self._lock:
            if self._held is None:
                self._held = sum(size for _, size, _ in self._entries())
            else:
                self._held += added
            if self._held > self._max_bytes:
                self._held = self._evict()

    def _entries(self) -> list[tuple[float, int, str]]:
        """What this program put there; whatever else lies beside it is left alone."""
        entries: list[tuple[float, int, str]] = []
        with contextlib.suppress(OSError):
            parts = list(os.scandir(self._folder)) if is_cache(self._folder) else []
            for part in parts:
                if not part.is_dir(follow_symlinks=False):
                    continue
                for entry in os.scandir(part):
                    if is_cache_entry(part.name, entry.name) and entry.is_file(
                        follow_symlinks=False
                    ):
                        found = entry.stat(follow_symlinks=False)
                        entries.append((found.st_mtime, found.st_size, entry.path))
        return entries

    def _evict(self) -> int:
        entries = sorted(self._entries())
        held = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if held <= self._max_bytes * _SHRINK_TO:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
                held -= size
        return held
