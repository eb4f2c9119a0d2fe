"""Compiled loops that compare the pixels of two pictures. Imported when the first pair is verified.

Pictures are smooth and grey, float32 (h, w), relative to middle grey, so that float32 holds sums
of squares; masks are uint8, 1 where both pictures are and 0 elsewhere. Inner loops use unsigned
indices, or they would not become vector instructions.
"""

from __future__ import annotations

import numpy as np

from image_duplicate_finder.fingerprint.kernels import compiled_loop
from image_duplicate_finder.verify.kernels import copy, fit, inverse, is_sound, product

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable,assignment"

LEFT, TOP, NCC, ACROSS, DOWN, TARGET_DEVIATION, SOURCE_DEVIATION, TARGET_MEAN, SOURCE_MEAN = range(
    9
)
"""The columns of a table of blocks: the block's upper left corner, the best correlation and the
shift of the source that gives it, standard deviations and means of both pictures."""

# A block that agrees so well without any shift needs none.
_SETTLED = 0.98


@compiled_loop(error_model="numpy")
def compare(target, source, back, matrix, shape, laid, tuning, warped, mask, blocks):
    """Compare blocks of two pictures under ``matrix``, which is made finer on the way.

    ``matrix`` (3 x 3) maps a frame of ``shape`` (h, w) to the target's, ``back`` the frame of
    ``source`` to the former. ``laid`` says that ``warped`` and ``mask`` show the source laid over
    the target already. Returns how many rows of ``blocks`` are filled and the blocks' size; -1 and
    0 where the alignment falls apart.
    """
    if not laid:
        lay_over(source, product(matrix, back), warped, mask)
    size = _block_size(mask, tuning.smallest, tuning.largest)
    count = _correlate(target, warped, mask, size, size // 2, np.int64(0), tuning.textured, blocks)
    if _is_settled(blocks[:count], tuning):
        return count, size
    for step in range(len(tuning.near)):
        area = _area(mask)
        radius = tuning.far[step] if area < tuning.small_area else tuning.near[step]
        size = _block_size(mask, tuning.smallest_moved, tuning.largest_moved)
        count = _correlate(target, warped, mask, size, size, radius, tuning.textured, blocks)
        shift = _correct(blocks[:count], size, radius, matrix, shape, tuning)
        if shift < 0:
            return -1, 0
        if shift < tuning.close_enough:
            break
        if step + 1 < len(tuning.near):
            lay_over(source, product(matrix, back), warped, mask)
    lay_over(source, product(matrix, back), warped, mask)
    size = _block_size(mask, tuning.smallest, tuning.largest)
    radius = np.int64(1)
    return _correlate(target, warped, mask, size, size // 2, radius, tuning.textured, blocks), size


@compiled_loop(error_model="numpy")
def lay_over(source, matrix, warped, mask):
    """Fill ``warped`` with the source under ``matrix``, and ``mask`` with where it is."""
    columns = source.shape[1]
    width = warped.shape[1]
    flat = source.reshape(-1)
    back = inverse(matrix).astype(np.float32)
    places = np.empty(width, np.int32)
    across, down = np.empty(width, np.float32), np.empty(width, np.float32)
    beside, below = np.uintp(min(columns - 1, 1)), np.uintp(columns if len(source) > 1 else 0)
    for row in range(len(warped)):
        _find_places(back, row, source.shape, places, across, down, mask[row])
        line = warped[row]
        for x in range(np.uintp(width)):
            at = np.uintp(places[x])
            one, two = flat[at], flat[at + below]
            one += (flat[at + beside] - one) * across[x]
            two += (flat[at + below + beside] - two) * across[x]
            line[x] = one + (two - one) * down[x]


@compiled_loop(error_model="numpy")
def _find_places(back, row, shape, places, across, down, inside):
    """Where the pixels of a row lie in a source of ``shape`` (h, w), if need be at its rim.

    Fills in the first of the four pixels around each place, the weights of the next ones, and
    which places lie within the source.
    """
    rows, columns = shape
    right, bottom = np.float32(columns - 1), np.float32(rows - 1)
    half, least, zero, y = np.float32(0.5), np.float32(1e-6), np.float32(0), np.float32(row)
    last_column, last_row = np.float32(max(columns - 2, 0)), np.float32(max(rows - 2, 0))
    stride = np.int32(columns)
    xx, xy, yx, yy, zx, zy = (
        back[0, 0], back[0, 1] * y + back[0, 2], back[1, 0], back[1, 1] * y + back[1, 2],
        back[2, 0], back[2, 1] * y + back[2, 2],
    )  # fmt: skip
    for column in range(np.uintp(len(places))):
        x = np.float32(np.int32(column))
        depth = zx * x + zy
        depth = depth if abs(depth) > least else least
        at_x, at_y = (xx * x + xy) / depth, (yx * x + yy) / depth
        inside[column] = np.uint8(
            (at_x >= -half) & (at_x < right + half) & (at_y >= -half) & (at_y < bottom + half)
        )
        at_x = at_x if at_x > zero else zero
        at_y = at_y if at_y > zero else zero
        at_x = at_x if at_x < right else right
        at_y = at_y if at_y < bottom else bottom
        left = np.int32(at_x if at_x < last_column else last_column)
        top = np.int32(at_y if at_y < last_row else last_row)
        places[column] = np.int32(top * stride + left)
        across[column], down[column] = at_x - np.float32(left), at_y - np.float32(top)


@compiled_loop(error_model="numpy")
def _area(mask):
    count = 0
    for row in range(np.uintp(len(mask))):
        inside = np.uint32(0)
        for column in range(np.uintp(mask.shape[1])):
            inside += np.uint32(mask[row, column])
        count += np.int64(inside)
    return count


@compiled_loop(error_model="numpy")
def _block_size(mask, smallest, largest):
    """About a hundred blocks side by side."""
    return min(max(int(np.rint(np.sqrt(_area(mask)) / 10)), smallest), largest)


@compiled_loop(error_model="numpy")
def _is_settled(blocks, tuning):
    """Whether nothing is left to align: nearly all textured blocks agree where they are."""
    textured, well, agreeing = 0, 0, 0
    for block in blocks:
        if max(block[TARGET_DEVIATION], block[SOURCE_DEVIATION]) >= tuning.textured:
            textured += 1
            well += block[NCC] >= tuning.settled_well
            agreeing += block[NCC] >= tuning.agrees
    return (
        textured >= tuning.for_homography
        and well >= tuning.share_well * textured
        and agreeing >= tuning.share_agreeing * textured
    )


@compiled_loop(error_model="numpy")
def _correct(blocks, size, radius, matrix, shape, tuning):
    """Change ``matrix`` by what the shifts of blocks ask for; how far they moved on average.

    Blocks count that were found again within less than ``radius`` pixels. -1 if they are too few.
    """
    shifted, centres = np.empty((len(blocks), 2)), np.empty((len(blocks), 2))
    trust = np.empty(len(blocks))
    count, moved = np.int64(0), 0.0
    for block in blocks:
        if (
            block[NCC] <= tuning.agrees
            or min(block[TARGET_DEVIATION], block[SOURCE_DEVIATION]) < tuning.textured
            or max(abs(block[ACROSS]), abs(block[DOWN])) >= radius
        ):
            continue
        for axis in range(2):
            centres[count, axis] = block[LEFT + axis] + (size - 1) / 2
            shifted[count, axis] = centres[count, axis] + block[ACROSS + axis]
        trust[count] = block[NCC] ** 2
        moved += np.hypot(block[ACROSS], block[DOWN])
        count += 1
    if count < 4:
        return -1.0
    correction, weights = np.empty((3, 3)), np.empty(count)
    for k in range(count):
        weights[k] = trust[k]
    for again in range(2):
        if not fit(shifted, centres, weights, count, count >= tuning.for_homography, correction):
            return -1.0
        if again:
            break
        for k in range(count):
            x, y = shifted[k, 0], shifted[k, 1]
            depth = correction[2, 0] * x + correction[2, 1] * y + correction[2, 2]
            across = (correction[0, 0] * x + correction[0, 1] * y + correction[0, 2]) / depth
            down = (correction[1, 0] * x + correction[1, 1] * y + correction[1, 2]) / depth
            error = (across - centres[k, 0]) ** 2 + (down - centres[k, 1]) ** 2
            weights[k] = trust[k] / (1 + error)
    better = product(correction, matrix)
    if is_sound(better, shape):
        copy(better, better[2, 2], matrix)
    return moved / count


@compiled_loop(error_model="numpy")
def _correlate(target, source, mask, size, step, radius, flat, blocks):
    """Compare blocks of two aligned pictures; fills ``blocks`` and returns how many there are.

    Blocks of ``size`` pixels every ``step`` pixels, where all of the block lies in ``mask`` (not 0
    in a convex area: the block's corners tell). Those that do not agree where they are, are looked
    for within ``radius`` pixels, unless their standard deviation is below ``flat`` in both.
    """
    height, width = target.shape
    last, area = size - 1, size * size
    columns = np.empty((5, width), np.float32)
    unlike = np.empty(width, np.bool_)
    count = 0
    for top in range(0, height - size + 1, step):
        _sum_columns(target, source, top, size, columns)
        first, any_unlike = count, False
        for left in range(0, width - size + 1, step):
            if (
                mask[top, left] == 0
                or mask[top, left + last] == 0
                or mask[top + last, left] == 0
                or mask[top + last, left + last] == 0
            ):
                continue
            t, tt, s, ss, st = 0.0, 0.0, 0.0, 0.0, 0.0
            for x in range(np.uintp(left), np.uintp(left + size)):
                t += columns[0, x]
                tt += columns[1, x]
                s += columns[2, x]
                ss += columns[3, x]
                st += columns[4, x]
            t, s = t / area, s / area
            one, other = max(tt / area - t * t, 0.0), max(ss / area - s * s, 0.0)
            # One grey level of noise keeps flat blocks from a correlation of chance.
            ncc = (st / area - t * s) / np.sqrt((one + 1) * (other + 1))
            blocks[count, LEFT], blocks[count, TOP], blocks[count, NCC] = left, top, ncc
            blocks[count, ACROSS], blocks[count, DOWN] = 0, 0
            blocks[count, TARGET_DEVIATION] = np.sqrt(one)
            blocks[count, SOURCE_DEVIATION] = np.sqrt(other)
            blocks[count, TARGET_MEAN], blocks[count, SOURCE_MEAN] = t, s
            unlike[count - first] = ncc < _SETTLED and max(one, other) >= flat * flat
            any_unlike |= unlike[count - first]
            count += 1
        if radius > 0 and any_unlike:
            _look_around(target, source, mask, size, radius, columns, unlike, blocks[first:count])
    return count


@compiled_loop(error_model="numpy", fastmath=True)
def _sum_columns(target, source, top, size, columns):
    """Sums over ``size`` rows: of both pictures, of their squares, and of their product."""
    columns[:] = 0
    for row in range(np.uintp(top), np.uintp(top + size)):
        for x in range(np.uintp(target.shape[1])):
            one, other = target[row, x], source[row, x]
            columns[0, x] += one
            columns[1, x] += one * one
            columns[2, x] += other
            columns[3, x] += other * other
            columns[4, x] += one * other


@compiled_loop(error_model="numpy")
def _look_around(target, source, mask, size, radius, columns, unlike, blocks):
    """Look for those blocks of a row of them that are ``unlike``, within ``radius`` pixels."""
    height, width = target.shape
    last, area, top = size - 1, size * size, int(blocks[0, TOP])
    sums, squares, products = columns[2], columns[3], columns[4]
    leftmost, rightmost = width, 0
    for k in range(len(blocks)):
        if unlike[k]:
            leftmost = min(leftmost, int(blocks[k, LEFT]))
            rightmost = max(rightmost, int(blocks[k, LEFT]) + size)
    for dy in range(-radius, radius + 1):
        if top + dy < 0 or top + dy + size > height:
            continue
        _sum_rows(source, top + dy, size, sums, squares)
        for dx in range(-radius, radius + 1):
            start, stop = max(leftmost, -dx), min(rightmost, width - dx)
            _multiply_rows(target, source, top, size, start, stop, dy, dx, products)
            # A nearer shift wins a tie.
            farness = 1e-4 * (dx * dx + dy * dy)
            for k in range(len(blocks)):
                left = int(blocks[k, LEFT])
                if (
                    not unlike[k]
                    or left + dx < 0
                    or left + dx + size > width
                    or mask[top + dy, left + dx] == 0
                    or mask[top + dy + last, left + dx + last] == 0
                ):
                    continue
                s = _sum_of(sums, left + dx, size) / area
                variance = max(_sum_of(squares, left + dx, size) / area - s * s, 0.0)
                covariance = _sum_of(products, left, size) / area - blocks[k, TARGET_MEAN] * s
                deviation = blocks[k, TARGET_DEVIATION]
                ncc = covariance / np.sqrt((deviation * deviation + 1) * (variance + 1)) - farness
                if ncc > blocks[k, NCC]:
                    blocks[k, NCC], blocks[k, ACROSS], blocks[k, DOWN] = ncc, dx, dy
                    blocks[k, SOURCE_DEVIATION] = np.sqrt(variance)
                    blocks[k, SOURCE_MEAN] = s


@compiled_loop(error_model="numpy", fastmath=True)
def _sum_of(values, start, size):
    total = np.float32(0)
    for x in range(np.uintp(start), np.uintp(start + size)):
        total += values[x]
    return float(total)


@compiled_loop(error_model="numpy", fastmath=True)
def _sum_rows(source, top, size, sums, squares):
    sums[:] = 0
    squares[:] = 0
    for row in range(np.uintp(top), np.uintp(top + size)):
        for x in range(np.uintp(source.shape[1])):
            value = source[row, x]
            sums[x] += value
            squares[x] += value * value


@compiled_loop(error_model="numpy", fastmath=True)
def _multiply_rows(target, source, top, size, start, stop, dy, dx, products):
    """Sums of products over ``size`` rows of the target and those ``dy`` and ``dx`` farther."""
    products[:] = 0
    begin, shifted, length = np.uintp(start), np.uintp(start + dx), np.uintp(max(stop - start, 0))
    row, other = np.uintp(top), np.uintp(top + dy)
    one, two, three = np.uintp(1), np.uintp(2), np.uintp(3)
    # Four rows at a time: the sums are read and written less often.
    for _ in range(size // 4):
        for x in range(length):
            at, to = begin + x, shifted + x
            products[at] += (
                target[row, at] * source[other, to]
                + target[row + one, at] * source[other + one, to]
                + target[row + two, at] * source[other + two, to]
                + target[row + three, at] * source[other + three, to]
            )
        row, other = row + three + one, other + three + one
    for _ in range(size % 4):
        for x in range(length):
            products[begin + x] += target[row, begin + x] * source[other, shifted + x]
        row, other = row + one, other + one


@compiled_loop(error_model="numpy")
def largest_difference(blocks, step, least, agrees):
    """How many blocks the largest connected piece of textured ones that disagree is made of.

    Blocks lie ``step`` pixels apart; those at a common side are connected.
    """
    rows, columns = 0, 0
    for block in blocks:
        rows = max(rows, int(block[TOP]) // step + 1)
        columns = max(columns, int(block[LEFT]) // step + 1)
    # With a rim, so that every place has four neighbours.
    differs = np.zeros((rows + 2, columns + 2), np.bool_)
    for block in blocks:
        if max(block[TARGET_DEVIATION], block[SOURCE_DEVIATION]) >= least and block[NCC] < agrees:
            differs[int(block[TOP]) // step + 1, int(block[LEFT]) // step + 1] = True
    stack = np.empty((rows * columns, 2), np.int64)
    largest = 0
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            if not differs[row, column]:
                continue
            differs[row, column] = False
            stack[0, 0], stack[0, 1] = row, column
            left, size = 1, 0
            while left > 0:
                left -= 1
                y, x = stack[left, 0], stack[left, 1]
                size += 1
                for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                    if differs[y + down, x + across]:
                        differs[y + down, x + across] = False
                        stack[left, 0], stack[left, 1] = y + down, x + across
                        left += 1
            largest = max(largest, size)
    return largest


@compiled_loop(error_model="numpy")
def _structure(grey, top, left, size):
    """The standard deviation of a block without the even slope of grey across it."""
    total, squares, down, across, ramp = 0.0, 0.0, 0.0, 0.0, 0.0
    middle = (size - 1) / 2
    for y in range(size):
        ramp += (y - middle) * (y - middle)
        for x in range(size):
            value = grey[top + y, left + x]
            total += value
            squares += value * value
            down += value * (y - middle)
            across += value * (x - middle)
    area = size * size
    left_over = squares / area - (total / area) ** 2
    left_over -= (down * down + across * across) / (ramp * size * area)
    return np.sqrt(max(left_over, 0.0))


@compiled_loop(error_model="numpy")
def has_structured(target, source, blocks, size, tuning, enough):
    """Whether ``enough`` of the strong blocks are structured in both pictures.

    Any two slopes of grey correlate; they say nothing of what the pictures show.
    """
    count = 0
    for block in blocks:
        if (
            max(block[TARGET_DEVIATION], block[SOURCE_DEVIATION]) < tuning.textured
            or block[NCC] < tuning.strong
        ):
            continue
        left, top = int(block[LEFT]), int(block[TOP])
        if (
            _structure(target, top, left, size) >= tuning.structured
            and _structure(source, top, left, size) >= tuning.structured
        ):
            count += 1
            if count >= enough:
                return True
    return False


@compiled_loop(error_model="numpy", fastmath=True)
def residual(target, warped, mask, left):
    """What one change of brightness and contrast leaves of the difference of two pictures.

    Fills ``left`` with the absolute differences, 0 within two pixels of the common area's rim,
    where the warped picture is made of half pixels. Returns the standard deviation of ``target``.
    """
    height, width = target.shape
    count, t, tt, w, ww, tw = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(np.uintp(height)):
        # Sums of a row fit into float32.
        n, a, aa = np.float32(0), np.float32(0), np.float32(0)
        b, bb, ab = np.float32(0), np.float32(0), np.float32(0)
        for x in range(np.uintp(width)):
            inside = np.float32(mask[row, x])
            one, other = target[row, x] * inside, warped[row, x] * inside
            n += inside
            a += one
            aa += one * one
            b += other
            bb += other * other
            ab += one * other
        count += float(n)
        t += float(a)
        tt += float(aa)
        w += float(b)
        ww += float(bb)
        tw += float(ab)
    count = max(count, 1.0)
    t, w = t / count, w / count
    variance = max(tt / count - t * t, 0.0)
    gain = (tw / count - t * w) / max(ww / count - w * w, 1e-6)
    slope, offset = np.float32(gain), np.float32(gain * w - t)
    two, four = np.uintp(2), np.uintp(4)
    left[:] = 0
    for row in range(np.uintp(max(height - 4, 0))):
        # The common area is convex: the corners of a square tell whether it lies within.
        for x in range(np.uintp(max(width - 4, 0))):
            inside = (
                mask[row, x]
                & mask[row, x + four]
                & mask[row + four, x]
                & mask[row + four, x + four]
            )
            apart = target[row + two, x + two] - slope * warped[row + two, x + two] + offset
            left[row + two, x + two] = abs(apart) * np.float32(inside)
    return np.sqrt(variance)


@compiled_loop(error_model="numpy")
def seam(canvas, known, outline, margin, reach, least_step):
    """How often grey steps more across the upper side of an outline than beside it, 0 to 1.

    The outline lies ``outline`` pixels within the ``canvas``; ``margin`` pixels to each side of it
    count. Each column is compared with itself, so that a busy part beside a calm one hides no
    seam. 0 for hardly any step at all; -1 where too few columns are ``known`` that far.
    """
    width = canvas.shape[1]
    top = outline - margin
    usable = np.empty(width, np.int64)
    count = 0
    for x in range(outline + 3, width - outline - 3):
        whole = True
        for y in range(top, outline + margin):
            if known[y, x] == 0:
                whole = False
                break
        if whole:
            usable[count] = x
            count += 1
    if count < max(6.0, 0.3 * (width - 2 * outline - 6)):
        return -1.0
    jumps = np.empty((2 * margin - 2, count))
    means = np.zeros(2 * margin - 2)
    for k in range(len(jumps)):
        for column in range(count):
            x = usable[column]
            jumps[k, column] = abs(canvas[top + k + 2, x] - canvas[top + k, x])
            means[k] += jumps[k, column] / count
    # jumps[k] is centred on row k + 1; the outline runs between rows margin - 1 and margin.
    across, most = -1, -1.0
    for k in range(len(jumps)):
        if abs(k - (margin - 1.5)) <= reach and means[k] > most:
            across, most = k, means[k]
    if most < least_step:
        return 0.0
    more, all = 0, 0
    for k in range(len(jumps)):
        if abs(k - (margin - 1.5)) >= reach + 2:
            for column in range(count):
                more += jumps[across, column] > jumps[k, column]
                all += 1
    return more / all
