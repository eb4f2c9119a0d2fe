"""Compiled loops of verification: plane transforms and keypoints.

Imported only when the first pair is verified.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from image_duplicate_finder.fingerprint.kernels import compiled_loop, popcount
from image_duplicate_finder.verify import geometry

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable,assignment"

# Counters that are passed on begin as ``np.int64(0)``: for a plain 0 numba compiles what takes them
# a second time.

# These have one home, in Python. What is compiled of them is kept with the loops that call them:
# whoever changes them changes this file too.
inverse = njit(nogil=True, error_model="numpy")(geometry.inverse)
_rows_are_sound = njit(nogil=True, error_model="numpy")(geometry.rows_are_sound)


@compiled_loop(error_model="numpy")
def is_sound(matrix, shape):
    """Whether the transform of a picture (h, w) could be a copy's."""
    m = matrix
    rows = (
        (m[0, 0], m[0, 1], m[0, 2]),
        (m[1, 0], m[1, 1], m[1, 2]),
        (m[2, 0], m[2, 1], m[2, 2]),
    )
    return _rows_are_sound(rows, float(shape[1]), float(shape[0]))


@compiled_loop(error_model="numpy")
def copy(matrix, divisor, out):
    """Write the entries of a transform (3 x 3), all divided alike, to ``out``."""
    for row in range(3):
        for column in range(3):
            out[row, column] = matrix[row, column] / divisor


@compiled_loop(error_model="numpy")
def product(one, other):
    """The transform (3 x 3) that applies ``other`` and then ``one``."""
    out = np.empty((3, 3))
    for row in range(3):
        for column in range(3):
            out[row, column] = (
                one[row, 0] * other[0, column]
                + one[row, 1] * other[1, column]
                + one[row, 2] * other[2, column]
            )
    return out


@compiled_loop(error_model="numpy")
def _normaliser(points, count):
    """The middle of the first points (n, 2), and what brings their mean distance from it to 1."""
    x, y, away = 0.0, 0.0, 0.0
    for k in range(count):
        x += points[k, 0]
        y += points[k, 1]
    x, y = x / count, y / count
    for k in range(count):
        away += abs(points[k, 0] - x) + abs(points[k, 1] - y)
    return x, y, 1 / max(away / (2 * count), 1e-6)


@compiled_loop(error_model="numpy")
def _solve(square, right, n):
    """Solve the first ``n`` equations in place (Gauss, pivots by rows); False if singular."""
    least = 0.0
    for k in range(n):
        least = max(least, 1e-13 * abs(square[k, k]))
    for k in range(n):
        pivot = k
        for row in range(k + 1, n):
            if abs(square[row, k]) > abs(square[pivot, k]):
                pivot = row
        if not abs(square[pivot, k]) > least:
            return False
        for column in range(n):
            held = square[k, column]
            square[k, column] = square[pivot, column]
            square[pivot, column] = held
        held = right[k]
        right[k] = right[pivot]
        right[pivot] = held
        for row in range(k + 1, n):
            factor = square[row, k] / square[k, k]
            for column in range(k, n):
                square[row, column] -= factor * square[k, column]
            right[row] -= factor * right[k]
    for row in range(n - 1, -1, -1):
        for k in range(row + 1, n):
            right[row] -= square[row, k] * right[k]
        right[row] /= square[row, row]
    return True


