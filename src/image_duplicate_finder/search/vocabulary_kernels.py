"""Compiled: the words of codes, and posting lists of words. Imported only when words are needed."""

from __future__ import annotations

import numpy as np
from numba import njit

from image_duplicate_finder.fingerprint.kernels import popcount

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable"

_NO_KEY = np.int32(np.iinfo(np.int32).max)


@njit(cache=True, nogil=True)
def _next_key(keys, last):
    """The least of ``keys`` above ``last``: one pass without branches, for vector units."""
    best = _NO_KEY
    for k in range(len(keys)):
        key = keys[k]
        best = min(best, key if key > last else _NO_KEY)
    return best


@njit(cache=True, nogil=True)
def assign(codes, coarse, fine, nearest_cells, words, distances):
    """The nearest words of codes (n, 2) uint64, the very nearest first.

    ``coarse`` (2, c) and ``fine`` (c, 2, f) are the vocabulary's two levels; the words of the
    ``nearest_cells`` nearest coarse centres are looked at. Fills ``words`` (n, m) uint16 and
    ``distances`` (n, m) uint8, in bits.
    """
    many, each = coarse.shape[1], fine.shape[2]
    # A key is a distance, and below it the place it was found at: the first of equals wins.
    coarse_keys = np.empty(many, np.int32)
    fine_keys = np.empty(nearest_cells * each, np.int32)
    cells = np.empty(nearest_cells, np.int32)
    for k in range(len(codes)):
        a0, a1 = codes[k, 0], codes[k, 1]
        for c in range(many):
            apart = np.int32(popcount(a0 ^ coarse[0, c]) + popcount(a1 ^ coarse[1, c]))
            coarse_keys[c] = apart << 16 | c
        key = np.int32(-1)
        for n in range(nearest_cells):
            key = _next_key(coarse_keys, key)
            cells[n] = key & 0xFFFF
            first, second = fine[cells[n], 0], fine[cells[n], 1]
            part = fine_keys[n * each : (n + 1) * each]
            for f in range(each):
                apart = np.int32(popcount(a0 ^ first[f]) + popcount(a1 ^ second[f]))
                part[f] = apart << 16 | n * each + f
        key = np.int32(-1)
        for m in range(words.shape[1]):
            key = _next_key(fine_keys, key)
            place = key & 0xFFFF
            words[k, m] = cells[place // each] * each + place % each
            distances[k, m] = key >> 16


@njit(cache=True, nogil=True)
def post(words, size):
    """Posting lists of words below ``size``: starts (size + 1,) and positions, ascending."""
    starts = np.zeros(size + 1, np.int64)
    for word in words:
        starts[word + 1] += 1
    for k in range(size):
        starts[k + 1] += starts[k]
    fill = starts[:-1].copy()
    positions = np.empty(len(words), np.int32)
    for k in range(len(words)):
        positions[fill[words[k]]] = k
        fill[words[k]] += 1
    return starts.astype(np.int32), positions
