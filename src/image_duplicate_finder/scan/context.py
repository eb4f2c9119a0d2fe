"""What groups depend on: where none of it changed, an earlier scan stands for a new one."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterable, Sequence
from itertools import islice

from blake3 import blake3

from image_duplicate_finder.fingerprint.specs import COLOUR, FACTS, KEYPOINTS, PERCEPTUAL, PROOF
from image_duplicate_finder.progress import Progress, Step
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import FixtureRow, Store
from image_duplicate_finder.verify.version import LOOK_VERSION, VERSION

# Settings that say how the work is done: no result depends on them.
_HOW = ("jobs", "limits", "gpu", "engine", "address", "parquet")
# The last format of marshal without back-references: equal rows always give equal bytes.
_PLAIN = 2
_ROWS_AT_ONCE = 10_000


def verifier_name(mode: Mode) -> str:
    """Names the verification whose results can be used again: its mode and all versions."""
    versions = (
        VERSION,
        LOOK_VERSION,
        *(kind.version for kind in (KEYPOINTS, PERCEPTUAL, PROOF, COLOUR)),
    )
    return "-".join((mode.value, *map(str, versions)))


def basis_of(
    store: Store, roots: Sequence[str], settings: ScanSettings, files: Iterable[FixtureRow]
) -> bytes:
    """A digest of all that a scan's groups depend on: equal basis, equal groups.

    ``files`` are those that the scan covers, by id. The roots belong to it because the scan's
    record tells of them.
    """
    digest = blake3()
    relevant = settings.to_dict() | dict.fromkeys(_HOW)
    digest.update(json.dumps([list(roots), relevant], sort_keys=True).encode())
    digest.update(f"{verifier_name(settings.mode)} {FACTS.version}".encode())
    told = iter(files)
    while rows := list(islice(told, _ROWS_AT_ONCE)):
        digest.update(marshal.dumps(rows, _PLAIN))
    for pair in sorted(store.decisions.dismissed_ids()):
        digest.update(repr(pair).encode())
    return digest.digest()


def repeats(store: Store, scan: int, basis: bytes, progress: Progress) -> bool:
    """Whether an earlier scan stands on the same basis; if so, it now stands for both."""
    earlier = store.scans.with_basis(basis)
    if earlier is None:
        return False
    progress(Step("group", 0, None))
    store.scans.repeat(scan, earlier)
    return True