@compiled_loop(error_model="numpy")
def fit(source, target, weights, count, projective, out):
    """The transform of least weighted squares (normalised DLT), to ``out``; False if there is none.

    The first ``count`` rows of ``source`` and ``target`` are points; weights multiply their
    distances. It is affine unless ``projective``. The last entry is fixed to 1: the normalised
    origin never maps to infinity here.
    """
    if projective and count < 6:
        return False
    sx, sy, shrink = _normaliser(source, count)
    tx, ty, grow = _normaliser(target, count)
    square, right, point = np.zeros((8, 8)), np.zeros(8), np.ones(3)
    for k in range(count):
        weight = weights[k] ** 2
        point[0], point[1] = (source[k, 0] - sx) * shrink, (source[k, 1] - sy) * shrink
        u, v = (target[k, 0] - tx) * grow, (target[k, 1] - ty) * grow
        for row in range(3):
            for column in range(3):
                term = weight * point[row] * point[column]
                square[row, column] += term
                if column < 2:
                    square[row, 6 + column] -= term * u
                    square[3 + row, 6 + column] -= term * v
                    if row < 2:
                        square[6 + row, 6 + column] += term * (u * u + v * v)
            right[row] += weight * point[row] * u
            right[3 + row] += weight * point[row] * v
            if row < 2:
                right[6 + row] -= weight * point[row] * (u * u + v * v)
    for row in range(3):
        for column in range(3):
            square[3 + row, 3 + column] = square[row, column]
        for column in range(2):
            square[6 + column, row] = square[row, 6 + column]
            square[6 + column, 3 + row] = square[3 + row, 6 + column]
    if not projective:
        right[6], right[7] = 0, 0
    if not _solve(square, right, 8 if projective else 6):
        return False
    # From the normalised frames back.
    for row in range(3):
        across, down = right[3 * row] * shrink, right[3 * row + 1] * shrink
        rest = right[3 * row + 2] if row < 2 else 1.0
        out[row, 0], out[row, 1], out[row, 2] = across, down, rest - across * sx - down * sy
    for column in range(3):
        out[0, column] = out[0, column] / grow + tx * out[2, column]
        out[1, column] = out[1, column] / grow + ty * out[2, column]
    last = out[2, 2]
    if abs(last) < 1e-9:
        return False
    copy(out, last, out)
    return True


@compiled_loop(error_model="numpy")
def _fit_similarity(source, target, count, mirrored, out):
    """The similarity of least squares (with a mirror if ``mirrored``); False if undetermined."""
    sign = -1.0 if mirrored else 1.0
    middle_x, middle_y, _ = _normaliser(source, count)
    middle_u, middle_v, _ = _normaliser(target, count)
    a, b, spread = 0.0, 0.0, 0.0
    for k in range(count):
        x, y = (source[k, 0] - middle_x) * sign, source[k, 1] - middle_y
        u, v = target[k, 0] - middle_u, target[k, 1] - middle_v
        a += x * u + y * v
        b += x * v - y * u
        spread += x * x + y * y
    if spread < 1e-9:
        return False
    a, b = a / spread, b / spread
    out[0, 0], out[0, 1], out[1, 0], out[1, 1] = a * sign, -b, b * sign, a
    out[0, 2] = middle_u - out[0, 0] * middle_x - out[0, 1] * middle_y
    out[1, 2] = middle_v - out[1, 0] * middle_x - out[1, 1] * middle_y
    out[2, 0], out[2, 1], out[2, 2] = 0, 0, 1
    return True


# The columns of the places of keypoints: x, y, size, direction, its cosine and its sine.
_X, _Y, _SIZE, _ANGLE, _COSINE, _SINE = range(6)
# Nearer keypoints, in pixels, are at one place.
_SPACING_A, _SPACING_B = 3.0, 2.0


@compiled_loop(error_model="numpy")
def tentative(a, b, limit, found):
    """Pairs of keypoints whose codes in canonical form are alike.

    For every keypoint of one side its nearest on the other, both ways, within ``limit`` bits.
    Writes rows (index a, index b, distance, variant) and returns how many. The variant is 1 for
    rows flipped plus 2 for columns flipped.
    """
    n, m = len(a.flags), len(b.flags)
    best_b, from_b = np.empty(m, np.int64), np.zeros(m, np.int64)
    best_b[:] = 999
    codes_b = np.empty((2, m), np.uint64)
    for j in range(m):
        form = b.forms[b.flags[j] & 3]
        codes_b[0, j], codes_b[1, j] = form[j, 0], form[j, 1]
    distances = np.empty(m, np.int64)
    count = 0
    for i in range(n):
        form = a.forms[a.flags[i] & 3]
        _distances(form[i, 0], form[i, 1], codes_b, distances)
        best, at = np.int64(999), np.int64(-1)
        for j in range(m):
            distance = distances[j]
            if distance < best:
                best, at = distance, j
            if distance < best_b[j]:
                best_b[j] = distance
                from_b[j] = i
        if best <= limit and count < len(found):
            _write(a, b, i, at, best, found[count])
            count += 1
    one_way = count
    for j in range(m):
        if best_b[j] <= limit and count < len(found):
            known = False
            for k in range(one_way):
                if found[k, 0] == from_b[j] and found[k, 1] == j:
                    known = True
                    break
            if not known:
                _write(a, b, from_b[j], j, best_b[j], found[count])
                count += 1
    return count


