"""The shortest way in for Python programs."""

from image_duplicate_finder.api.calls import compare, find_duplicates, leakage
from image_duplicate_finder.api.results import (
    Comparison,
    LeakageResult,
    NotebookGroup,
    ScanResult,
)

__all__ = [
    "Comparison",
    "LeakageResult",
    "NotebookGroup",
    "ScanResult",
    "compare",
    "find_duplicates",
    "leakage",
]
