"""Find duplicate images in folders and data sets, and remove them without losing a picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime reports to its makers from the moment it is loaded, unless these say otherwise;
# here they do before any process of this program can load it. Names of its versions from 1.29.
os.environ.update(ORT_DISABLE_TELEMETRY="1", ORT_TELEMETRY_DISABLED="1")

if TYPE_CHECKING:
    from image_duplicate_finder.api import (
        Comparison,
        LeakageResult,
        ScanResult,
        compare,
        find_duplicates,
        leakage,
    )
    from image_duplicate_finder.errors import IdfError
    from image_duplicate_finder.library import Library
    from image_duplicate_finder.model import Failure, GroupKind, Match, Relation
    from image_duplicate_finder.progress import CancelToken, Step
    from image_duplicate_finder.results import FileView, GroupQuery, GroupView, MemberView, Pair
    from image_duplicate_finder.settings import DecodeLimits, Engine, KeepRule, Mode, ScanSettings

__version__ = "0.1.0"

_HOMES = {
    "CancelToken": "progress",
    "Comparison": "api",
    "DecodeLimits": "settings",
    "Engine": "settings",
    "Failure": "model",
    "FileView": "results",
    "GroupKind": "model",
    "GroupQuery": "results",
    "GroupView": "results",
    "IdfError": "errors",
    "KeepRule": "settings",
    "LeakageResult": "api",
    "Library": "library",
    "Match": "model",
    "MemberView": "results",
    "Mode": "settings",
    "Pair": "results",
    "Relation": "model",
    "ScanResult": "api",
    "ScanSettings": "settings",
    "Step": "progress",
    "compare": "api",
    "find_duplicates": "api",
    "leakage": "api",
}

__all__ = [
    "CancelToken",
    "Comparison",
    "DecodeLimits",
    "Engine",
    "Failure",
    "FileView",
    "GroupKind",
    "GroupQuery",
    "GroupView",
    "IdfError",
    "KeepRule",
    "LeakageResult",
    "Library",
    "Match",
    "MemberView",
    "Mode",
    "Pair",
    "Relation",
    "ScanResult",
    "ScanSettings",
    "Step",
    "__version__",
    "compare",
    "find_duplicates",
    "leakage",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used: ``idf --help`` needs none."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
