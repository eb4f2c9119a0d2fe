"""The pipeline from folders to groups."""

from image_duplicate_finder.scan.pipeline import check_model, run_scan

__all__ = ["check_model", "run_scan"]
