"""Matches to stored groups; early groups while a scan still reads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from image_duplicate_finder.grouping import group, similar_groups
from image_duplicate_finder.model import Group, GroupKind
from image_duplicate_finder.scan.arranged import arrange_again, arranged_in
from image_duplicate_finder.scan.basis import verifier_name
from image_duplicate_finder.scan.deciding import Judged, judged
from image_duplicate_finder.scan.matching import quick_matches
from image_duplicate_finder.scan.similar import look_alikes
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.wording import describe

_FIRST_PREVIEW_SECONDS = 4.0
_NOTHING_YET_SECONDS = 1.0
_PREVIEW_GROWTH = 2.0


def publish_groups(store: Store, scan: int, settings: ScanSettings, found: Judged) -> None:
    """Group what a scan found, look-alikes included, and store the groups."""
    groups = group(
        found.contents,
        found.matches,
        look_alikes(store, scan, settings),
        describe=describe,
        rules=settings.keep_rules,
        dismissed=store.decisions.dismissed_ids(),
        looks=found.looks,
    )
    _replace(store, scan, groups, tuple(GroupKind))


def publish_similar(store: Store, scan: int, settings: ScanSettings) -> None:
    """Group only the look-alikes anew: what follows when a threshold moves."""
    verifier = verifier_name(settings.mode)
    ids = {each.id for each in store.scans.contents(scan)}
    contents = judged(store, scan, store.matches.among(verifier, ids)).contents
    groups = similar_groups(
        contents,
        store.matches.links(verifier),
        lambda one, other: store.matches.between(verifier, one, other),
        store.matches.no_links(verifier, ids),
        look_alikes(store, scan, settings),
        describe=describe,
        rules=settings.keep_rules,
        dismissed=store.decisions.dismissed_ids(),
    )
    _replace(store, scan, groups, (GroupKind.SIMILAR,))


def _replace(store: Store, scan: int, groups: Iterable[Group], kinds: Sequence[GroupKind]) -> None:
    """Store groups in place of earlier ones, with what a person selected and arranged there."""
    with store.atomic():
        arranged = arranged_in(store, scan, kinds)
        store.groups.replace(scan, groups, kinds)
        arrange_again(store, scan, arranged)


class Preview:
    """Publishes groups of what was read so far, at growing intervals, so the cost stays small."""

    def __init__(self, store: Store, scan: int, settings: ScanSettings) -> None:
        self._store = store
        self._scan = scan
        self._settings = settings
        self._started = time.monotonic()
        self._due = self._started + _FIRST_PREVIEW_SECONDS

    def offer(self, contents: frozenset[int]) -> None:
        """Publish if it is time to: exact and near copies by perceptual hash."""
        now = time.monotonic()
        if now < self._due:
            return
        matches = quick_matches(self._store, contents)
        if not matches:  # people wait for the first group, and few files cost little
            self._due = time.monotonic() + _NOTHING_YET_SECONDS
            return
        found = judged(self._store, self._scan, matches)
        publish_groups(self._store, self._scan, self._settings, found)
        self._due = time.monotonic() + _PREVIEW_GROWTH * (time.monotonic() - self._started)
