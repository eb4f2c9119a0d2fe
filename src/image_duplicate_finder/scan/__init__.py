"""The pipeline from folders to groups."""

from image_duplicate_finder.scan.pipeline import run_scan

__all__ = ["run_scan"]
