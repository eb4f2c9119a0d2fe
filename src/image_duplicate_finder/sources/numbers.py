"""Numbers in place of what a file system would say of things that lie in none."""

from __future__ import annotations

from blake3 import blake3


def number_of(*parts: object) -> int:
    """A negative number below 2**56 in size that stands for ``parts``.

    File systems give no negative inode numbers, so it never equals a real one.
    """
    digest = blake3(repr(parts).encode("ascii", "backslashreplace")).digest(7)
    return -int.from_bytes(digest, "big") - 1
