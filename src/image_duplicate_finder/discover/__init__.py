"""Roots to files: walks folders without opening a file, and reports what it passes over.

Symbolic links are never followed, so loops end. Only regular files are listed: a FIFO, socket
or device is never opened. Hard links and bind-mounted doubles of a file (equal device and
inode) are one file: the first path in sorted order stands for all. Archives, manifests and
storage are looked into where they are named as roots.
"""

from image_duplicate_finder.discover.walk import (
    OTHER_EXTENSIONS,
    Discovery,
    clean_roots,
    discover,
    is_inside,
    may_be_image,
    one_picture,
)

__all__ = [
    "OTHER_EXTENSIONS",
    "Discovery",
    "clean_roots",
    "discover",
    "is_inside",
    "may_be_image",
    "one_picture",
]
