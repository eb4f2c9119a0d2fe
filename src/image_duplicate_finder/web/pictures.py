"""Pictures of scanned files for the browser: read, rendered, remembered and answered.

A file is named by its number within a scan; what is read is handed out only if it still is what
the scan saw there, so a path that was swapped since then gives nothing. What decodes is imported
with the first picture, so that the app starts without it.
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

from flask import Response, current_app, request, url_for

from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.own_files import (
    cache_folder,
    is_cache,
    is_cache_entry,
    make_cache_folder,
)
from image_duplicate_finder.results import FileView
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import read_as_scanned
from image_duplicate_finder.web.state import library

SCREEN_SIDE = 1600
"""What fills a screen; the whole picture follows when someone zooms in."""

THUMBNAIL_SIDES = (160, 320, 640, SCREEN_SIDE)
_QUICK_PIXELS = 4_000_000
_VERSION = 1
_THUMBNAIL_BYTES = 512 * 1024**2
_FULL_BYTES = 512 * 1024**2
_CACHES = "idf_picture_caches"


def thumbnail_cache() -> PictureCache:
    """The library's thumbnails."""
    return _cache("thumbnails", _THUMBNAIL_BYTES)


def view_cache() -> PictureCache:
    """Full-size and comparison pictures."""
    return _cache("views", _FULL_BYTES)


def _cache(name: str, max_bytes: int) -> PictureCache:
    found: dict[str, PictureCache] = current_app.extensions.setdefault(_CACHES, {})
    if name not in found:
        found[name] = PictureCache(cache_folder(library().folder, name), max_bytes)
    return found[name]


def thumbnail_url(scan: int, file: FileView, side: int = 320) -> str:
    """Where a file's thumbnail is served; changes with its content, so browsers may keep it."""
    return url_for(
        "images.thumbnail", scan=scan, file=file.id, side=side, v=file.content.hex()[:12]
    )


def thumbnail_urls(scan: int, file: FileView) -> dict[int, str]:
    """Where all renditions of a file are served, by their long side."""
    first, *others = THUMBNAIL_SIDES
    url = thumbnail_url(scan, file, first)
    part = f"/{first}?"
    return {first: url} | {side: url.replace(part, f"/{side}?") for side in others}


def full_url(scan: int, file: FileView) -> str:
    """Where a file's full-size picture is served."""
    return url_for("images.full", scan=scan, file=file.id, v=file.content.hex()[:12])


def screen_url(scan: int, file: FileView) -> str:
    """Where a rendition is that fills a screen; "" where the whole picture is there as soon."""
    if file.info.width * file.info.height <= _QUICK_PIXELS:
        return ""
    return thumbnail_url(scan, file, SCREEN_SIDE)


def thumbnail_jpeg(view: FileView, side: int) -> bytes:
    """A thumbnail as JPEG, made or from the cache. Raises NotFound or DecodeError."""

    def make() -> bytes:
        from image_duplicate_finder.rendering import render_thumbnail

        data = read_scanned(view)
        with decoding_slot():
            return render_thumbnail(data, side, LIMITS)

    return thumbnail_cache().get(f"{view.content.hex()}_{side}_{_VERSION}.jpg", make)


def thumbnail_or_none(view: FileView, side: int = THUMBNAIL_SIDES[0]) -> bytes | None:
    """A thumbnail as JPEG, None where the file cannot be shown any more."""
    try:
        return thumbnail_jpeg(view, side)
    except (NotFound, DecodeError):
        return None


def full_picture(view: FileView) -> tuple[bytes, str]:
    """The re-encoded picture and its content type. Raises NotFound or DecodeError."""

    def make() -> bytes:
        from image_duplicate_finder.rendering import render_full

        data = read_scanned(view)
        with decoding_slot():
            return render_full(data, LIMITS).data

    data = view_cache().get(f"{view.content.hex()}_full_{_VERSION}", make)
    return data, "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


def picture_response(data: bytes, mimetype: str, view: FileView) -> Response:
    """A picture of ours with headers that let a browser show it and do nothing else."""
    response = Response(data, mimetype=mimetype)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if request.args.get("v") == view.content.hex()[:12]:
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    else:
        response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(f"{view.content.hex()[:16]}-{len(data)}")
    response.make_conditional(request)
    return response


def missing() -> Response:
    """A drawing that says that there is nothing to show, with the status that says so too."""
    response = current_app.send_static_file("img/missing.svg")
    response.status_code = 404
    response.headers["Cache-Control"] = "no-store"
    return response


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


LIMITS = DecodeLimits()
# Decoding is heavy: pages ask for dozens of pictures at once, and memory is finite.
_AT_ONCE = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))


def decoding_slot() -> threading.BoundedSemaphore:
    """Hold this while decoding: as many pictures at once as there are cores."""
    return _AT_ONCE


def read_scanned(file: FileView) -> bytes:
    """The bytes of a scanned file. Raises NotFound if it is not there as it was scanned."""
    return read_as_scanned(file.path, file.stat, file.content, LIMITS)
