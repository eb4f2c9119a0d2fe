"""Compiled searches for neighbours: of hashes in one band, and of vectors by cells.

Imported only when there are hashes or many vectors to search. Functions are at the top level of
the module: numba's cache never finds again what was compiled inside a function and refers to
another compiled function.
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


@compiled_loop(fastmath={"contract", "reassoc", "nsz"})
def _products(x, y, across, of_x, of_y):
    """The inner products of ``x`` (d,) and of ``y`` with the columns of ``across`` (d, n).

    Two vectors by four rows at a time: each value that is read is used for as many sums as the
    registers hold.
    """
    of_x[:] = np.float32(0)
    of_y[:] = np.float32(0)
    whole = len(x) // 4 * 4
    for k in range(0, whole, 4):
        x0, x1, x2, x3 = x[k], x[k + 1], x[k + 2], x[k + 3]
        y0, y1, y2, y3 = y[k], y[k + 1], y[k + 2], y[k + 3]
        row0, row1, row2, row3 = across[k], across[k + 1], across[k + 2], across[k + 3]
        for j in range(across.shape[1]):
            a, b, c, d = row0[j], row1[j], row2[j], row3[j]
            of_x[j] += x0 * a + x1 * b + x2 * c + x3 * d
            of_y[j] += y0 * a + y1 * b + y2 * c + y3 * d
    for k in range(whole, len(x)):
        for j in range(across.shape[1]):
            of_x[j] += x[k] * across[k, j]
            of_y[j] += y[k] * across[k, j]


@compiled_loop()
def insert(values, numbers, value, number):
    """Put a value and its number in their place among ``values`` in falling order.

    The last of them drops out. A change here takes one of :mod:`visual_word_kernels` too: what is
    compiled of this is kept with the loops that call it.
    """
    place = len(values) - 1
    while place > 0 and values[place - 1] < value:
        values[place] = values[place - 1]
        numbers[place] = numbers[place - 1]
        place -= 1
    values[place] = value
    numbers[place] = number


@compiled_loop()
def _offer(products, members, own, limit, rows, cosines):
    """Put those of ``members`` that are near among the nearest of vector ``own``."""
    last = len(cosines) - 1
    for j in range(len(members)):
        cosine = products[j]
        if cosine < limit or cosine <= cosines[last] or members[j] == own:
            continue
        insert(cosines, rows, cosine, members[j])


@compiled_loop()
def nearest(vectors, asked, probes, members, starts, limit, rows, cosines):
    """Fill ``rows`` and ``cosines`` (q, k) with the nearest of the vectors ``asked``, best first.

    ``vectors`` (N, d) float32; ``asked`` (q,) int64 rows of them; ``probes`` (q, p) the cells to
    look at for each; ``members[starts[c] : starts[c + 1]]`` are the rows in cell c. No vector is
    its own neighbour, none is below ``limit``. ``cosines`` holds -inf, ``rows`` -1 at first.

    A cell is laid out once for all who look at it.
    """
    cells = len(starts) - 1
    ends = np.zeros(cells + 1, np.int64)
    for q in range(len(asked)):
        for cell in probes[q]:
            ends[cell + 1] += 1
    for cell in range(cells):
        ends[cell + 1] += ends[cell]
    lookers = np.empty(ends[cells], np.int32)
    for q in range(len(asked)):
        for cell in probes[q]:
            lookers[ends[cell]] = q
            ends[cell] += 1
    begin = 0
    for cell in range(cells):
        who, begin = lookers[begin : ends[cell]], ends[cell]
        here = members[starts[cell] : starts[cell + 1]]
        if len(who) == 0 or len(here) == 0:
            continue
        # Columns up to a whole number of vector registers.
        across = np.zeros((vectors.shape[1], (len(here) + 7) // 8 * 8), np.float32)
        for j in range(len(here)):
            for k in range(vectors.shape[1]):
                across[k, j] = vectors[here[j], k]
        of_x, of_y = np.empty(across.shape[1], np.float32), np.empty(across.shape[1], np.float32)
        for k in range(0, len(who), 2):
            x, y = who[k], who[min(k + 1, len(who) - 1)]
            _products(vectors[asked[x]], vectors[asked[y]], across, of_x, of_y)
            _offer(of_x, here, asked[x], limit, rows[x], cosines[x])
            if x != y:
                _offer(of_y, here, asked[y], limit, rows[y], cosines[y])
