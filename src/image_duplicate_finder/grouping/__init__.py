"""Matches to groups: stars around a keeper, whatever the order of files. Pure.

A member of a group was matched directly against its keeper, so one odd match cannot chain two
families together. Pictures that match but hang on no common keeper form groups of their own.
"""

from image_duplicate_finder.grouping.contents import Content, rank_of
from image_duplicate_finder.grouping.grouped import (
    Describe,
    duplicate_groups,
    group,
    similar_groups,
)

__all__ = [
    "Content",
    "Describe",
    "duplicate_groups",
    "group",
    "rank_of",
    "similar_groups",
]
