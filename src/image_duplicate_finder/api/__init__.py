"""The shortest way in for Python programs."""

from image_duplicate_finder.api.calls import compare, find_duplicates, leakage
from image_duplicate_finder.api.comparison import Comparison
from image_duplicate_finder.api.leaks import LeakageResult
from image_duplicate_finder.api.scan_result import NotebookGroup, ScanResult

__all__ = [
    "Comparison",
    "LeakageResult",
    "NotebookGroup",
    "ScanResult",
    "compare",
    "find_duplicates",
    "leakage",
]
