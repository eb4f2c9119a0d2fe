"""The compiled search of one band of hashes. Imported only when hashes are searched.

It stands at the top of a module: what numba compiles inside a function that refers to another
compiled function is never found again in its cache.
"""

from __future__ import annotations

from numba import njit, uint64

from image_duplicate_finder.fingerprint.popcount import popcount

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg"


@njit(cache=True, nogil=True)
def search_band(hashes, keys, band, starts, order, first, last, limit, found, counts, cap):
    """Pairs of rows first..last with earlier rows that first meet in this band.

    Returns how many rows of ``found`` it wrote: at most ``cap`` for each searched row.
    """
    n = 0
    for a in range(first, last):
        for orientation in range(8):
            key = keys[a, orientation, band]
            for flip in range(17):
                probe = key if flip == 0 else key ^ (1 << (flip - 1))
                for position in range(starts[probe], starts[probe + 1]):
                    b = order[position]
                    if b >= a or counts[a] >= cap:
                        break
                    distance = uint64(0)
                    for word in range(4):
                        distance += popcount(hashes[a, orientation, word] ^ hashes[b, 0, word])
                    if distance > limit:
                        continue
                    # Only the first band in which a pair meets reports it.
                    earlier = False
                    for other in range(band):
                        difference = keys[a, orientation, other] ^ keys[b, 0, other]
                        if difference & (difference - 1) == 0:
                            earlier = True
                            break
                    if earlier:
                        continue
                    found[n, 0] = a
                    found[n, 1] = b
                    found[n, 2] = orientation
                    found[n, 3] = distance
                    n += 1
                    counts[a] += 1
    return n
