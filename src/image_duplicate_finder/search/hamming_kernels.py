"""The compiled search of one band of hashes. Imported only when hashes are searched.

Functions are at the top level of the module: numba's cache never finds again what was compiled
inside a function and refers to another compiled function.
"""

from __future__ import annotations

import numpy as np

from image_duplicate_finder.fingerprint.kernels import compiled_loop, popcount

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable"

_BLOCK = 64


@compiled_loop()
def search_band(table, probes, first, limit, cap, counts, found):
    """Pairs of some rows with earlier rows that first meet in this band.

    ``table`` is a :class:`hamming._Band`. ``probes`` are the rows and orientations to look up, as
    (row - ``first``) * 8 + orientation, in the order of their keys: those that follow each other
    look at the same entries.

    Writes (row, earlier row) to ``found``, at most ``cap`` for each row, which ``counts`` has from
    ``first`` on. Returns how many.
    """
    hashes, keys, band, starts, order, halves = table
    n = 0
    for probe in probes:
        a, orientation = first + probe // 8, probe % 8
        first_half, second_half = hashes[a, orientation, 0], hashes[a, orientation, 1]
        key = np.int64(keys[a, orientation, band])
        for flip in range(17):
            near_key = key if flip == 0 else key ^ (1 << (flip - 1))
            end = starts[near_key + 1]
            for block in range(starts[near_key], end, _BLOCK):
                if order[block] >= a or counts[a - first] >= cap:
                    break
                # Hardly any entry is near. All of a block are looked at without branches, which
                # the processor does for many at once; 128 bits are enough to see it.
                one = halves[0, block : min(block + _BLOCK, end)]
                two = halves[1, block : min(block + _BLOCK, end)]
                least = np.int64(256)
                for k in range(len(one)):
                    apart = np.int64(popcount(first_half ^ one[k]) + popcount(second_half ^ two[k]))
                    least = min(least, apart)
                if least > limit:
                    continue
                for k in range(len(one)):
                    b = order[block + k]
                    if b >= a or counts[a - first] >= cap:
                        break
                    distance = np.int64(0)
                    for word in range(4):
                        distance += np.int64(
                            popcount(hashes[a, orientation, word] ^ hashes[b, 0, word])
                        )
                        if distance > limit:
                            break
                    if distance > limit or _met_before(keys[a, orientation], keys[b, 0], band):
                        continue
                    found[n, 0] = a
                    found[n, 1] = b
                    n += 1
                    counts[a - first] += 1
    return n


@compiled_loop()
def _met_before(keys, others, band):
    """Whether two hashes agree up to one bit in a band before ``band``."""
    for earlier in range(band):
        difference = np.int64(keys[earlier] ^ others[earlier])
        if difference & (difference - 1) == 0:
            return True
    return False
