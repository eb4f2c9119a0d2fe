"""Compiled loops of verification. Imported only when the first pair is verified."""

from __future__ import annotations

import numpy as np
from numba import njit

from image_duplicate_finder.fingerprint.kernels import popcount

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable"


# A block that agrees so well without any shift needs none.
_SETTLED = np.float32(0.98)


@njit(cache=True, nogil=True)
def tentative(codes_a, codes_b, flags_a, flags_b, limit, found):
    """Pairs of keypoints whose codes (n, 2) uint64 in canonical form are alike.

    For every keypoint of one side its nearest on the other, both ways, within ``limit`` bits.
    Writes rows (index a, index b, distance, variant) and returns how many. The variant is 1 for
    rows flipped plus 2 for columns flipped.
    """
    n, m = len(codes_a), len(codes_b)
    best_b = np.full(m, 999, np.int64)
    from_b = np.full(m, -1, np.int64)
    count = 0
    for i in range(n):
        best, at = 999, -1
        a0, a1 = codes_a[i, 0], codes_a[i, 1]
        for j in range(m):
            distance = np.int64(popcount(a0 ^ codes_b[j, 0]) + popcount(a1 ^ codes_b[j, 1]))
            if distance < best:
                best, at = distance, j
            if distance < best_b[j]:
                best_b[j] = distance
                from_b[j] = i
        if best <= limit and count < len(found):
            found[count, 0] = i
            found[count, 1] = at
            found[count, 2] = best
            found[count, 3] = (flags_a[i] ^ flags_b[at]) & 3
            count += 1
    one_way = count
    for j in range(m):
        if best_b[j] <= limit and count < len(found):
            i = from_b[j]
            known = False
            for k in range(one_way):
                if found[k, 0] == i and found[k, 1] == j:
                    known = True
                    break
            if not known:
                found[count, 0] = i
                found[count, 1] = j
                found[count, 2] = best_b[j]
                found[count, 3] = (flags_a[i] ^ flags_b[j]) & 3
                count += 1
    return count


@njit(cache=True, nogil=True)
def _similarity(place_a, place_b, i, j, variant, out):
    """The 2 x 3 transform that takes keypoint i of a, size and direction too, onto j of b."""
    mirrored = variant == 1 or variant == 2
    negative = variant >= 2
    angle = place_a[i, 3]
    if mirrored:
        angle = np.pi - angle
    if negative:
        angle += np.pi
    scale = place_b[j, 2] / place_a[i, 2]
    turn = place_b[j, 3] - angle
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    x_sign = -1.0 if mirrored else 1.0
    out[0], out[1], out[3], out[4] = c * x_sign, -s, s * x_sign, c
    out[2] = place_b[j, 0] - out[0] * place_a[i, 0] - out[1] * place_a[i, 1]
    out[5] = place_b[j, 1] - out[3] * place_a[i, 0] - out[4] * place_a[i, 1]


@njit(cache=True, nogil=True)
def _agrees(place_a, place_b, i, j, variant, t, tolerance):
    """Whether keypoint i of a falls on j of b under the affine ``t``, in size and direction too."""
    x, y = place_a[i, 0], place_a[i, 1]
    dx = t[0] * x + t[1] * y + t[2] - place_b[j, 0]
    dy = t[3] * x + t[4] * y + t[5] - place_b[j, 1]
    allowed = tolerance + 0.2 * place_b[j, 2]
    if dx * dx + dy * dy > allowed * allowed:
        return False
    determinant = t[0] * t[4] - t[1] * t[3]
    ratio = place_b[j, 2] / (place_a[i, 2] * np.sqrt(abs(determinant)))
    if ratio > 1.7 or ratio < 1 / 1.7:
        return False
    ux, uy = np.cos(place_a[i, 3]), np.sin(place_a[i, 3])
    vx, vy = t[0] * ux + t[1] * uy, t[3] * ux + t[4] * uy
    if variant >= 2:
        vx, vy = -vx, -vy
    length = np.sqrt(vx * vx + vy * vy) + 1e-9
    cosine = (vx * np.cos(place_b[j, 3]) + vy * np.sin(place_b[j, 3])) / length
    return cosine > 0.8


@njit(cache=True, nogil=True)
def _distinct(place_a, place_b, rows, count, spacing_a, spacing_b):
    """How many of the pairs are at distinct places in both pictures."""
    kept = np.empty(count, np.int64)
    n = 0
    for k in range(count):
        i, j = rows[k, 0], rows[k, 1]
        free = True
        for other in range(n):
            p, q = rows[kept[other], 0], rows[kept[other], 1]
            if (
                abs(place_a[i, 0] - place_a[p, 0]) + abs(place_a[i, 1] - place_a[p, 1]) < spacing_a
                or abs(place_b[j, 0] - place_b[q, 0]) + abs(place_b[j, 1] - place_b[q, 1])
                < spacing_b
            ):
                free = False
                break
        if free:
            kept[n] = k
            n += 1
    return n


