"""Names and versions of fingerprints, and the description of the model that makes embeddings.

Apart from the modules that compute them, which load NumPy and OpenCV: a scan that finds nothing
new needs neither. A version is raised when what is computed changes.
"""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import blake3

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.model import UNCALIBRATED, Calibration
from image_duplicate_finder.settings import DecodeLimits, Mode, ScanSettings


class Kind(NamedTuple):
    """The name and version of a kind of fingerprint."""

    name: str
    version: int


PERCEPTUAL = Kind("perceptual", 2)
PROOF = Kind("proof", 1)
KEYPOINTS = Kind("keypoints", 3)
_THOROUGH_KEYPOINTS = Kind("keypoints:thorough", KEYPOINTS.version)
COLOUR = Kind("colour", 1)
PIXELS = Kind("pixels", 1)
FACTS = Kind("facts", 2)
"""Says of which version the facts are that are stored of a content (:class:`model.ImageInfo`);
its data is the digest of the coded data, empty where a format has none."""
SEEN = Kind("seen", 1)
_EMBEDDING_VERSION = 1


@dataclass(frozen=True, slots=True)
class Specs:
    """Which fingerprints are wanted, within which limits of decoding.

    ``model`` is an ONNX path, "" the built-in model.

    ``squeeze_only`` leaves the network to the caller, who runs it on a GPU for many pictures at
    once: in place of the vector comes the picture at the model's size, RGB, as bytes.
    ``pixels`` asks for the hash of the full-size pixels and nothing else: it needs a full
    decode, so it is computed only for the few pictures that may be pixel-identical.
    """

    mode: Mode
    model: str = ""
    squeeze_only: bool = False
    pixels: bool = False
    limits: DecodeLimits = field(default_factory=DecodeLimits)

    @classmethod
    def of(cls, settings: ScanSettings) -> Specs:
        """The fingerprints that a scan with these settings needs."""
        return cls(settings.mode, settings.model or "", limits=settings.limits)

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
        found = FACTS, PERCEPTUAL, PROOF, keypoint_kind(self.mode), COLOUR
        return (*found, self.embedding()) if can_embed() else found


@lru_cache(maxsize=1)
def can_embed() -> bool:
    """Whether this installation can run a network: not every system has ONNX Runtime."""
    return importlib.util.find_spec("onnxruntime") is not None


def keypoint_kind(mode: Mode) -> Kind:
    """Thorough mode keeps more keypoints, under a name of their own."""
    return _THOROUGH_KEYPOINTS if mode is Mode.THOROUGH else KEYPOINTS


_LAYOUTS = ("NCHW", "NHWC")
_COLOURS = ("RGB", "BGR")
_CARD_KEYS = {"width", "height", "layout", "colour", "mean", "scale", "output"}
_CARD_OPTIONS = {"calibration"}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """How pictures enter a model and which of its outputs is the vector.

    The network gets ``(pixel - mean) * scale`` per channel, pixels from 0 to 255, at ``width``
    by ``height``, channels in the order ``colour`` ("RGB" or "BGR"), axes in the order
    ``layout`` ("NCHW" or "NHWC"). ``calibration`` maps the distances of its vectors to those
    that the two thresholds speak of.
    """

    width: int
    height: int
    layout: str
    colour: str
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    output: str
    calibration: Calibration = UNCALIBRATED


@lru_cache(maxsize=4)
def fingerprint_name(model: Path | None = None) -> str:
    """The name under which a model's vectors are stored: those of two models never mix.

    Loads no session. Raises :class:`UsageError` when the files cannot be read.
    """
    path = model if model is not None else built_in_model()
    card = read_card(path)
    return f"embedding:{model_key(read_model(path), card)}"


def calibration(model: Path | None = None) -> Calibration:
    """How the distances of a model's vectors are to be read. Loads no session.

    Raises :class:`UsageError` when the JSON beside the model cannot be used.
    """
    return card_of(model).calibration