@compiled_loop(error_model="numpy")
def _distances(first, second, codes, out):
    """The bits in which a code differs from others (2, m)."""
    for j in range(np.uintp(len(out))):
        out[j] = np.int64(popcount(first ^ codes[0, j]) + popcount(second ^ codes[1, j]))


@compiled_loop(error_model="numpy")
def _write(a, b, i, j, distance, row):
    row[0], row[1], row[2], row[3] = i, j, distance, (a.flags[i] ^ b.flags[j]) & 3


@compiled_loop(error_model="numpy")
def _similarity(place_a, place_b, i, j, variant, out):
    """The 2 x 3 transform that takes keypoint i of a, size and direction too, onto j of b."""
    mirrored = variant == 1 or variant == 2
    angle = place_a[i, _ANGLE]
    if mirrored:
        angle = np.pi - angle
    if variant >= 2:
        angle += np.pi
    scale = place_b[j, _SIZE] / place_a[i, _SIZE]
    turn = place_b[j, _ANGLE] - angle
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    x_sign = -1.0 if mirrored else 1.0
    out[0], out[1], out[3], out[4] = c * x_sign, -s, s * x_sign, c
    out[2] = place_b[j, _X] - out[0] * place_a[i, _X] - out[1] * place_a[i, _Y]
    out[5] = place_b[j, _Y] - out[3] * place_a[i, _X] - out[4] * place_a[i, _Y]


@compiled_loop(error_model="numpy")
def _agrees(place_a, place_b, i, j, variant, t, tolerance):
    """Whether keypoint i of a falls on j of b under the affine ``t``, in size and direction too."""
    x, y = place_a[i, _X], place_a[i, _Y]
    dx = t[0] * x + t[1] * y + t[2] - place_b[j, _X]
    dy = t[3] * x + t[4] * y + t[5] - place_b[j, _Y]
    allowed = tolerance + 0.2 * place_b[j, _SIZE]
    if dx * dx + dy * dy > allowed * allowed:
        return False
    grown = place_a[i, _SIZE] * np.sqrt(abs(t[0] * t[4] - t[1] * t[3]))
    if place_b[j, _SIZE] > 1.7 * grown or 1.7 * place_b[j, _SIZE] < grown:
        return False
    u = t[0] * place_a[i, _COSINE] + t[1] * place_a[i, _SINE]
    v = t[3] * place_a[i, _COSINE] + t[4] * place_a[i, _SINE]
    cosine = u * place_b[j, _COSINE] + v * place_b[j, _SINE]
    if variant >= 2:
        cosine = -cosine
    return cosine > 0.8 * (np.sqrt(u * u + v * v) + 1e-9)


@compiled_loop(error_model="numpy")
def _distinct(place_a, place_b, rows, count):
    """How many of the pairs are at distinct places in both pictures."""
    kept = np.empty((4, count))
    n = 0
    for k in range(count):
        x, y = place_a[rows[k, 0], _X], place_a[rows[k, 0], _Y]
        u, v = place_b[rows[k, 1], _X], place_b[rows[k, 1], _Y]
        # All are compared: with an early end the loop would not become vector instructions.
        taken = np.int64(0)
        for other in range(np.uintp(n)):
            near_a = abs(x - kept[0, other]) + abs(y - kept[1, other]) < _SPACING_A
            near_b = abs(u - kept[2, other]) + abs(v - kept[3, other]) < _SPACING_B
            taken |= np.int64(near_a | near_b)
        if taken == 0:
            kept[0, n], kept[1, n], kept[2, n], kept[3, n] = x, y, u, v
            n += 1
    return n