@njit(cache=True, nogil=True)
def hypotheses(place_a, place_b, found, order, tolerance, transforms, variants, votes):
    """The transforms that most pairs agree on, each taken from one pair alone.

    Method: Philbin, Chum, Isard, Sivic and Zisserman, "Object retrieval with large vocabularies
    and fast spatial matching" (2007). The pairs in ``order`` are tried. Fills up to
    ``len(transforms)`` unlike transforms, the best first, and returns how many.
    """
    count = len(found)
    trial = np.empty(6)
    rows = np.empty((count, 2), np.int64)
    used = np.zeros(count, np.bool_)
    kept = 0
    while kept < len(transforms):
        best, best_at = 0, -1
        best_transform = np.empty(6)
        for k in order:
            if used[k]:
                continue
            i, j, variant = found[k, 0], found[k, 1], found[k, 3]
            _similarity(place_a, place_b, i, j, variant, trial)
            n = 0
            for other in range(count):
                if found[other, 3] == variant and _agrees(
                    place_a, place_b, found[other, 0], found[other, 1], variant, trial, tolerance
                ):
                    rows[n, 0] = found[other, 0]
                    rows[n, 1] = found[other, 1]
                    n += 1
            if n <= best:
                continue
            n = _distinct(place_a, place_b, rows, n, 3.0, 2.0)
            if n > best:
                best, best_at = n, k
                for each in range(6):
                    best_transform[each] = trial[each]
        if best_at < 0 or best < 3:
            break
        for each in range(6):
            transforms[kept, each] = best_transform[each]
        variants[kept] = found[best_at, 3]
        votes[kept] = best
        for k in range(count):
            if found[k, 3] == found[best_at, 3] and _agrees(
                place_a, place_b, found[k, 0], found[k, 1], found[k, 3], best_transform, tolerance
            ):
                used[k] = True
        used[best_at] = True
        kept += 1
    return kept


@njit(cache=True, nogil=True)
def guided(codes_a, codes_b, place_a, place_b, variant, matrix, tolerance, limit, rows):
    """For every keypoint of a the most alike one of b near where ``matrix`` (3 x 3) puts it.

    Codes of a must be in the form that ``variant`` asks for. Writes (index a, index b) to
    ``rows``; returns (number of pairs, number of pairs at places of their own).
    """
    count = 0
    t = np.empty(6)
    for i in range(len(codes_a)):
        xa, ya = place_a[i, 0], place_a[i, 1]
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
        best, at = limit + 1, -1
        for j in range(len(codes_b)):
            allowed = tolerance + 0.2 * place_b[j, 2]
            if abs(place_b[j, 0] - x) > allowed or abs(place_b[j, 1] - y) > allowed:
                continue
            distance = np.int64(
                popcount(codes_a[i, 0] ^ codes_b[j, 0]) + popcount(codes_a[i, 1] ^ codes_b[j, 1])
            )
            if distance < best and _agrees(place_a, place_b, i, j, variant, t, tolerance):
                best, at = distance, j
        if at >= 0 and count < len(rows):
            rows[count, 0] = i
            rows[count, 1] = at
            count += 1
    return count, _distinct(place_a, place_b, rows, count, 3.0, 2.0)


@njit(cache=True, nogil=True, fastmath=True)
def _block_correlation(target, source, top, left, dy, dx, size):
    """Correlation of a block of target with one of source, shifted by (dx, dy).

    Returns it with the means and variances of both. Greys are taken relative to one of the
    block's pixels, so that float32 holds the sums; indices are unsigned, or the loops would not
    become vector instructions.
    """
    t, tt = np.float32(0), np.float32(0)
    s, ss, st = np.float32(0), np.float32(0), np.float32(0)
    zero = target[top, left]
    for y in range(np.uintp(size)):
        target_y, source_y = np.uintp(top) + y, np.uintp(top + dy) + y
        for x in range(np.uintp(size)):
            one = target[target_y, np.uintp(left) + x] - zero
            other = source[source_y, np.uintp(left + dx) + x] - zero
            t += one
            tt += one * one
            s += other
            ss += other * other
            st += one * other
    area = np.float32(size * size)
    t, s = t / area, s / area
    variance = max(tt / area - t * t, np.float32(0))
    other_variance = max(ss / area - s * s, np.float32(0))
    # One grey level of noise keeps flat blocks from a correlation of chance.
    bottom = np.sqrt((variance + np.float32(1)) * (other_variance + np.float32(1)))
    return (st / area - t * s) / bottom, t + zero, variance, s + zero, other_variance


