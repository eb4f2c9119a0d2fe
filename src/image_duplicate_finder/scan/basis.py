"""What a scan's groups depend on: a scan that changed none of it takes over the earlier ones."""

from __future__ import annotations

import json
import marshal

from blake3 import blake3

from image_duplicate_finder.fingerprint.specs import COLOUR, KEYPOINTS, PERCEPTUAL, PROOF
from image_duplicate_finder.progress import Progress, Step
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.version import VERSION

# Settings that say how the work is done: no result depends on them.
_HOW = ("jobs", "limits", "gpu", "engine", "address", "parquet")
# The last format of marshal without back-references: equal rows always give equal bytes.
_PLAIN = 2


def verifier_name(mode: Mode) -> str:
    """Names the verification whose results can be used again: its mode and all versions."""
    versions = (VERSION, *(kind.version for kind in (KEYPOINTS, PERCEPTUAL, PROOF, COLOUR)))
    return "-".join((mode.value, *map(str, versions)))


def basis_of(store: Store, scan: int, settings: ScanSettings) -> bytes:
    """A digest of all that a scan's groups depend on: equal basis, equal groups."""
    digest = blake3()
    relevant = settings.to_dict() | dict.fromkeys(_HOW)
    digest.update(json.dumps(relevant, sort_keys=True).encode())
    digest.update(verifier_name(settings.mode).encode())
    for rows in store.scans.fixture(scan):
        digest.update(marshal.dumps(rows, _PLAIN))
    for pair in sorted(store.decisions.dismissed_ids()):
        digest.update(repr(pair).encode())
    return digest.digest()


def take_over(store: Store, scan: int, basis: bytes, progress: Progress) -> bool:
    """Give a scan the groups of an earlier one on the same basis; False where there is none."""
    earlier = store.scans.with_basis(basis)
    if earlier is None:
        return False
    progress(Step("group", 0, None))
    store.groups.copy(earlier, scan)
    return True