@compiled_loop(error_model="numpy")
def hypotheses(a, b, found, order, tolerance, transforms, variants):
    """The transforms that most pairs of keypoints agree on, each taken from one pair alone.

    Method: Philbin, Chum, Isard, Sivic and Zisserman, "Object retrieval with large vocabularies
    and fast spatial matching" (2007). ``found``: pairs of :func:`tentative`; those in ``order`` are
    tried. Fills up to ``len(transforms)`` unlike transforms, the best first, and returns how many.
    """
    count, tried = len(found), len(order)
    trials = np.empty((tried, 6))
    # How many agree on each trial, and at how many distinct places; -1 if not counted yet.
    agreeing, distinct = np.empty(tried, np.int64), np.empty(tried, np.int64)
    agreeing[:] = -1
    distinct[:] = -1
    rows = np.empty((count, 2), np.int64)
    used, near = np.zeros(count, np.bool_), np.empty(count, np.bool_)
    place_a, place_b = a.places, b.places
    places = _side_by_side(place_a, place_b, found, tolerance)
    kept = 0
    while kept < len(transforms):
        best, best_at = 0, -1
        for position in range(tried):
            k = order[position]
            if used[k] or 0 <= agreeing[position] <= best:
                continue
            if distinct[position] < 0:
                trial, variant = trials[position], found[k, 3]
                _similarity(place_a, place_b, found[k, 0], found[k, 1], variant, trial)
                _mark_near(places, trial, near)
                n = np.int64(0)
                for other in range(count):
                    i, j = found[other, 0], found[other, 1]
                    if (
                        near[other]
                        and found[other, 3] == variant
                        and _agrees(place_a, place_b, i, j, variant, trial, tolerance)
                    ):
                        rows[n, 0], rows[n, 1] = i, j
                        n += 1
                agreeing[position] = n
                if n <= best:
                    continue
                distinct[position] = _distinct(place_a, place_b, rows, n)
            if distinct[position] > best:
                best, best_at = distinct[position], position
        if best_at < 0 or best < 3:
            break
        k, transform = order[best_at], trials[best_at]
        variants[kept] = found[k, 3]
        for entry in range(6):
            transforms[kept, entry] = transform[entry]
        for other in range(count):
            i, j = found[other, 0], found[other, 1]
            if found[other, 3] == found[k, 3] and _agrees(
                place_a, place_b, i, j, found[k, 3], transform, tolerance
            ):
                used[other] = True
        used[k] = True
        kept += 1
    return kept


@compiled_loop(error_model="numpy")
def _side_by_side(place_a, place_b, found, tolerance):
    """Of pairs of keypoints x and y in a, x and y in b, and the squared distance allowed (5, n)."""
    places = np.empty((5, len(found)))
    for k in range(len(found)):
        i, j = found[k, 0], found[k, 1]
        places[0, k], places[1, k] = place_a[i, _X], place_a[i, _Y]
        places[2, k], places[3, k] = place_b[j, _X], place_b[j, _Y]
        places[4, k] = (tolerance + 0.2 * place_b[j, _SIZE]) ** 2
    return places


@compiled_loop(error_model="numpy")
def _mark_near(places, t, near):
    """Which pairs the affine ``t`` brings near each other: most others are ruled out by that."""
    for k in range(np.uintp(len(near))):
        dx = t[0] * places[0, k] + t[1] * places[1, k] + t[2] - places[2, k]
        dy = t[3] * places[0, k] + t[4] * places[1, k] + t[5] - places[3, k]
        near[k] = dx * dx + dy * dy <= places[4, k]


