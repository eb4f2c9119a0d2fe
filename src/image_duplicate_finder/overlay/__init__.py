"""Two full-size pictures laid over each other, for people to look at."""

from image_duplicate_finder.overlay.alignment import (
    Difference,
    Matrix,
    Pixels,
    align,
    difference,
    draw_sheet,
    equal,
    fit,
    normalised,
    outline,
    refined,
)

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
