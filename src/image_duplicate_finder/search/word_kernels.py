"""Compiled loops of the word index. Imported only when an index is searched."""

from __future__ import annotations

import numpy as np
from numba import njit

from image_duplicate_finder.fingerprint.popcount import popcount

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable"

CAPACITY = 1 << 17
"""Matches of one query with one segment that are looked at; hardly ever are there more."""


@njit(cache=True, nogil=True)
def assign(codes, coarse, fine, nearest_cells, words):
    """The nearest words of codes (n, 2) uint64, the very nearest first.

    ``coarse`` (c, 2) and ``fine`` (c, f, 2) are the vocabulary's two levels; the words of the
    ``nearest_cells`` nearest coarse centres are looked at. Fills ``words`` (n, m) int32.
    """
    cells = np.empty(nearest_cells, np.int64)
    cell_distance = np.empty(nearest_cells, np.int64)
    most = words.shape[1]
    distance_of = np.empty(most, np.int64)
    for k in range(len(codes)):
        a0, a1 = codes[k, 0], codes[k, 1]
        cell_distance[:] = 999
        for c in range(len(coarse)):
            distance = np.int64(popcount(a0 ^ coarse[c, 0]) + popcount(a1 ^ coarse[c, 1]))
            if distance < cell_distance[-1]:
                place = nearest_cells - 1
                while place > 0 and cell_distance[place - 1] > distance:
                    cell_distance[place] = cell_distance[place - 1]
                    cells[place] = cells[place - 1]
                    place -= 1
                cell_distance[place] = distance
                cells[place] = c
        distance_of[:] = 999
        for cell in cells:
            for f in range(fine.shape[1]):
                distance = np.int64(
                    popcount(a0 ^ fine[cell, f, 0]) + popcount(a1 ^ fine[cell, f, 1])
                )
                if distance < distance_of[-1]:
                    place = most - 1
                    while place > 0 and distance_of[place - 1] > distance:
                        distance_of[place] = distance_of[place - 1]
                        words[k, place] = words[k, place - 1]
                        place -= 1
                    distance_of[place] = distance
                    words[k, place] = cell * fine.shape[1] + f


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


@njit(cache=True, nogil=True)
def _agree(query, i, k, x_j, y_j, s_j, a_j, x_m, y_m, s_m, a_m, variant, tolerance):
    """Whether matches i -> j and k -> m tell of one similarity transform.

    i and k are rows (x, y, log2 of size, angle) of ``query``; j and m are given by values.
    """
    shift = s_j - query[i, 2]
    if abs(shift - (s_m - query[k, 2])) > 0.7:
        return False
    mirrored = variant == 1 or variant == 2
    if mirrored:
        turn_i, turn_k = a_j + query[i, 3] - np.pi, a_m + query[k, 3] - np.pi
    else:
        turn_i, turn_k = a_j - query[i, 3], a_m - query[k, 3]
    if np.cos(turn_i - turn_k) < 0.85:
        return False
    if variant >= 2:
        turn_i += np.pi
    scale = 2.0**shift
    c, s = scale * np.cos(turn_i), scale * np.sin(turn_i)
    x, y = query[k, 0] - query[i, 0], query[k, 1] - query[i, 1]
    if mirrored:
        x = -x
    dx = x_j + c * x - s * y - x_m
    dy = y_j + s * x + c * y - y_m
    allowed = tolerance + 0.1 * np.sqrt(x * x + y * y) * scale
    return dx * dx + dy * dy < allowed * allowed


