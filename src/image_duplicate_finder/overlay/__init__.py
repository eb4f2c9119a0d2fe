"""Two full-size pictures laid over each other, for people to look at."""

from image_duplicate_finder.overlay.alignment import (
    Difference,
    Matrix,
    Pixels,
    align,
    difference,
    equal,
    fit,
    normalised,
    outline,
    refined,
)
from image_duplicate_finder.overlay.sheet import draw_sheet

__all__ = [
    "Difference",
    "Matrix",
    "Pixels",
    "align",
    "difference",
    "draw_sheet",
    "equal",
    "fit",
    "normalised",
    "outline",
    "refined",
]
