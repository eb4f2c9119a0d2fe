"""Traits of what two pictures share that make agreement cheap: few tones, repetition.

Drawings, forms and pages of text agree in most blocks with others of their kind, and a repeated
pattern agrees with itself at every shift by its period. Such pictures need stricter proof.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_TONE_WIDTH = 4
_NEAREST = 8
_FARTHEST_SHARE = 0.35


def tones(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> tuple[float, float]:
    """The shares of pixels within 4 grey levels of the most common tone, and of the second.

    ``grey`` (h, w), 0 to 255, counts where ``mask`` is not 0.
    """
    values = grey[mask > 0]
    counts = np.bincount(values.astype(np.uint8), minlength=256) / max(1, len(values))
    window = np.ones(2 * _TONE_WIDTH + 1)
    shares = np.convolve(counts, window, "same")
    tone = int(shares.argmax())
    counts[max(0, tone - _TONE_WIDTH) : tone + _TONE_WIDTH + 1] = 0
    return float(shares[tone]), float(np.convolve(counts, window, "same").max())


def repetition(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """How well the part of ``grey`` in ``mask`` agrees with itself after the best shift, 0 to 1.

    Shifts of at least 8 pixels count: the highest peak of the autocorrelation there.
    """
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    part = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = part.shape
    if min(height, width) < 4 * _NEAREST:
        return 0.0
    window, overlap, away = _windows(height, width)
    detail = (part - cv2.GaussianBlur(part, (0, 0), 8)) * window
    power = np.abs(np.fft.rfft2(detail)) ** 2
    correlation = np.fft.irfft2(power, s=part.shape)
    if correlation[0, 0] < 1e-3:
        return 0.0
    return float((correlation / correlation[0, 0] / overlap)[away].max())


@lru_cache(maxsize=32)
def _windows(
    height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """A window, its own autocorrelation, and which shifts count."""
    window = np.outer(_hann(height), _hann(width))
    overlap = np.outer(_overlap(height), _overlap(width))
    down = np.minimum(np.arange(height), height - np.arange(height))[:, None]
    across = np.minimum(np.arange(width), width - np.arange(width))[None, :]
    away = (down < _FARTHEST_SHARE * height) & (across < _FARTHEST_SHARE * width)
    away &= np.hypot(down, across) > _NEAREST
    return window.astype(np.float32), np.maximum(overlap, 1e-9), away


def _hann(length: int) -> NDArray[np.float64]:
    return np.asarray(np.hanning(length + 2)[1:-1])


def _overlap(length: int) -> NDArray[np.float64]:
    """The circular autocorrelation of a window of this length, 1 without a shift."""
    window = _hann(length)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(window)) ** 2, n=length)
    return np.asarray(correlation / correlation[0])
