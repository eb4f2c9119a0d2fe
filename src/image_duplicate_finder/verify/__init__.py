"""Verification: whether two pictures show the same, proved by geometry and pixels.

Versions are kept here, apart from the code: reading them loads nothing.
"""

LOOK_VERSION = 10
"""To be raised when a closer look may see something else (closer.py and what it calls)."""

VERSION = 15
"""To be raised when a pair may be judged differently: stored results are then not used again."""
