"""The facade that the command line, the web app and Python programs share.

A library is a folder that remembers files, fingerprints, matches, groups and decisions. All
methods may be called from any thread; scans and removals of one library exclude each other,
also between programs.
"""

from image_duplicate_finder.library.bulk_rules import BulkRules
from image_duplicate_finder.library.opened import default_folder
from image_duplicate_finder.library.removals import Removals

__all__ = ["Library", "default_folder"]


class Library(BulkRules, Removals):
    """One library; use :meth:`open`, and close it or use it as a context manager."""
