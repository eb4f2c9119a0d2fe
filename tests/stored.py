"""Single rows of a library, where the program itself writes many at once."""

from __future__ import annotations

from image_duplicate_finder.model import FileStat, ImageInfo
from image_duplicate_finder.store import Store


def put_content(store: Store, content_hash: bytes, size: int, info: ImageInfo) -> int:
    """Store a content; returns its id."""
    return store.contents.put_all([(content_hash, size, info)])[content_hash]


def put_file(store: Store, path: str, stat: FileStat, content: int) -> int:
    """Store a file that holds a content (id); returns the file's id."""
    return store.files.put_all([(path, stat, content)])[path]