@njit(cache=True, nogil=True)
def correlate(target, source, mask, size, step, radius, flat, out):
    """Compare blocks of two aligned float32 pictures (h, w).

    Blocks of ``size`` pixels every ``step`` pixels, where all of the block lies in ``mask``
    (uint8, not 0 in a convex area: the block's corners tell). Blocks whose standard deviation is
    below ``flat`` in both are compared only where they are. Each row of ``out`` (n, 9):
    block's upper left x, y; the best normalised cross-correlation within ``radius`` pixels and
    the shift (dx, dy) of the source that gives it; standard deviations of target and source;
    means of target and source. Returns how many.
    """
    height, width = target.shape
    last = size - 1
    count = 0
    for top in range(0, height - size + 1, step):
        for left in range(0, width - size + 1, step):
            if (
                mask[top, left] == 0
                or mask[top, left + last] == 0
                or mask[top + last, left] == 0
                or mask[top + last, left + last] == 0
            ):
                continue
            # Copies agree where they are; only what does not is looked for around.
            best, mean, variance, best_mean, best_variance = _block_correlation(
                target, source, top, left, 0, 0, size
            )
            best_dx, best_dy = 0, 0
            is_flat = max(variance, best_variance) < flat * flat
            reach = 0 if is_flat or best >= _SETTLED else radius
            for dy in range(-reach, reach + 1):
                if top + dy < 0 or top + dy + size > height:
                    continue
                for dx in range(-reach, reach + 1):
                    if left + dx < 0 or left + dx + size > width:
                        continue
                    if (
                        mask[top + dy, left + dx] == 0
                        or mask[top + dy + last, left + dx + last] == 0
                    ):
                        continue
                    value, _, _, other_mean, other_variance = _block_correlation(
                        target, source, top, left, dy, dx, size
                    )
                    # A nearer shift wins a tie.
                    near = np.float32(1e-4) * (dx * dx + dy * dy)
                    if value - near > best:
                        best, best_dx, best_dy = value - near, dx, dy
                        best_mean, best_variance = other_mean, other_variance
            out[count, 0] = left
            out[count, 1] = top
            out[count, 2] = best
            out[count, 3] = best_dx
            out[count, 4] = best_dy
            out[count, 5] = np.sqrt(variance)
            out[count, 6] = np.sqrt(best_variance)
            out[count, 7] = mean
            out[count, 8] = best_mean
            count += 1
    return count


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def has_structured(target, source, places, chosen, size, least, enough):
    """Whether ``enough`` of the chosen blocks are structured by ``least`` in both pictures.

    Any two slopes of grey correlate; they say nothing of what the pictures show.
    """
    count = 0
    for k in range(len(places)):
        if not chosen[k]:
            continue
        left, top = int(places[k, 0]), int(places[k, 1])
        if (
            _structure(target, top, left, size) >= least
            and _structure(source, top, left, size) >= least
        ):
            count += 1
            if count >= enough:
                return True
    return False


@njit(cache=True, nogil=True, fastmath=True)
def residual(target, warped, mask, left):
    """What one change of brightness and contrast leaves of the difference of two pictures.

    ``target`` and ``warped`` float32, ``mask`` uint8, 0 or 1 (all (h, w)). Fills ``left`` with
    the absolute differences where ``mask`` is 1, 0 elsewhere; returns the standard deviation of
    ``target`` there.
    """
    height, width = target.shape
    count, t, tt, w, ww, tw = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    middle = np.float32(128)
    for y in range(height):
        # Sums of a row fit into float32; indices are unsigned for vector instructions.
        n, a, aa = np.float32(0), np.float32(0), np.float32(0)
        b, bb, ab = np.float32(0), np.float32(0), np.float32(0)
        row = np.uintp(y)
        for x in range(np.uintp(width)):
            inside = np.float32(mask[row, x])
            one = (target[row, x] - middle) * inside
            other = (warped[row, x] - middle) * inside
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
    slope = np.float32(gain)
    offset = np.float32(gain * w - t)
    for y in range(height):
        row = np.uintp(y)
        for x in range(np.uintp(width)):
            apart = (target[row, x] - middle) - slope * (warped[row, x] - middle) + offset
            left[row, x] = abs(apart) * np.float32(mask[row, x])
    return np.sqrt(variance)
