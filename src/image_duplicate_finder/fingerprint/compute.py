"""All fingerprints of one picture from its bytes: one decode serves them all."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from image_duplicate_finder.decode import coded_digest, decode_small, decode_stored, read_info
from image_duplicate_finder.fingerprint import embedding, keypoints, perceptual
from image_duplicate_finder.fingerprint.appearance import (
    PROOF_SIDE,
    encode_colour,
    encode_proof,
    squeezed,
)
from image_duplicate_finder.fingerprint.specs import (
    COLOUR,
    FACTS,
    PERCEPTUAL,
    PIXELS,
    PROOF,
    Specs,
    can_embed,
    card_of,
    keypoint_kind,
)
from image_duplicate_finder.model import Fingerprint, ImageInfo
from image_duplicate_finder.settings import DecodeLimits, Mode

# The long side in pixels that decoding must deliver at least: twice that of the proof picture, or
# decoders' rounding of sizes would shift a mirrored copy by half a pixel of it.
_SIDE = 2 * PROOF_SIDE
_SIDE_THOROUGH = 480


@lru_cache(maxsize=2)
def _embedder(model: Path | None) -> embedding.Embedder:
    return embedding.Embedder(model)


def warm_up(specs: Specs) -> None:
    """Load and compile what the first picture would have to wait for.

    Raises UsageError for a model that cannot be used.
    """
    if specs.mode is not Mode.QUICK and not specs.pixels:
        keypoints.warm_up()
        if not specs.squeeze_only and can_embed():
            _embedder(specs.model_path())


def fingerprint(data: bytes, specs: Specs) -> tuple[ImageInfo, tuple[Fingerprint, ...]]:
    """Decode ``data`` once and compute what ``specs`` asks for.

    Raises DecodeError for bytes that are no picture within its limits.
    """
    limits = specs.limits
    if specs.pixels:
        digest = pixel_hash(data, limits)
        info = read_info(data, limits=limits)
        return info, (Fingerprint(*PIXELS, digest),)
    full = specs.mode is not Mode.QUICK
    long_side = _SIDE_THOROUGH if specs.mode is Mode.THOROUGH else _SIDE
    picture = decode_small(data, long_side=long_side, colour=full, limits=limits)
    grey = _to_grey(picture.pixels)
    found = [
        Fingerprint(*FACTS, coded_digest(data, picture.info)),
        Fingerprint(*PERCEPTUAL, perceptual.encode(grey)),
        Fingerprint(*PROOF, encode_proof(grey)),
    ]
    if full:
        found += _local_and_learned(picture.pixels, grey, specs)
    return picture.info, tuple(found)


def _local_and_learned(
    pixels: NDArray[np.uint8], grey: NDArray[np.uint8], specs: Specs
) -> list[Fingerprint]:
    rgb = pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    rgb = np.asarray(rgb, np.uint8)
    points = keypoints.extract(grey, thorough=specs.mode is Mode.THOROUGH)
    found = [
        Fingerprint(*keypoint_kind(specs.mode), points.to_bytes()),
        Fingerprint(*COLOUR, encode_colour(rgb)),
    ]
    if can_embed():
        found.append(Fingerprint(*specs.embedding(), _learned(rgb, specs)))
    return found


def _learned(rgb: NDArray[np.uint8], specs: Specs) -> bytes:
    if specs.squeeze_only:
        card = card_of(specs.model_path())
        return squeezed(rgb, card.width, card.height).tobytes()
    return embedding.to_bytes(_embedder(specs.model_path()).embed([rgb])[0])


def _to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.ndim == 2:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def content_hash(data: bytes) -> bytes:
    """BLAKE3 of the bytes, 32 bytes."""
    return bytes(blake3(data).digest())


def pixel_hash(data: bytes, limits: DecodeLimits) -> bytes:
    """BLAKE3 (32 bytes) of the upright full-size picture, its size, depth, alpha and profile.

    Files that differ only in metadata, in lossless compression or in how the same pixels are
    turned have the same hash; a difference in one sample of any channel changes it. Where
    there is no exact form to compare (animations, camera RAW, CMYK, wide samples outside PNG)
    the hash is of the bytes themselves. Raises DecodeError.
    """
    picture = decode_stored(data, limits=limits)
    if picture is None:
        return bytes(blake3(b"bytes" + content_hash(data)).digest())
    pixels = np.ascontiguousarray(picture.pixels)
    has_alpha = picture.alpha is not None
    hasher = blake3()
    hasher.update(struct.pack("<QQHH?", *pixels.shape, pixels.itemsize * 8, has_alpha))
    hasher.update(pixels.view(np.uint8).data)
    if picture.alpha is not None:
        hasher.update(np.ascontiguousarray(picture.alpha).data)
    hasher.update(content_hash(picture.colours))
    hasher.update(content_hash(picture.rest))
    return bytes(hasher.digest())
