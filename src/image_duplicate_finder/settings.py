"""Settings, validated once where they enter the program and trusted after that."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import Problem

Named = TypeVar("Named", bound=StrEnum)

DEFAULT_PORT = 5501
"""Where the web app listens."""

DEFAULT_ESIMILARITY_THRESHOLD = 0.5
DEFAULT_CSIMILARITY_THRESHOLD = 0.9

SIMILARITY_PRESETS: dict[str, tuple[float, float]] = {
    "strict": (0.1, 0.95),
    "balanced": (DEFAULT_ESIMILARITY_THRESHOLD, DEFAULT_CSIMILARITY_THRESHOLD),
    "lenient": (1.0, 0.7),
}
"""Named pairs of the Euclidean and the cosine threshold, from few similar pictures to many."""


class Mode(StrEnum):
    """How hard a scan looks.

    ``quick``: exact and perceptual hashes in 8 orientations. ``standard``: all detectors.
    ``thorough``: more keypoints and lower limits, for small pictures inside large ones.
    """

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"


class Engine(StrEnum):
    """Who does a scan's work: ``local``, this machine's cores; ``ray``, a Ray cluster's."""

    LOCAL = "local"
    RAY = "ray"


def _named(kind: type[Named], value: str, what: str) -> Named:
    try:
        return kind(value)
    except ValueError as error:
        message = Problem.NOT_ONE_OF(name=what, names=", ".join(kind), value=repr(value))
        raise UsageError(message) from error


class BackupMode(StrEnum):
    """What a backup preserves (rule 5 of docs/safety.md)."""

    AUTO = "auto"
    FULL = "full"
    REMOVED = "removed"


class RemovalAction(StrEnum):
    """What happens to a file that a plan removes."""

    BACKUP = "backup"
    HARDLINK = "hardlink"
    REFLINK = "reflink"
    SYMLINK = "symlink"
    TRASH = "trash"


class KeepRule(StrEnum):
    """One reason to prefer a file as keeper; rules are compared in the order given."""

    PROTECTED = "protected"
    WHOLE = "whole"
    COMPLETE = "complete"
    ORIGINAL = "original"
    DETAIL = "detail"
    PIXELS = "pixels"
    QUALITY = "quality"
    METADATA = "metadata"
    COMPANIONS = "companions"
    OLDER = "older"
    NAME = "name"


DEFAULT_KEEP_RULES: tuple[KeepRule, ...] = tuple(KeepRule)
# What earlier versions stored where nobody had chosen an order.
_EARLIER_DEFAULT = ("protected", "whole", "pixels", "quality", "metadata", "older", "name")


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one file may cost. Beyond it the file becomes a failure with a reason.

    ``pixels`` per picture, ``bytes`` per file, ``seconds`` per file, ``memory`` in bytes per
    worker process (where the system can enforce it).
    """

    pixels: int = 500_000_000
    bytes: int = 2 * 1024**3
    seconds: float = 60.0
    memory: int = 4 * 1024**3

    def __post_init__(self) -> None:
        for name in ("pixels", "bytes", "seconds", "memory"):
            if getattr(self, name) <= 0:
                raise UsageError(Problem.NOT_ABOVE_ZERO(name=repr(name)))


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """Everything that decides what a scan does.

    ``esimilarity_threshold``: Euclidean distance of L2-normalised feature vectors, 0 to 2 in
    theory, 0 to 1 here; lower is stricter. ``csimilarity_threshold``: cosine similarity, 0 to
    1; higher is stricter. ``protected`` folders are never removed from; ``compare_only``
    folders are searched, but nothing in them is offered for removal, and they do not count as
    scanned. ``exclude`` holds gitignore-style patterns. ``jobs`` is the number of worker processes
    (``None``: one per core). ``model`` names an ONNX file to use instead of the built-in one,
    ``gpu`` runs it on a CUDA device where there is one. ``engine``: who does the work;
    with ``ray``, ``address`` names a running cluster (``None``: one of its own on this machine)
    and ``parquet`` a folder or URL that all its machines reach, where fingerprints are written.
    """

    mode: Mode = Mode.STANDARD
    esimilarity_threshold: float = DEFAULT_ESIMILARITY_THRESHOLD
    csimilarity_threshold: float = DEFAULT_CSIMILARITY_THRESHOLD
    recursive: bool = True
    hidden: bool = False
    exclude: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    compare_only: tuple[str, ...] = ()
    keep_rules: tuple[KeepRule, ...] = DEFAULT_KEEP_RULES
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    jobs: int | None = None
    model: str | None = None
    gpu: bool = False
    engine: Engine = Engine.LOCAL
    address: str | None = None
    parquet: str | None = None

    def __post_init__(self) -> None:
        # Programs may write these as plain words.
        object.__setattr__(self, "mode", _named(Mode, self.mode, "mode"))
        object.__setattr__(self, "engine", _named(Engine, self.engine, "engine"))
        for name in ("esimilarity_threshold", "csimilarity_threshold"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise UsageError(Problem.NOT_A_SHARE(name=name, value=value))
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(Problem.TOO_FEW_JOBS(value=self.jobs))
        if self.engine is Engine.LOCAL and (self.address or self.parquet):
            raise UsageError(Problem.ONLY_FOR_RAY())
        if self.engine is Engine.RAY and self.gpu:
            raise UsageError(Problem.ONLY_FOR_LOCAL())
        if self.address and not self.parquet:
            raise UsageError(Problem.CLUSTER_WITHOUT_PARQUET())

    @property
    def guarded(self) -> tuple[str, ...]:
        """All folders that nothing is removed from."""
        return (*self.protected, *self.compare_only)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ScanSettings:
        """The settings that :meth:`to_dict` wrote; unknown names are an error."""
        known = dict(values)
        try:
            known["mode"] = Mode(known.get("mode", Mode.STANDARD))
            known["engine"] = Engine(known.get("engine", Engine.LOCAL))
            rules = tuple(KeepRule(rule) for rule in known.get("keep_rules", DEFAULT_KEEP_RULES))
            known["keep_rules"] = DEFAULT_KEEP_RULES if rules == _EARLIER_DEFAULT else rules
            known["limits"] = DecodeLimits(**known.get("limits", {}))
            for name in ("exclude", "protected", "compare_only"):
                known[name] = tuple(known.get(name, ()))
            return cls(**known)
        except (TypeError, ValueError) as error:
            raise UsageError(Problem.SETTINGS(reason=str(error))) from error
