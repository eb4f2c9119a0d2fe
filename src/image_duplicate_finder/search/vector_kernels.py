"""Compiled loop of the neighbours by cells. Imported only when many vectors are searched."""

from __future__ import annotations

import numpy as np

from image_duplicate_finder.fingerprint.kernels import compiled_loop

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable"


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
def _offer(products, members, own, limit, rows, cosines):
    """Put those of ``members`` that are near among the nearest of vector ``own``."""
    last = len(cosines) - 1
    for j in range(len(members)):
        cosine = products[j]
        if cosine < limit or cosine <= cosines[last] or members[j] == own:
            continue
        place = last
        while place > 0 and cosines[place - 1] < cosine:
            cosines[place] = cosines[place - 1]
            rows[place] = rows[place - 1]
            place -= 1
        cosines[place] = cosine
        rows[place] = members[j]


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