@njit(cache=True, nogil=True)
def settle(
    count, touches, touched, votes, slot_of, last_voter, ordered,
    match_image, match_from, match_to, match_variant, match_weight,
    query, geometry, tolerance, least, base, best_image, best_score,
):  # fmt: skip
    """Score the pictures of one segment by the matches of one query, and keep the best.

    The first ``count`` of ``match_*`` are the query's matches in the order in which they were
    found: picture, row of ``query``, row of ``geometry``, variant, weight. ``touched[:touches]``
    are their pictures, ``votes`` how many matches each has. ``votes`` and ``last_voter`` are left
    as they must be for the next query.
    """
    # Matches in the order of their pictures, for pictures that have enough.
    slots = 0
    total = 0
    for t in range(touches):
        b = touched[t]
        if votes[b] >= 3:
            slot_of[b] = total
            total += votes[b]
            touched[slots] = b
            slots += 1
        else:
            slot_of[b] = -1
            votes[b] = 0
            last_voter[b] = -1
    for c in range(count):
        b = match_image[c]
        if slot_of[b] >= 0:
            ordered[slot_of[b]] = c
            slot_of[b] += 1
    for t in range(slots):
        b = touched[t]
        end = slot_of[b]
        begin = end - votes[b]
        votes[b] = 0
        last_voter[b] = -1
        best = 0.0
        for h in range(begin, min(end, begin + 32)):
            mine = ordered[h]
            to = match_to[mine]
            x, y = np.float64(geometry[to, 0]), np.float64(geometry[to, 1])
            size = (geometry[to, 2] >> 2) * 0.125 - 1.0
            angle = geometry[to, 3] * (np.pi / 128)
            score = match_weight[mine]
            for other in range(begin, end):
                theirs = ordered[other]
                at = match_to[theirs]
                if (
                    match_variant[theirs] != match_variant[mine]
                    or abs(geometry[at, 0] - x) + abs(geometry[at, 1] - y) < 3
                ):
                    continue
                if _agree(
                    query, match_from[mine], match_from[theirs], x, y, size, angle,
                    np.float64(geometry[at, 0]), np.float64(geometry[at, 1]),
                    (geometry[at, 2] >> 2) * 0.125 - 1.0, geometry[at, 3] * (np.pi / 128),
                    match_variant[mine], tolerance,
                ):  # fmt: skip
                    score += match_weight[theirs]
            best = max(best, score)
        last = len(best_score) - 1
        if best < least or best <= best_score[last]:
            continue
        place = last
        while place > 0 and best_score[place - 1] < best:
            best_score[place] = best_score[place - 1]
            best_image[place] = best_image[place - 1]
            place -= 1
        best_score[place] = best
        best_image[place] = base + b


