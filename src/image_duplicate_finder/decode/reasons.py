"""What decoders say, in words for people."""

from __future__ import annotations

DAMAGED = "its data are damaged"
_CUT_OFF = "the file is cut off before the picture ends"
_CHECKSUM = "a checksum in it is wrong"
_UNKNOWN_KIND = "it is of a kind that no decoder here knows"
_BOMB = "its metadata unpack to far more than metadata ever need"
_WORDS = (
    ("image file is truncated", _CUT_OFF),
    ("Truncated File Read", _CUT_OFF),
    ("not enough image data", _CUT_OFF),
    ("unpack requires", _CUT_OFF),
    ("unpack_from requires", _CUT_OFF),
    ("Unexpected end of file", _CUT_OFF),
    ("Insufficient input data", _CUT_OFF),
    ("checksum", _CHECKSUM),
    ("broken data stream", DAMAGED),
    ("unrecognized data stream", DAMAGED),
    ("buffer overrun", DAMAGED),
    ("decoder error", DAMAGED),
    ("Decoder error", DAMAGED),
    ("decoder object", DAMAGED),
    ("cannot load this image", DAMAGED),
    ("tile cannot extend", DAMAGED),
    ("no marker found", DAMAGED),
    ("parsing failed", DAMAGED),
    ("Malformed", DAMAGED),
    ("not identified by this driver", DAMAGED),
    ("unknown data organization", _UNKNOWN_KIND),
    ("unknown pixel mode", _UNKNOWN_KIND),
    ("Invalid value for samples per pixel", _UNKNOWN_KIND),
    ("MAX_TEXT", _BOMB),
)
_MEMORY = (
    "out of memory",
    "outofmemory",
    "nsufficient memory",
    "memory alloc",
    "bad_alloc",
    "failed to allocate",
    "cannot allocate",
    "could not allocate",
    "unable to allocate",
)


def plain_reason(error: BaseException) -> str:
    """The reason that an exception of some decoder gives, as the rest of a sentence.

    What is only a number or a key says nothing to anyone and becomes "its data are damaged".
    """
    said = " ".join(str(error).split())[:200].rstrip(".")
    for phrase, words in _WORDS:
        if phrase in said:
            return words
    return said if " " in said else DAMAGED


def lacks_memory(error: BaseException) -> bool:
    """Whether there was too little memory; most decoders have an exception of their own for it."""
    said = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(word in said for word in _MEMORY)


def is_of_the_system(error: BaseException) -> bool:
    """Whether the system refused something (a thread, a descriptor, a full disk, a library).

    Errors that decoders make up for damaged bytes are OSErrors too, but carry no number.
    """
    if isinstance(error, ImportError):
        return True
    return (isinstance(error, OSError) and error.errno is not None) or "new thread" in str(error)
