"""Roots to files: walks folders without opening a file, and reports what it cannot read.

Symbolic links are never followed, so loops end. Only regular files are listed: a FIFO, socket
or device is never opened. Hard links and bind mounts of a file (equal device and inode) are one
file, listed by the first path in sorted order. Archives, manifests and storage are searched where
they are named as roots.
"""

from image_duplicate_finder.discover.walk import (
    OTHER_EXTENSIONS,
    Discovery,
    clean_roots,
    discover,
    discover_listed,
    is_inside,
    may_be_image,
    one_picture,
)

__all__ = [
    "OTHER_EXTENSIONS",
    "Discovery",
    "clean_roots",
    "discover",
    "discover_listed",
    "is_inside",
    "may_be_image",
    "one_picture",
]
