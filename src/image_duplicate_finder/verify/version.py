"""The version of verification, apart from it: to ask for it loads nothing."""

VERSION = 10
"""To be raised when a pair may be judged differently: stored results are then not used again."""