@lru_cache(maxsize=4)
def card_of(model: Path | None = None) -> ModelCard:
    """The description beside a model. Loads no session.

    Raises :class:`UsageError` when the JSON beside the model cannot be used.
    """
    path = model if model is not None else built_in_model()
    return read_model_card(read_card(path), path.with_suffix(".json"))


def model_key(model: bytes, card: bytes) -> str:
    """A digest (16 hex digits) of a model and its description."""
    return blake3.blake3(model + card).hexdigest(length=8)


def read_model_card(data: bytes, path: Path) -> ModelCard:
    """Parse and check the JSON beside a model; ``path`` is for messages only.

    It is an object with ``width`` and ``height`` (pixels), ``layout``, ``colour``, ``mean`` and
    ``scale`` (three numbers each), ``output`` (the output's name in the ONNX file) and, where
    wanted, ``calibration``: an object with ``scale`` and ``power``, both greater than 0.
    Raises :class:`UsageError`.
    """
    try:
        values: Any = json.loads(data)
    except ValueError as error:
        raise UsageError(Problem.CARD_NOT_JSON(path=str(path), reason=str(error))) from error
    if not isinstance(values, dict):
        raise UsageError(Problem.CARD_NO_OBJECT(path=str(path)))
    if missing := _CARD_KEYS - values.keys():
        raise UsageError(Problem.CARD_LACKS(path=str(path), names=", ".join(sorted(missing))))
    if unknown := values.keys() - _CARD_KEYS - _CARD_OPTIONS:
        raise UsageError(Problem.CARD_UNKNOWN(path=str(path), names=", ".join(sorted(unknown))))
    return ModelCard(
        width=_card_side(values["width"], "width", path),
        height=_card_side(values["height"], "height", path),
        layout=_choice(values["layout"], _LAYOUTS, "layout", path),
        colour=_choice(values["colour"], _COLOURS, "colour", path),
        mean=_three(values["mean"], "mean", path),
        scale=_three(values["scale"], "scale", path),
        output=str(values["output"]),
        calibration=_calibration(values.get("calibration", {"scale": 1, "power": 1}), path),
    )


def built_in_model() -> Path:
    """The ONNX file of the package."""
    # Imported here: it is slow, and many scans need no model.
    from importlib.resources import files

    return Path(str(files("image_duplicate_finder.fingerprint") / "models" / "lite0.onnx"))


def read_model(path: Path) -> bytes:
    """The bytes of a model. Raises UsageError."""
    return _read(path, Problem.MODEL_UNREADABLE)


def read_card(model: Path) -> bytes:
    """The bytes of the JSON beside a model. Raises UsageError."""
    return _read(model.with_suffix(".json"), Problem.CARD_UNREADABLE)


def _read(path: Path, unreadable: Problem) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(unreadable(path=str(path), reason=reason)) from error


def _card_side(value: Any, name: str, path: Path) -> int:
    if type(value) is not int or not 8 <= value <= 2048:
        raise UsageError(Problem.CARD_SIDE(name=name, path=str(path)))
    return value


def _choice(value: Any, allowed: tuple[str, str], name: str, path: Path) -> str:
    if value not in allowed:
        first, second = allowed
        message = Problem.CARD_CHOICE(name=name, path=str(path), first=first, second=second)
        raise UsageError(message)
    return str(value)


def _calibration(value: Any, path: Path) -> Calibration:
    if not isinstance(value, dict) or value.keys() != {"scale", "power"}:
        raise UsageError(Problem.CARD_CALIBRATION(path=str(path)))
    for number in value.values():
        if type(number) not in (int, float) or not 0 < number < 100:
            raise UsageError(Problem.CARD_CALIBRATION_RANGE(path=str(path)))
    return Calibration(float(value["scale"]), float(value["power"]))


def _three(value: Any, name: str, path: Path) -> tuple[float, float, float]:
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not all(type(v) in (int, float) and math.isfinite(v) for v in value)
    ):
        raise UsageError(Problem.CARD_THREE(name=name, path=str(path)))
    return float(value[0]), float(value[1]), float(value[2])
