"""Which fingerprints a scan needs, and under which names and versions they are stored.

Apart from the modules that compute them, which load NumPy and OpenCV: a scan that finds nothing
new needs neither. A version is raised when what is computed changes.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from image_duplicate_finder.fingerprint.model_card import fingerprint_name
from image_duplicate_finder.settings import Mode, ScanSettings


class Kind(NamedTuple):
    """The name and version of a kind of fingerprint."""

    name: str
    version: int


PERCEPTUAL = Kind("perceptual", 1)
PROOF = Kind("proof", 1)
KEYPOINTS = Kind("keypoints", 3)
COLOUR = Kind("colour", 1)
PIXELS = Kind("pixels", 1)
FACTS = Kind("facts", 1)
"""Says of which version the facts are that are stored of a content (:class:`model.ImageInfo`);
its data is the digest of the coded data, empty where a format has none."""
SEEN = Kind("seen", 1)
_EMBEDDING_VERSION = 1


@dataclass(frozen=True, slots=True)
class Specs:
    """Which fingerprints are wanted. ``model`` is an ONNX path, "" the built-in model.

    ``squeeze_only`` leaves the network to the caller, who runs it on a GPU for many pictures at
    once: in place of the vector comes the picture at the model's size, RGB, as bytes.
    ``pixels`` asks for the hash of the full-size pixels and nothing else: it needs a full
    decode, so it is computed only for the few pictures that may be pixel-identical.
    """

    mode: Mode
    model: str = ""
    squeeze_only: bool = False
    pixels: bool = False

    @classmethod
    def of(cls, settings: ScanSettings) -> Specs:
        """The fingerprints that a scan with these settings needs."""
        return cls(settings.mode, settings.model or "")

    def embedding(self) -> Kind:
        """Name and version of the embedding: vectors of different models never mix."""
        return Kind(fingerprint_name(self.model_path()), _EMBEDDING_VERSION)

    def model_path(self) -> Path | None:
        """The ONNX file, None for the built-in model."""
        return Path(self.model) if self.model else None

    def wanted(self) -> tuple[Kind, ...]:
        """Every fingerprint that a picture gets."""
        if self.mode is Mode.QUICK:
            return FACTS, PERCEPTUAL, PROOF
        keypoints = Kind(keypoint_name(self.mode), KEYPOINTS.version)
        found = FACTS, PERCEPTUAL, PROOF, keypoints, COLOUR
        return (*found, self.embedding()) if can_embed() else found


@lru_cache(maxsize=1)
def can_embed() -> bool:
    """Whether this installation can run a network: not every system has ONNX Runtime."""
    return importlib.util.find_spec("onnxruntime") is not None


def keypoint_name(mode: Mode) -> str:
    """Thorough mode keeps more keypoints, under a name of their own."""
    return KEYPOINTS.name if mode is not Mode.THOROUGH else f"{KEYPOINTS.name}:thorough"
