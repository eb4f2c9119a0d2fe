"""Where files' bytes come from: folders, archives and object storage, behind one protocol.

Every file has an identity path, a string that tells where it is: an ordinary path, a member of an
archive (``/photos/trip.zip!/day 1/a.jpg``) or a URL (``s3://bucket/a.jpg``). Whoever needs bytes
(a worker process, the web app, a report) asks :func:`read` and need not know which it is.
"""

from image_duplicate_finder.sources.names import (
    is_archive,
    is_read_only,
    is_url,
    library_of,
    split_member,
    within,
)
from image_duplicate_finder.sources.reading import Source, read, read_as_scanned, stat

__all__ = [
    "Source",
    "is_archive",
    "is_read_only",
    "is_url",
    "library_of",
    "read",
    "read_as_scanned",
    "split_member",
    "stat",
    "within",
]