@njit(cache=True, nogil=True)
def search(
    first, offsets, query, forms, allowed_forms, flags, words,
    starts, images, signatures, geometry, base, limit, longest, tolerance, least,
    best_image, best_score,
):  # fmt: skip
    """Look up pictures in one segment; keep for each the best in ``best_image``, ``best_score``.

    Queries: keypoints ``offsets[k]`` to ``offsets[k + 1]`` belong to picture ``first + k``;
    ``query`` (q, 4) float32 rows of x, y, log2 of size, angle; ``forms`` (q, 4, 2) uint64 codes
    in the flips that the bits of ``allowed_forms`` (q,) permit; ``words`` (q, 4, m).
    Segment: ``starts`` of posting lists; per entry its picture (uint16, from ``base`` on),
    signature (the code's first word) and ``geometry`` (e, 4) uint8. Only pictures before the
    query's own count. Rows of ``best_score`` are kept in falling order, from ``least`` on.
    """
    votes = np.zeros(65536, np.int32)
    slot_of = np.zeros(65536, np.int32)
    last_voter = np.full(65536, -1, np.int64)
    match_image = np.empty(CAPACITY, np.uint16)
    match_from = np.empty(CAPACITY, np.int32)
    match_to = np.empty(CAPACITY, np.int32)
    match_variant = np.empty(CAPACITY, np.int8)
    match_weight = np.empty(CAPACITY, np.float32)
    touched = np.empty(65536, np.int32)
    ordered = np.empty(CAPACITY, np.int32)
    for k in range(len(offsets) - 1):
        own = first + k - base
        count = 0
        touches = 0
        for q in range(offsets[k], offsets[k + 1]):
            for form in range(4):
                if (allowed_forms[q] >> form) & 1 == 0:
                    continue
                signature = forms[q, form, 0]
                for choice in range(words.shape[2]):
                    word = words[q, form, choice]
                    begin, end = starts[word], starts[word + 1]
                    if end - begin > longest:
                        end = begin + longest
                    for place in range(begin, end):
                        distance = np.int64(popcount(signature ^ signatures[place]))
                        if distance > limit:
                            continue
                        b = images[place]
                        if b >= own:
                            break
                        if last_voter[b] == q or count == CAPACITY:
                            continue
                        last_voter[b] = q
                        if votes[b] == 0:
                            touched[touches] = b
                            touches += 1
                        votes[b] += 1
                        match_image[count] = b
                        match_from[count] = q
                        match_to[count] = place
                        match_variant[count] = (flags[q] ^ form ^ geometry[place, 2]) & 3
                        match_weight[count] = 1.0 - 0.7 * distance / limit
                        count += 1
        settle(
            count, touches, touched, votes, slot_of, last_voter, ordered,
            match_image, match_from, match_to, match_variant, match_weight,
            query, geometry, tolerance, least, base, best_image[k], best_score[k],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def look_up(
    first, pictures, points, choices, turns, words, asked,
    starts, images, signatures, geometry, segment, words_here, limit, longest,
):  # fmt: skip
    """Look up keypoints in the posting lists of some words, in every segment so far.

    Row k asks for ``words[k]`` (a number below ``words_here``) with the signature ``asked[k]``
    on behalf of picture ``first + pictures[k]``; ``points``, ``choices`` and ``turns`` name its
    keypoint, the form and rank of its word, and its flips. ``starts`` has a posting list for
    each word of each segment of ``segment`` pictures, see :func:`search` for the other arrays.

    Returns keys uint64 (picture, segment, keypoint, choice, from the highest bits down), and
    pictures within the segment, distances, variants and geometry of the entries that match.
    """
    room = 1024
    keys = np.empty(room, np.uint64)
    found = np.empty(room, np.uint16)
    distances = np.empty(room, np.uint8)
    variants = np.empty(room, np.uint8)
    places = np.empty((room, 4), np.uint8)
    count = 0
    for k in range(len(words)):
        own = first + pictures[k]
        for each in range(own // segment + 1):
            row = each * words_here + words[k]
            begin, end = starts[row], starts[row + 1]
            if end - begin > longest:
                end = begin + longest
            for place in range(begin, end):
                distance = np.int64(popcount(asked[k] ^ signatures[place]))
                if distance > limit:
                    continue
                if images[place] >= own - each * segment:
                    break
                if count == room:
                    room *= 2
                    keys = np.concatenate((keys, np.empty_like(keys)))
                    found = np.concatenate((found, np.empty_like(found)))
                    distances = np.concatenate((distances, np.empty_like(distances)))
                    variants = np.concatenate((variants, np.empty_like(variants)))
                    places = np.concatenate((places, np.empty_like(places)))
                keys[count] = (
                    (np.uint64(pictures[k]) << np.uint64(40))
                    | (np.uint64(each) << np.uint64(24))
                    | (np.uint64(points[k]) << np.uint64(8))
                    | np.uint64(choices[k])
                )
                found[count] = images[place]
                distances[count] = distance
                variants[count] = (turns[k] ^ geometry[place, 2]) & 3
                places[count] = geometry[place]
                count += 1
    return keys[:count], found[:count], distances[:count], variants[:count], places[:count]


@njit(cache=True, nogil=True)
def settle_found(
    keys, images, distances, variants, geometry, offsets, query, segment, limit, tolerance,
    least, best_image, best_score,
):  # fmt: skip
    """Score what :func:`look_up` found for one block of pictures, given in the order of ``keys``.

    ``offsets`` and ``query`` are those of :func:`search`; so are ``best_image``, ``best_score``,
    and the result, whatever the words were shared out to.
    """
    votes = np.zeros(65536, np.int32)
    slot_of = np.zeros(65536, np.int32)
    last_voter = np.full(65536, -1, np.int64)
    match_image = np.empty(CAPACITY, np.uint16)
    match_from = np.empty(CAPACITY, np.int32)
    match_to = np.empty(CAPACITY, np.int32)
    match_variant = np.empty(CAPACITY, np.int8)
    match_weight = np.empty(CAPACITY, np.float32)
    touched = np.empty(65536, np.int32)
    ordered = np.empty(CAPACITY, np.int32)
    row = 0
    while row < len(keys):
        run = keys[row] >> np.uint64(24)
        picture = np.int64(run >> np.uint64(16))
        count = 0
        touches = 0
        while row < len(keys) and keys[row] >> np.uint64(24) == run:
            q = offsets[picture] + np.int64((keys[row] >> np.uint64(8)) & np.uint64(0xFFFF))
            b = images[row]
            if last_voter[b] != q and count < CAPACITY:
                last_voter[b] = q
                if votes[b] == 0:
                    touched[touches] = b
                    touches += 1
                votes[b] += 1
                match_image[count] = b
                match_from[count] = q
                match_to[count] = row
                match_variant[count] = variants[row]
                match_weight[count] = 1.0 - 0.7 * np.int64(distances[row]) / limit
                count += 1
            row += 1
        settle(
            count, touches, touched, votes, slot_of, last_voter, ordered,
            match_image, match_from, match_to, match_variant, match_weight,
            query, geometry, tolerance, least, np.int64(run & np.uint64(0xFFFF)) * segment,
            best_image[picture], best_score[picture],
        )  # fmt: skip