@compiled_loop(error_model="numpy")
def _guided(a, b, widest, variant, matrix, tuning, rows):
    """For every keypoint of a the most alike one of b near where ``matrix`` (3 x 3) puts it.

    ``widest`` is the farthest that one may lie off. Writes (index a, index b) to ``rows``; returns
    how many there are, and how many at distinct places.
    """
    count = np.int64(0)
    t = np.empty(6)
    codes_a, codes_b, place_a, place_b = a.forms[variant], b.forms[0], a.places, b.places
    order, starts, last = b.order, b.starts, len(b.starts) - 2
    for i in range(len(codes_a)):
        xa, ya = place_a[i, _X], place_a[i, _Y]
        depth = matrix[2, 0] * xa + matrix[2, 1] * ya + matrix[2, 2]
        if depth <= 1e-9:
            continue
        x = (matrix[0, 0] * xa + matrix[0, 1] * ya + matrix[0, 2]) / depth
        y = (matrix[1, 0] * xa + matrix[1, 1] * ya + matrix[1, 2]) / depth
        # The affine transform that the projective one is close to at this place.
        t[0] = (matrix[0, 0] - matrix[2, 0] * x) / depth
        t[1] = (matrix[0, 1] - matrix[2, 1] * x) / depth
        t[3] = (matrix[1, 0] - matrix[2, 0] * y) / depth
        t[4] = (matrix[1, 1] - matrix[2, 1] * y) / depth
        t[2] = x - t[0] * xa - t[1] * ya
        t[5] = y - t[3] * xa - t[4] * ya
        best, at = tuning.alike_in_place + 1, -1
        if not -widest <= x <= last + 1 + widest:
            continue
        begin, end = max(int(x - widest), 0), min(int(x + widest), last) + 1
        for k in range(starts[min(begin, last)], starts[end]):
            j = order[k]
            allowed = tuning.tolerance + 0.2 * place_b[j, _SIZE]
            if abs(place_b[j, _X] - x) > allowed or abs(place_b[j, _Y] - y) > allowed:
                continue
            distance = np.int64(
                popcount(codes_a[i, 0] ^ codes_b[j, 0]) + popcount(codes_a[i, 1] ^ codes_b[j, 1])
            )
            if (distance < best or (distance == best and j < at)) and _agrees(
                place_a, place_b, i, j, variant, t, tuning.tolerance
            ):
                best, at = distance, j
        if at >= 0:
            rows[count, 0], rows[count, 1] = i, at
            count += 1
    return count, _distinct(place_a, place_b, rows, count)


@compiled_loop(error_model="numpy")
def align(a, b, transform, variant, shape, tuning, matrix):
    """Make a hypothesis finer by all keypoints that agree on it, to ``matrix`` (3 x 3).

    ``shape`` is the frame (h, w) of a's keypoints. Returns how many keypoints agree at places of
    their own in both pictures; 0 if the transform is not sound.
    """
    for axis in range(3):
        matrix[0, axis], matrix[1, axis] = transform[axis], transform[3 + axis]
        matrix[2, axis] = axis == 2
    widest = 0.0
    for j in range(len(b.flags)):
        widest = max(widest, b.places[j, _SIZE])
    widest = tuning.tolerance + 0.2 * widest
    rows = np.empty((len(a.flags), 2), np.int64)
    source, target = np.empty((len(a.flags), 2)), np.empty((len(a.flags), 2))
    better = np.empty((3, 3))
    count, support = np.int64(0), np.int64(0)
    for _ in range(tuning.rounds):
        before = count, support
        count, support = _guided(a, b, widest, variant, matrix, tuning, rows)
        if count < 2:
            return 0
        if (count, support) == before:
            break
        if support < 3:
            return 0
        for k in range(count):
            for axis in range(2):
                source[k, axis] = a.places[rows[k, 0], axis]
                target[k, axis] = b.places[rows[k, 1], axis]
        mirrored = variant == 1 or variant == 2
        if not (
            _fit_supported(source, target, count, support, mirrored, tuning, better)
            and is_sound(better, shape)
        ):
            break
        copy(better, 1.0, matrix)
    return support if is_sound(matrix, shape) else 0


@compiled_loop(error_model="numpy")
def _fit_supported(source, target, count, support, mirrored, tuning, out):
    """The transform with as many parameters as the support can bear; False if there is none."""
    if support < tuning.for_affine:
        return _fit_similarity(source, target, count, mirrored, out)
    weights, better = np.ones(count), np.empty((3, 3))
    for projective in (False, True):
        if projective and support < tuning.for_homography:
            break
        if not fit(source, target, weights, count, projective, better):
            return projective
        copy(better, 1.0, out)
        for k in range(count):
            dx = out[0, 0] * source[k, 0] + out[0, 1] * source[k, 1] + out[0, 2] - target[k, 0]
            dy = out[1, 0] * source[k, 0] + out[1, 1] * source[k, 1] + out[1, 2] - target[k, 1]
            weights[k] = 1 / (1 + dx * dx + dy * dy)
    return True
