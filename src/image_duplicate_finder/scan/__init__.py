"""The pipeline from folders to groups."""

from image_duplicate_finder.scan.context import ScanContext
from image_duplicate_finder.scan.pipeline import check_model, run_scan

__all__ = ["ScanContext", "check_model", "run_scan"]
