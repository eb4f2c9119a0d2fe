"""Verification: whether two pictures show the same, proved by geometry and pixels."""

from image_duplicate_finder.verify.pair import VERSION, Side, StoredSide, verify
from image_duplicate_finder.verify.wording import describe

__all__ = ["VERSION", "Side", "StoredSide", "describe", "verify"]
