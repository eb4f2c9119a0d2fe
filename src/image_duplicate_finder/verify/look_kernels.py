"""Compiled loops of closer looks. Imported when two pictures are looked at.

Planes are float32 (h, w); masks are uint8, 1 where both pictures are and 0 elsewhere. As in
:mod:`~image_duplicate_finder.verify.pixel_kernels`, inner loops use unsigned indices.
"""

from __future__ import annotations

import numpy as np

from image_duplicate_finder.fingerprint.kernels import compiled_loop

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable,assignment"


@compiled_loop(error_model="numpy")
def split(picture, values, means, squares):
    """The channels of a picture (h, w, n) one by one: their ``values`` (n, h, w), and of each two
    by two pixels the ``means`` and those of the ``squares``; at the rim the last comes twice.
    """
    height, width, count = picture.shape
    quarter = np.float32(0.25)
    pairs = np.uintp(width // 2)
    one, last = np.uintp(1), np.uintp(width - 1)
    for row in range(means.shape[1]):
        top, below = 2 * row, min(2 * row + 1, height - 1)
        for channel in range(count):
            upper, lower = values[channel, top], values[channel, below]
            for x in range(np.uintp(width)):
                upper[x] = picture[top, x, channel]
            for x in range(np.uintp(width)):
                lower[x] = picture[below, x, channel]
            mean, square = means[channel, row], squares[channel, row]
            for x in range(pairs):
                a, b = upper[x + x], upper[x + x + one]
                c, d = lower[x + x], lower[x + x + one]
                mean[x] = ((a + b) + (c + d)) * quarter
                square[x] = ((a * a + b * b) + (c * c + d * d)) * quarter
            if width % 2:
                a, c = upper[last], lower[last]
                mean[pairs] = ((a + a) + (c + c)) * quarter
                square[pairs] = ((a * a + a * a) + (c * c + c * c)) * quarter


@compiled_loop(error_model="numpy")
def deviate(squares, levels):
    """Make ``squares``, means of squares around each place, standard deviations around it."""
    zero = np.float32(0)
    for row in range(np.uintp(len(squares))):
        for x in range(np.uintp(squares.shape[1])):
            level = levels[row, x]
            left = squares[row, x] - level * level
            squares[row, x] = np.sqrt(left if left > zero else zero)


@compiled_loop(error_model="numpy")
def count_sizes(difference, steps, mask, every, first_cell, a_level, counts, among):
    """Count the sizes of differences by activity, at every so many pixels of a mask.

    ``steps`` are of two by two pixels each, ``first_cell`` is where those of each step are counted
    in ``counts``, ``a_level`` how many cells a grey level has, and ``among`` counts steps alone.
    """
    height, width = difference.shape
    a_level, last = np.float32(a_level), np.float32(counts.shape[1] - 1)
    flat = counts.reshape(-1)
    row, x = 0, 0
    while row < height:
        if mask[row, x]:
            size = abs(difference[row, x]) * a_level
            size = size if size < last else last
            step = steps[row >> 1, x >> 1]
            flat[first_cell[step] + np.int64(size)] += 1
            among[step] += 1
        x += every
        while x >= width:
            x -= width
            row += 1


@compiled_loop(error_model="numpy")
def find_quantiles(counts, part, least, values):
    """In which cell the quantile ``part`` of each row of counts lies, and how far within it.

    Rows with fewer than ``least`` are left out. Returns how many ``values`` are filled in.
    """
    found = 0
    for row in counts:
        total = row.sum()
        if total < least:
            continue
        rank = part * total
        below, cell = 0, 0
        while below + row[cell] < rank:
            below += row[cell]
            cell += 1
        values[found] = cell + (rank - below) / row[cell]
        found += 1
    return found


@compiled_loop(error_model="numpy")
def exceed(difference, steps, expected, mask, strongest):
    """Raise ``strongest`` to how many times ``difference`` is what is expected by activity."""
    height, width = difference.shape
    usual = np.empty(width + 1, np.float32)
    one = np.uintp(1)
    for row in range(height):
        if row % 2 == 0:
            line = steps[row >> 1]
            for x in range(np.uintp(len(line))):
                usual[x + x] = usual[x + x + one] = expected[line[x]]
        own, inside, most = difference[row], mask[row], strongest[row]
        for x in range(np.uintp(width)):
            times = abs(own[x]) / usual[x] * np.float32(inside[x])
            most[x] = times if times > most[x] else most[x]


@compiled_loop(error_model="numpy", fastmath={"contract"})
def leave_unexplained(difference, mask, most, cosines, left, top, found):
    """What remains of a difference when each term of a block gives way by up to ``most`` (8, 8).

    ``cosines`` (8, 8) transform a block; the first whole one starts at ``left`` and ``top``.
    Blocks at the rim are filled up with the pixels beside.
    """
    height, width = difference.shape
    back = np.ascontiguousarray(cosines.T)
    start = left - 8 if left else 0
    blocks = (width - start + 7) // 8
    # A row of blocks at a time, by columns, rows and blocks: so all blocks take the same steps.
    pixels = np.empty((8, 8, blocks), np.float32)
    terms = np.empty((8, 8, blocks), np.float32)
    for first in range(top - 8 if top else 0, height, 8):
        for row in range(8):
            y = min(max(first + row, 0), height - 1)
            for column in range(8):
                values = pixels[column, row]
                for k in range(blocks):
                    x = min(max(start + 8 * k + column, 0), width - 1)
                    values[k] = difference[y, x] * np.float32(mask[y, x])
        _combine(cosines, pixels.reshape(8, -1), terms.reshape(8, -1))
        for column in range(8):
            _combine(cosines, terms[column], pixels[column])
            for row in range(8):
                values, limit = pixels[column, row], most[row, column]
                for k in range(np.uintp(blocks)):
                    explained = min(max(values[k], -limit), limit)
                    values[k] -= explained
            _combine(back, pixels[column], terms[column])
        _combine(back, terms.reshape(8, -1), pixels.reshape(8, -1))
        for row in range(max(0, -first), min(8, height - first)):
            for x in range(width):
                found[first + row, x] = pixels[(x - start) % 8, row, (x - start) // 8]


@compiled_loop(error_model="numpy", fastmath={"contract"})
def _combine(factors, rows, sums):
    """The sums of eight rows by the factors of each."""
    for i in range(8):
        a, b, c, d = factors[i, 0], factors[i, 1], factors[i, 2], factors[i, 3]
        e, f, g, h = factors[i, 4], factors[i, 5], factors[i, 6], factors[i, 7]
        for k in range(np.uintp(rows.shape[1])):
            sums[i, k] = (
                a * rows[0, k] + b * rows[1, k] + c * rows[2, k] + d * rows[3, k]
                + e * rows[4, k] + f * rows[5, k] + g * rows[6, k] + h * rows[7, k]
            )  # fmt: skip


@compiled_loop(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def weigh(x, y, gain, offset, scale):
    """Means of ``x`` and ``y``, the spread of ``x``, what varies along with it, and all weights.

    What is far from ``gain`` and ``offset``, by ``scale``, weighs little.
    """
    weights = np.empty(len(x))
    total, mean_x, mean_y = 0.0, 0.0, 0.0
    for k in range(np.uintp(len(x))):
        left = (y[k] - gain * x[k] - offset) / scale
        near = 1 + left * left
        weight = 1 / (near * near)
        weights[k] = weight
        total += weight
        mean_x += weight * x[k]
        mean_y += weight * y[k]
    mean_x /= total
    mean_y /= total
    spread, along = 0.0, 0.0
    for k in range(np.uintp(len(x))):
        weighted = weights[k] * (x[k] - mean_x)
        spread += weighted * (x[k] - mean_x)
        along += weighted * (y[k] - mean_y)
    return mean_x, mean_y, spread, along, total
