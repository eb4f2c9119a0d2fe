"""Paths as people type them: absolute, with ``~``, or as a ``file:`` address.

A form cannot carry a name that is not UTF-8, so the folder dialog writes such a path as a
``file:`` address, whose percent escapes stand for bytes.
"""

from __future__ import annotations

import os
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit


def from_text(text: str) -> str:
    """The path that a person typed or pasted; "" for nothing.

    >>> from_text('"/photos/a b"'), from_text("file:///photos/a%20b")
    ('/photos/a b', '/photos/a b')
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if text.startswith("file://"):
        parts = urlsplit(text)
        path = os.fsdecode(unquote_to_bytes(parts.path))
        if os.name == "nt":
            # file:///C:/a is a drive's, file://server/share/a another computer's.
            path = f"//{parts.netloc}{path}" if parts.netloc else path.lstrip("/")
            return os.path.normpath(path)
        return path
    return os.path.expanduser(text)


def to_text(path: str) -> str:
    """The path as a form can carry it; :func:`from_text` gives it back."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "file://" + quote_from_bytes(os.fsencode(path))
    return path
