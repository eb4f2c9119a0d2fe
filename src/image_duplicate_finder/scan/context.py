"""What all stages of one scan share, and the digest of everything that its groups depend on."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from blake3 import blake3

from image_duplicate_finder.fingerprint.specs import COLOUR, FACTS, KEYPOINTS, PERCEPTUAL, PROOF
from image_duplicate_finder.progress import CancelToken, Progress, Stage, Step, silent
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import ScanFile, Store
from image_duplicate_finder.verify import LOOK_VERSION, VERSION

# Settings that say how the work is done: no result depends on them.
_HOW = ("jobs", "limits", "gpu", "engine", "address", "parquet")
# The last format of marshal without back-references: equal rows always give equal bytes.
_PLAIN = 2
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class ScanContext:
    """One scan: where its results are stored, what was asked for, and who watches or stops it."""

    store: Store
    scan: int
    settings: ScanSettings
    progress: Progress = silent
    cancel: CancelToken = field(default_factory=CancelToken)

    @property
    def verifier(self) -> str:
        """The name under which verified pairs are stored."""
        return verifier_name(self.settings.mode)

    def report(
        self,
        stage: Stage,
        done: int = 0,
        total: int | None = None,
        *,
        current: str = "",
        failures: int = 0,
    ) -> None:
        """Report how far a stage has come."""
        self.progress(Step(stage, done, total, current, failures))


def verifier_name(mode: Mode) -> str:
    """Names the verification whose results can be used again: its mode and all versions."""
    versions = (
        VERSION,
        LOOK_VERSION,
        *(kind.version for kind in (KEYPOINTS, PERCEPTUAL, PROOF, COLOUR)),
    )
    return "-".join((mode.value, *map(str, versions)))


def inputs_digest(context: ScanContext, roots: Sequence[str], files: Iterable[ScanFile]) -> bytes:
    """A digest of everything that a scan's groups depend on: equal inputs, equal groups.

    ``files`` are those that the scan covers, by id. The roots are included since the record of a
    scan names them.
    """
    settings = context.settings
    digest = blake3()
    relevant = settings.to_dict() | dict.fromkeys(_HOW)
    digest.update(json.dumps([list(roots), relevant], sort_keys=True).encode())
    digest.update(f"{context.verifier} {FACTS.version}".encode())
    remaining = iter(files)
    while rows := list(islice(remaining, _ROWS_AT_ONCE)):
        digest.update(marshal.dumps(rows, _PLAIN))
    for pair in sorted(context.store.decisions.dismissed_ids()):
        digest.update(repr(pair).encode())
    return digest.digest()
