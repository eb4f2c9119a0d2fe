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
    one, every = np.uintp(1), np.uintp(every)
    x, end = np.uintp(0), np.uintp(width)
    for row in range(np.uintp(height)):
        own, inside, line = difference[row], mask[row], steps[row >> one]
        while x < end:
            if inside[x]:
                size = abs(own[x]) * a_level
                size = size if size < last else last
                step = np.uintp(line[x >> one])
                flat[np.uintp(first_cell[step]) + np.uintp(np.int32(size))] += 1
                among[step] += 1
            x += every
        x -= end


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


@compiled_loop(error_model="numpy")
def find_edges(plane, least, most, found):
    """Places within a plane where the gradient is at least ``least``, spread over all of them.

    Fills the rows of ``found`` (5, ``most``) with columns, rows, gradients across and down, and
    values. Returns how many places there are in all, and how many were taken.
    """
    height, width = plane.shape
    across, down = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    eighth, quarter, one, two = np.float32(0.125), np.float32(0.25), np.uintp(1), np.uintp(2)
    least, counts = np.float32(least), np.zeros(height, np.int64)
    for row in range(1, height - 1):
        above, here, below = plane[row - 1], plane[row], plane[row + 1]
        to_right, to_bottom = across[row], down[row]
        strong = np.uint32(0)
        for x in range(np.uintp(max(width - 2, 0))):
            right = ((above[x + two] - above[x]) + (below[x + two] - below[x])) * eighth
            right += (here[x + two] - here[x]) * quarter
            lower = (below[x] + below[x + two]) * eighth + below[x + one] * quarter
            upper = (above[x] + above[x + two]) * eighth + above[x + one] * quarter
            to_right[x], to_bottom[x] = right, lower - upper
            strong += np.uint32(abs(right) + abs(lower - upper) >= least)
        counts[row] = strong
    among = counts.sum()
    every = max(1, -(-among // most))
    columns = np.empty(width + 1, np.uintp)
    k, taken = 0, 0
    for row in range(1, height - 1):
        # Without branches, of which nobody knows where they lead.
        count = np.uintp(0)
        if k + counts[row] > taken * every:
            for x in range(np.uintp(width - 2)):
                columns[count] = x
                count += np.uintp(abs(across[row, x]) + abs(down[row, x]) >= least)
        for place in range(taken * every - k, counts[row], every):
            x = columns[place]
            found[0, taken], found[1, taken] = x + one, row
            found[2, taken], found[3, taken] = across[row, x], down[row, x]
            found[4, taken] = plane[row, x + one]
            taken += 1
        k += counts[row]
    return among, taken


@compiled_loop(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def equate(source, matrix, x, y, values, steepest, least, square, right):
    """Set up the equations of a step of Gauss-Newton; how many places lie in the source.

    ``matrix`` puts places (``x``, ``y``), where the target has ``values``, into ``source``;
    ``steepest`` has a row for each parameter. Below ``least`` places nothing is set up.
    """
    count, inside, left = _compare(source, matrix, x, y, values, least)
    if count < least:
        return count
    spread = np.float32(max(0.5, 1.5 * _typical(left, inside)))
    one = np.float32(1)
    weights = np.empty(len(x), np.float32)
    for k in range(np.uintp(len(x))):
        away = left[k] / spread
        near = one + away * away
        weights[k] = inside[k] / (near * near)
    weighted = np.empty(len(x), np.float32)
    for i in range(len(steepest)):
        row, total = steepest[i], np.float32(0)
        for k in range(np.uintp(len(x))):
            weighted[k] = row[k] * weights[k]
            total += weighted[k] * left[k]
        right[i] = total
        for j in range(i + 1):
            other, total = steepest[j], np.float32(0)
            for k in range(np.uintp(len(x))):
                total += weighted[k] * other[k]
            square[i, j] = square[j, i] = total
    return count


@compiled_loop(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def mean_difference(source, matrix, x, y, values, most):
    """The mean difference at the places that lie in the source, each ``most`` at most.

    255 where no place does.
    """
    count, inside, left = _compare(source, matrix, x, y, values, 1)
    if count == 0:
        return 255.0
    total, most = np.float32(0), np.float32(most)
    for k in range(np.uintp(len(x))):
        total += min(abs(left[k]), most) * inside[k]
    return float(total) / count


@compiled_loop(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _compare(source, matrix, x, y, values, least):
    """How many places lie in the source, which (1 and 0), and what its values there exceed
    ``values`` by after the best linear change of tone.
    """
    sampled, inside = np.empty(len(x), np.float32), np.empty(len(x), np.float32)
    left = np.empty(len(x), np.float32)
    count = _sample(source, matrix, x, y, sampled, inside)
    if count < least:
        return count, inside, left
    weights = inside.copy()
    gain, offset = np.float32(1), np.float32(0)
    for again in range(2):
        total, mean_s, mean_v = np.float32(0), np.float32(0), np.float32(0)
        for k in range(np.uintp(len(x))):
            total += weights[k]
            mean_s += weights[k] * sampled[k]
            mean_v += weights[k] * values[k]
        mean_s /= total
        mean_v /= total
        spread, along = np.float32(0), np.float32(0)
        for k in range(np.uintp(len(x))):
            weighted = weights[k] * (sampled[k] - mean_s)
            spread += weighted * (sampled[k] - mean_s)
            along += weighted * (values[k] - mean_v)
        if spread > 1e-9:
            gain = along / spread
        if abs(gain) < 0.2:
            gain = np.float32(1)
        offset = mean_v - gain * mean_s
        for k in range(np.uintp(len(x))):
            left[k] = gain * sampled[k] + offset - values[k]
        if again == 0:
            scale = np.float32(max(0.5, 1.5 * _typical(left, inside)))
            for k in range(np.uintp(len(x))):
                away = left[k] / scale
                weights[k] = inside[k] / (np.float32(1) + away * away)
    return count, inside, left


@compiled_loop(error_model="numpy")
def _sample(source, matrix, x, y, sampled, inside):
    height, width = source.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    last_column, last_row = max(width - 2, 0), max(height - 2, 0)
    beside, below = min(width - 1, 1), min(height - 1, 1)
    zero, count = np.float32(0), 0
    for k in range(np.uintp(len(x))):
        depth = matrix[2, 0] * x[k] + matrix[2, 1] * y[k] + matrix[2, 2]
        u = np.float32((matrix[0, 0] * x[k] + matrix[0, 1] * y[k] + matrix[0, 2]) / depth)
        v = np.float32((matrix[1, 0] * x[k] + matrix[1, 1] * y[k] + matrix[1, 2]) / depth)
        if not (u >= zero and v >= zero and u <= right and v <= bottom):
            sampled[k] = inside[k] = zero
            continue
        column, row = min(int(u), last_column), min(int(v), last_row)
        across, down = u - np.float32(column), v - np.float32(row)
        one, two = source[row, column], source[row + below, column]
        one += (source[row, column + beside] - one) * across
        two += (source[row + below, column + beside] - two) * across
        sampled[k] = one + (two - one) * down
        inside[k] = np.float32(1)
        count += 1
    return count


@compiled_loop()
def _typical(values, inside):
    """The median size of values at places inside, of every fourth."""
    sizes = np.empty(len(values) // 4 + 1, np.float32)
    k = 0
    for place in range(len(values)):
        if inside[place] > 0:
            if k % 4 == 0:
                sizes[k // 4] = abs(values[place])
            k += 1
    count = (k + 3) // 4
    upper = _nth(sizes, count // 2, count)
    if count % 2:
        return float(upper)
    # Those before it are not larger.
    lower = sizes[0]
    for place in range(1, count // 2):
        lower = max(lower, sizes[place])
    return float((lower + upper) / 2)


@compiled_loop()
def _nth(values, n, count):
    """The ``n``th of ``count`` values by size, which is put in its place: Hoare's quickselect."""
    first, last = 0, count - 1
    while first < last:
        pivot = values[(first + last) // 2]
        i, j = first, last
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if n <= j:
            last = j
        elif n >= i:
            first = i
        else:
            break
    return values[n]


@compiled_loop(error_model="numpy")
def deviations(picture, places, high, wide, found):
    """The standard deviation of each window (``high``, ``wide``) at places (n, 2: x, y)."""
    for k in range(len(places)):
        left, top = np.uintp(places[k, 0]), np.uintp(places[k, 1])
        total, squares = np.int64(0), np.int64(0)
        for row in range(top, top + np.uintp(high)):
            of_row, squares_of_row = np.uint32(0), np.uint32(0)
            for x in range(left, left + np.uintp(wide)):
                value = np.uint32(picture[row, x])
                of_row += value
                squares_of_row += value * value
            total += np.int64(of_row)
            squares += np.int64(squares_of_row)
        area = high * wide
        # Whole numbers: where nothing is going on, this is 0.
        found[k] = np.sqrt(float(squares * area - total * total)) / area


@compiled_loop(error_model="numpy")
def cut(picture, places, windows):
    """Fill ``windows`` (n, h, w) with those of a picture at places (n, 2: x, y)."""
    for k in range(len(places)):
        left, top = np.uintp(places[k, 0]), np.uintp(places[k, 1])
        for row in range(np.uintp(windows.shape[1])):
            for x in range(np.uintp(windows.shape[2])):
                windows[k, row, x] = picture[top + row, left + x]


@compiled_loop(error_model="numpy")
def find_sources(back, places, across, down):
    """Where the pixels of square windows lie in another picture: ``across`` and ``down``.

    Windows are one below the other; ``back`` maps pixels at ``places`` (n, 2: x, y) to the other
    picture.
    """
    side = across.shape[1]
    for row in range(len(across)):
        left, y = float(places[row // side, 0]), float(places[row // side, 1] + row % side)
        for column in range(np.uintp(side)):
            x = left + float(np.int64(column))
            depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
            across[row, column] = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth
            down[row, column] = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth


@compiled_loop(error_model="numpy", fastmath={"contract"})
def count_fine_terms(picture, places, side, cosines, least):
    """How many fine terms of the blocks of windows are at least so large.

    Windows of ``side`` pixels lie at ``places`` (n, 2: x, y); ``cosines`` transform a block.
    """
    across = side // 8
    pixels = np.empty((8, 8, across * across), np.float32)
    terms = np.empty((8, 8, across * across), np.float32)
    least, count = np.float32(least), 0
    for k in range(len(places)):
        left, top = np.uintp(places[k, 0]), np.uintp(places[k, 1])
        for row in range(np.uintp(side)):
            for x in range(np.uintp(side)):
                block = (row >> 3) * across + (x >> 3)
                pixels[x & 7, row & 7, block] = picture[top + row, left + x]
        _combine(cosines, pixels.reshape(8, -1), terms.reshape(8, -1))
        for column in range(8):
            _combine(cosines, terms[column], pixels[column])
            for row in range(max(0, 5 - column), 8):
                values, large = pixels[column, row], np.uint32(0)
                for block in range(np.uintp(len(values))):
                    large += np.uint32(abs(values[block]) >= least)
                count += np.int64(large)
    return count


@compiled_loop(error_model="numpy")
def move(source, back, moved, mask):
    """Fill ``moved`` with the pixels of ``source`` (h, w, n), and ``mask`` with where it is.

    ``back`` (2 x 3, whole numbers) maps places in ``moved`` to the source; beyond its rim, the
    last pixel goes on.
    """
    height, width, count = source.shape
    for row in range(len(moved)):
        for column in range(moved.shape[1]):
            x = back[0, 0] * column + back[0, 1] * row + back[0, 2]
            y = back[1, 0] * column + back[1, 1] * row + back[1, 2]
            near_x, near_y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            mask[row, column] = x == near_x and y == near_y
            for channel in range(count):
                moved[row, column, channel] = source[near_y, near_x, channel]


@compiled_loop(error_model="numpy")
def sample_means(plane, rows, columns, found):
    """The means of three by three pixels around places; at the rim the plane is mirrored."""
    height, width = plane.shape
    for k in range(len(rows)):
        row, column = rows[k], columns[k]
        above, below = abs(row - 1), min(row + 1, 2 * (height - 1) - row - 1)
        left, right = abs(column - 1), min(column + 1, 2 * (width - 1) - column - 1)
        above, below = min(above, height - 1), max(below, 0)
        left, right = min(left, width - 1), max(right, 0)
        total = 0.0
        for y in (above, row, below):
            total += float(plane[y, left]) + float(plane[y, column]) + float(plane[y, right])
        found[k] = np.float32(total / 9)


@compiled_loop(error_model="numpy")
def count_busy(grey, covered, least):
    """How many pixels are not ``covered``, and of how many the deviation around is ``least``.

    Around are five by five pixels; at the rim the picture is mirrored.
    """
    height, width = grey.shape
    outside, busy = 0, 0
    # 25 times the squares of 25 numbers, less the square of their sum, is 625 times the variance.
    least = 625 * least * least
    for row in range(height):
        for column in range(width):
            if covered[row, column]:
                continue
            outside += 1
            total, squares = 0, 0
            for y in range(row - 2, row + 3):
                at_y = abs(y) if y < height else 2 * (height - 1) - y
                at_y = min(max(at_y, 0), height - 1)
                for x in range(column - 2, column + 3):
                    at_x = abs(x) if x < width else 2 * (width - 1) - x
                    value = np.int64(grey[at_y, min(max(at_x, 0), width - 1)])
                    total += value
                    squares += value * value
            busy += 25 * squares - total * total >= least
    return outside, busy


@compiled_loop(error_model="numpy")
def taper(windows, weights, found):
    """Windows (n, h, w) relative to their means, fading out by ``weights`` (h, w)."""
    for k in range(len(windows)):
        total = 0.0
        for row in range(np.uintp(windows.shape[1])):
            for x in range(np.uintp(windows.shape[2])):
                total += windows[k, row, x]
        mean = np.float32(total / weights.size)
        for row in range(np.uintp(windows.shape[1])):
            for x in range(np.uintp(windows.shape[2])):
                found[k, row, x] = (windows[k, row, x] - mean) * weights[row, x]


@compiled_loop(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def mean_colour(ycc, mask, grey):
    """How far the colours are from ``grey`` on average, at every other pixel of a mask."""
    grey, total, count = np.float32(grey), 0.0, 0
    two = np.uintp(2)
    for row in range(0, len(ycc), 2):
        for x in range(np.uintp(0), np.uintp(ycc.shape[1]), two):
            if mask[row, x]:
                red, blue = ycc[row, x, 1] - grey, ycc[row, x, 2] - grey
                total += np.sqrt(red * red + blue * blue)
                count += 1
    return total / count if count else 0.0


@compiled_loop(error_model="numpy")
def steepen(edges, width, height, x, y, steepest):
    """Fill rows of ``steepest`` with how values at ``edges`` change with each parameter.

    ``x`` and ``y`` are the places of the edges, at about unit size.
    """
    half = max(height, width) / 2
    scale, middle_x, middle_y = np.float32(half), np.float32(width / 2), np.float32(height / 2)
    projective = len(steepest) > 6
    for k in range(np.uintp(edges.shape[1])):
        at_x, at_y = (edges[0, k] - middle_x) / scale, (edges[1, k] - middle_y) / scale
        across, down = edges[2, k] * scale, edges[3, k] * scale
        x[k], y[k] = at_x, at_y
        steepest[0, k], steepest[1, k], steepest[2, k] = across * at_x, across * at_y, across
        steepest[3, k], steepest[4, k], steepest[5, k] = down * at_x, down * at_y, down
        if projective:
            along = across * at_x + down * at_y
            steepest[6, k], steepest[7, k] = -along * at_x, -along * at_y
