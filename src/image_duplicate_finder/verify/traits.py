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
_LEAST_CONTRAST = 3.0
_SHIFTS = 3
_PEAK = 3
# What differs so much, in units of the contrast, is no period, whatever half a pixel changes.
_FAR_OFF = 1.8
_SUBPIXEL = ((0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5))


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
    correlation = _self_correlation(_box(grey, mask))
    return 0.0 if correlation is None else max(0.0, float(correlation.max()))


def self_difference(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """How much the part of ``grey`` in ``mask`` differs from itself after the likeliest shifts.

    Of the shifts at which it agrees best with itself, the one that leaves the smallest
    difference counts: where that is largest, in units of the contrast. Near 0 for tiles, which
    fit anywhere, and 0 for what is too flat or too small to tell.
    """
    part = _box(grey, mask)
    correlation = _self_correlation(part)
    if correlation is None:
        return 0.0
    contrast = max(_LEAST_CONTRAST, float(part.std()))
    smooth = np.asarray(cv2.GaussianBlur(part, (0, 0), 1), np.float32)
    least = np.inf
    for _ in range(_SHIFTS):
        down, across = np.unravel_index(int(correlation.argmax()), correlation.shape)
        apart = _shifted_difference(smooth, int(down), int(across), _FAR_OFF * contrast)
        least = min(least, apart / contrast)
        _forget(correlation, int(down), int(across))
    return least


def _box(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _self_correlation(part: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """The autocorrelation at every (circular) shift that counts, -1 at the others."""
    height, width = part.shape
    if min(height, width) < 4 * _NEAREST:
        return None
    window, overlap, away = _windows(height, width)
    detail = (part - cv2.GaussianBlur(part, (0, 0), 8)) * window
    spectrum = cv2.dft(detail)
    correlation = cv2.idft(cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True), flags=cv2.DFT_SCALE)
    if correlation[0, 0] < 1e-3:
        return None
    return np.where(away, correlation / correlation[0, 0] / overlap, -1.0)


def _shifted_difference(
    smooth: NDArray[np.float32], down: int, across: int, far_off: float
) -> float:
    """The largest difference, over 8 x 8 pixels, to the same part shifted by about that much.

    A period need not be a whole number of pixels: half a pixel to each side is tried too, where
    the difference is not above ``far_off`` anyway.
    """
    height, width = smooth.shape
    down, across = (
        (down if down <= height // 2 else down - height),
        (across if across <= width // 2 else across - width),
    )
    least = np.inf
    for step in _SUBPIXEL:
        matrix = np.array([[1, 0, across + step[0]], [0, 1, down + step[1]]], np.float32)
        moved = cv2.warpAffine(smooth, matrix, (width, height), flags=cv2.INTER_LINEAR)
        top, bottom = max(0, down) + 1, height + min(0, down) - 1
        left, right = max(0, across) + 1, width + min(0, across) - 1
        apart = cv2.absdiff(smooth, moved)[top:bottom, left:right]
        least = min(least, float(cv2.blur(apart, (_NEAREST, _NEAREST)).max()))
        if least > far_off:
            break
    return least


def _forget(correlation: NDArray[np.float64], down: int, across: int) -> None:
    """Take a peak and its mirror image out, so that the next one is found."""
    height, width = correlation.shape
    rows, columns = np.arange(-_PEAK, _PEAK + 1), np.arange(-_PEAK, _PEAK + 1)
    for sign in (1, -1):
        near = np.ix_((sign * down + rows) % height, (sign * across + columns) % width)
        correlation[near] = -1.0


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
