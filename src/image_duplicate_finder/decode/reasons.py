"""What decoders say, in words for people."""

from __future__ import annotations

_CUT_OFF = "the file is cut off before the picture ends"
_DAMAGED = "its data are damaged"
_BOMB = "its metadata unpack to far more than metadata ever need"
_WORDS = (
    ("image file is truncated", _CUT_OFF),
    ("Truncated File Read", _CUT_OFF),
    ("not enough image data", _CUT_OFF),
    ("broken data stream", _DAMAGED),
    ("unrecognized data stream", _DAMAGED),
    ("buffer overrun", _DAMAGED),
    ("decoder error", _DAMAGED),
    ("MAX_TEXT", _BOMB),
)


def plain_reason(error: BaseException) -> str:
    """The reason that an exception of some decoder gives, as the rest of a sentence.

    What is only a number or a key says nothing to anyone and becomes "its data are damaged".
    """
    said = " ".join(str(error).split())[:200].rstrip(".")
    for phrase, words in _WORDS:
        if phrase in said:
            return words
    return said if " " in said else _DAMAGED
