"""Compiled loops of visual words: words of codes, posting lists, votes. Imported when searched."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from image_duplicate_finder.fingerprint.kernels import compiled_loop, popcount
from image_duplicate_finder.search.neighbour_kernels import insert

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable"


@compiled_loop()
def search(first, queries, by_word, lists, base, earlier, voting, best_image, best_score):
    """Look up pictures in one segment; keep for each the best in ``best_image``, ``best_score``.

    ``queries`` (:class:`visual_words.Queries`) are the pictures from ``first`` on, ``by_word``
    (:class:`SortedLookUps`) their look-ups, so that a posting list is read for all who ask for
    it, ``lists`` (:class:`PostingLists`) the segment from picture ``base`` on. Only pictures before
    the query's own count (``earlier``: all are), as ``voting`` (:class:`Voting`) says. Rows of
    ``best_score`` (n, most) are kept in falling order.
    """
    look_ups, points, turns = queries.look_ups, queries.points, queries.turns
    order, words, signatures_asked = by_word.order, by_word.words, by_word.signatures
    starts, images, signatures, geometry = lists
    limit, longest = voting.limit, voting.longest
    pictures = len(look_ups) - 1
    picture_of = np.empty(len(words), np.int32)
    for k in range(pictures):
        picture_of[look_ups[k] : look_ups[k + 1]] = k
    # First only how many entries match: most matches are of words that many share, do not vote,
    # and need not be written down. Few look-ups find any, so those that do are listed.
    counts = np.empty(len(words), np.int64)
    found_some = np.empty(len(words) + 1, np.int32)
    finders = np.int64(0)
    for k in range(len(words)):
        begin, end = starts[words[k]], starts[words[k] + 1]
        end = min(end, begin + longest)
        if not earlier and end > begin:
            own = first + picture_of[order[k]] - base
            if images[end - 1] >= own:
                end = begin + np.searchsorted(images[begin:end], own)
        near = _count(signatures_asked[k], signatures[begin:end], limit)
        counts[order[k]] = near
        found_some[finders] = k
        finders += np.int64(near > 0)
    begins = np.empty(len(words) + 1, np.int64)
    begins[0] = 0
    for k in range(pictures):
        chosen = _affordable(counts[look_ups[k] : look_ups[k + 1]], voting.matches)
        for row in range(look_ups[k], look_ups[k + 1]):
            if not chosen[row - look_ups[k]]:
                counts[row] = 0
            begins[row + 1] = begins[row] + counts[row]
    # Copied while the list is in the cache, so that voting reads one picture's matches in a row.
    found = np.empty(begins[-1], np.uint16)
    distances = np.empty(begins[-1], np.uint8)
    places = np.empty((begins[-1], 4), np.uint8)
    near_places = np.empty(longest, np.int32)
    near_distances = np.empty(longest, np.uint8)
    for k in found_some[:finders]:
        row = order[k]
        _near(
            signatures_asked[k], signatures, starts[words[k]], limit,
            counts[row], near_places, near_distances,
        )  # fmt: skip
        for entry in range(counts[row]):
            place, at = near_places[entry], begins[row] + entry
            found[at] = images[place]
            distances[at] = near_distances[entry]
            for part in range(4):
                places[at, part] = geometry[place, part]
    tally = _new_tally(voting.matches)
    for k in range(pictures):
        count = 0
        touches = 0
        for row in range(look_ups[k], look_ups[k + 1]):
            for entry in range(begins[row], begins[row + 1]):
                variant = (turns[row] ^ places[entry, 2]) & 3
                weight = _weight(distances[entry], limit)
                count, touches = _vote(
                    tally, count, touches, found[entry], points[row], entry, variant, weight
                )
        _score(
            tally, count, touches, queries.places, places, voting, base,
            best_image[k], best_score[k],
        )  # fmt: skip


@compiled_loop()
def look_up(queries, lists, segment, words_here, voting):
    """Look up keypoints in the posting lists of some words, in every segment so far.

    Row k of ``queries`` (:class:`visual_word_partitions.QueryShard`) asks for a word (a number
    below ``words_here``) on behalf of picture ``first + pictures[k]``. ``lists`` have a posting
    list for each word of each segment of ``segment`` pictures. Returns the columns of
    :class:`visual_word_partitions.Hits`.
    """
    first, pictures, points, choices, turns, words, asked = queries
    starts, images, signatures, geometry = lists
    limit, longest = voting.limit, voting.longest
    room = 1024
    keys = np.empty(room, np.uint64)
    found = np.empty(room, np.uint16)
    distances = np.empty(room, np.uint8)
    variants = np.empty(room, np.uint8)
    places = np.empty((room, 4), np.uint8)
    near_places = np.empty(longest, np.int32)
    near_distances = np.empty(longest, np.uint8)
    count = 0
    for k in range(len(words)):
        own = first + pictures[k]
        for each in range(own // segment + 1):
            row = each * words_here + words[k]
            begin, end = starts[row], starts[row + 1]
            end = min(end, begin + longest)
            if each == own // segment and end > begin and images[end - 1] >= own % segment:
                end = begin + np.searchsorted(images[begin:end], own % segment)
            near = _count(asked[k], signatures[begin:end], limit)
            _near(asked[k], signatures, begin, limit, near, near_places, near_distances)
            for entry in range(near):
                place = near_places[entry]
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
                distances[count] = near_distances[entry]
                variants[count] = (turns[k] ^ geometry[place, 2]) & 3
                places[count] = geometry[place]
                count += 1
    return keys[:count], found[:count], distances[:count], variants[:count], places[:count]


@compiled_loop()
def score_hits(hits, offsets, query, segment, voting, best_image, best_score):
    """Score what :func:`look_up` found for one block of pictures, given in the order of ``keys``.

    ``offsets`` and ``query`` are the offsets and places of :class:`visual_words.Queries`.
    ``best_image`` and ``best_score`` are those of :func:`search`, and so is the result, however
    the words were partitioned.
    """
    keys = hits.keys
    tally = _new_tally(voting.matches)
    row = 0
    while row < len(keys):
        run = keys[row] >> np.uint64(24)
        begins = [row]
        while row < len(keys) and keys[row] >> np.uint64(24) == run:
            if keys[row] != keys[begins[-1]]:
                begins.append(row)
            row += 1
        begins.append(row)
        found = np.diff(np.array(begins))
        chosen = _affordable(found, voting.matches)
        picture = np.int64(run >> np.uint64(16))
        count = 0
        touches = 0
        for look_up in range(len(found)):
            if not chosen[look_up]:
                continue
            for entry in range(begins[look_up], begins[look_up + 1]):
                point = np.int64((keys[entry] >> np.uint64(8)) & np.uint64(0xFFFF))
                count, touches = _vote(
                    tally, count, touches, hits.images[entry], offsets[picture] + point, entry,
                    hits.variants[entry], _weight(hits.distances[entry], voting.limit),
                )  # fmt: skip
        base = np.int64(run & np.uint64(0xFFFF)) * segment
        _score(
            tally, count, touches, query, hits.geometry, voting, base,
            best_image[picture], best_score[picture],
        )  # fmt: skip


class _Tally(NamedTuple):
    """Room for the matches of one picture with those of one segment, used again for the next.

    By picture of the segment (65,536,): ``votes``, ``slot_of``, ``last_voter`` (the keypoint that
    voted last, or -1); ``touched`` lists those with votes. By match: ``image``, ``source`` (row of
    the query), ``target`` (row of the found geometry), ``variant``, ``weight``; ``ordered`` lists
    matches by picture.
    """

    votes: Any
    slot_of: Any
    last_voter: Any
    touched: Any
    image: Any
    source: Any
    target: Any
    variant: Any
    weight: Any
    ordered: Any


@compiled_loop()
def _new_tally(matches):
    return _Tally(
        np.zeros(65536, np.int32),
        np.zeros(65536, np.int32),
        np.full(65536, -1, np.int32),
        np.empty(65536, np.int32),
        np.empty(matches, np.uint16),
        np.empty(matches, np.int32),
        np.empty(matches, np.int32),
        np.empty(matches, np.int8),
        np.empty(matches, np.int32),
        np.empty(matches, np.int32),
    )


@compiled_loop()
def _vote(tally, count, touches, image, source, target, variant, weight):
    """Note one match, unless this keypoint voted for this picture before: new counts."""
    if tally.last_voter[image] == source:
        return count, touches
    tally.last_voter[image] = source
    if tally.votes[image] == 0:
        tally.touched[touches] = image
        touches += 1
    tally.votes[image] += 1
    tally.image[count] = image
    tally.source[count] = source
    tally.target[count] = target
    tally.variant[count] = variant
    tally.weight[count] = weight
    return count + 1, touches


@compiled_loop()
def _score(tally, count, touches, query, geometry, voting, base, best_image, best_score):
    """Score the pictures of one segment by the matches of one query, and keep the best.

    The first ``count`` matches of the tally are the query's in the order in which they were
    found; their pictures are ``touched[:touches]``. The tally is left ready for the next query.
    """
    votes, slot_of, last_voter = tally.votes, tally.slot_of, tally.last_voter
    touched, ordered, unit = tally.touched, tally.ordered, _weight(0, voting.limit)
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
        b = tally.image[c]
        if slot_of[b] >= 0:
            ordered[slot_of[b]] = c
            slot_of[b] += 1
    last = len(best_score) - 1
    for t in range(slots):
        b = touched[t]
        end = slot_of[b]
        begin = end - votes[b]
        votes[b] = 0
        last_voter[b] = -1
        whole = 0
        for m in range(begin, end):
            whole += tally.weight[ordered[m]]
        # All matches together are the most that can agree.
        if whole < voting.least * unit or whole <= best_score[last] * unit:
            continue
        n = end - begin
        rows = np.empty((9, n), np.float32)
        variants = np.empty(n, np.int8)
        weights = np.empty(n, np.int32)
        for m in range(n):
            match = ordered[begin + m]
            row, at, variant = tally.source[match], tally.target[match], tally.variant[match]
            mirrored = variant == 1 or variant == 2
            angle = geometry[at, 3] * (np.pi / 128)
            turn = angle + query[row, 3] - np.pi if mirrored else angle - query[row, 3]
            rows[0, m] = -query[row, 0] if mirrored else query[row, 0]
            rows[1, m] = query[row, 1]
            rows[2, m] = geometry[at, 0]
            rows[3, m] = geometry[at, 1]
            rows[4, m] = (geometry[at, 2] >> 2) * 0.125 - 1.0 - query[row, 2]
            rows[5, m] = np.cos(turn)
            rows[6, m] = np.sin(turn)
            rows[7, m] = -rows[5, m] if variant >= 2 else rows[5, m]
            rows[8, m] = -rows[6, m] if variant >= 2 else rows[6, m]
            variants[m] = variant
            weights[m] = tally.weight[match]
        most = 0
        for h in range(min(n, 32)):
            most = max(most, _support(h, rows, variants, weights, np.float32(voting.tolerance)))
            if most == whole:
                break
        best = most / unit
        if best < voting.least or best <= best_score[last]:
            continue
        insert(best_score, best_image, best, base + b)


@compiled_loop()
def _support(i, rows, variants, weights, tolerance):
    """The sum of the weights of all matches that agree with match i on a similarity transform.

    ``rows`` (9, n) float32: place asked and place found (x, y each; the first x negated where the
    match is mirrored), log2 of the scale, cosine and sine of the turn, both again as they turn
    the picture. One pass without branches, for vector units.
    """
    from_x, from_y, to_x, to_y, shift, cosine, sine, _, _ = rows
    x_i, y_i, x_j, y_j = from_x[i], from_y[i], to_x[i], to_y[i]
    scale = np.float32(2.0) ** shift[i]
    c, s = scale * rows[7, i], scale * rows[8, i]
    slack = np.float32(0.1) * scale
    total = np.int32(0)
    for k in range(len(variants)):
        x, y = from_x[k] - x_i, from_y[k] - y_i
        right, down = to_x[k] - x_j, to_y[k] - y_j
        dx, dy = c * x - s * y - right, s * x + c * y - down
        allowed = tolerance + slack * np.sqrt(x * x + y * y)
        agrees = (
            (variants[k] == variants[i])
            & (abs(right) + abs(down) >= np.float32(3.0))
            & (abs(shift[k] - shift[i]) <= np.float32(0.7))
            & (cosine[k] * cosine[i] + sine[k] * sine[i] >= np.float32(0.85))
            & (dx * dx + dy * dy < allowed * allowed)
        )
        total += weights[k] if agrees else np.int32(0)
    return total + weights[i]


@compiled_loop()
def _weight(distance, limit):
    """What a match counts, from ten tenths of ``limit`` for equal codes down to three."""
    return 10 * limit - 7 * distance


@compiled_loop()
def _count(asked, part, limit):
    """How many signatures of ``part`` are within ``limit`` bits of ``asked``: no branches."""
    count = np.int64(0)
    for k in range(len(part)):
        # As signed numbers: numba compares an unsigned one with a signed one as floats.
        count += np.int64(np.int64(popcount(asked ^ part[k])) <= limit)
    return count


@compiled_loop()
def _near(asked, signatures, begin, limit, count, places, distances):
    """Write the first ``count`` entries from ``begin`` on within ``limit`` bits of ``asked``.

    There must be that many. Each entry is written and the next one overwrites it unless it was
    near: a branch that cannot be foreseen costs more than that.
    """
    found = 0
    at = begin
    while found < count:
        distance = np.int64(popcount(asked ^ signatures[at]))
        places[found] = at
        distances[found] = distance
        found += np.int64(distance <= limit)
        at += 1


@compiled_loop()
def _affordable(counts, matches):
    """Which look-ups of a picture vote, by what each of them found: ``matches`` in all at most.

    Those that found the least come first, then the order decides: what few pictures have is
    more distinctive than what many have.
    """
    most = 0
    for count in counts:
        most = max(most, count)
    histogram = np.zeros(most + 1, np.int64)
    for count in counts:
        histogram[count] += count
    enough, left = 0, matches
    while enough <= most and histogram[enough] <= left:
        left -= histogram[enough]
        enough += 1
    chosen = np.empty(len(counts), np.bool_)
    for k in range(len(counts)):
        chosen[k] = counts[k] < enough
        if counts[k] == enough and counts[k] <= left:
            chosen[k] = True
            left -= counts[k]
    return chosen


_NO_KEY = np.int32(np.iinfo(np.int32).max)


@compiled_loop()
def _next_key(keys, last):
    """The least of ``keys`` above ``last``: one pass without branches, for vector units."""
    best = _NO_KEY
    for k in range(len(keys)):
        key = keys[k]
        best = min(best, key if key > last else _NO_KEY)
    return best


@compiled_loop()
def assign(codes, coarse, fine, nearest_cells, words, distances):
    """The nearest words of codes (n, 2) uint64, the very nearest first.

    ``coarse`` (2, c) and ``fine`` (c, 2, f) are the vocabulary's two levels; the words of the
    ``nearest_cells`` nearest coarse centres are looked at. Fills ``words`` (n, m) uint16 and
    ``distances`` (n, m) uint8, in bits.
    """
    many, each = coarse.shape[1], fine.shape[2]
    # A key is a distance, and below it the place it was found at: the first of equals wins.
    coarse_keys = np.empty(many, np.int32)
    fine_keys = np.empty(nearest_cells * each, np.int32)
    cells = np.empty(nearest_cells, np.int32)
    for k in range(len(codes)):
        a0, a1 = codes[k, 0], codes[k, 1]
        for c in range(many):
            apart = np.int32(popcount(a0 ^ coarse[0, c]) + popcount(a1 ^ coarse[1, c]))
            coarse_keys[c] = apart << 16 | c
        key = np.int32(-1)
        for n in range(nearest_cells):
            key = _next_key(coarse_keys, key)
            cells[n] = key & 0xFFFF
            first, second = fine[cells[n], 0], fine[cells[n], 1]
            part = fine_keys[n * each : (n + 1) * each]
            for f in range(each):
                apart = np.int32(popcount(a0 ^ first[f]) + popcount(a1 ^ second[f]))
                part[f] = apart << 16 | n * each + f
        key = np.int32(-1)
        for m in range(words.shape[1]):
            key = _next_key(fine_keys, key)
            place = key & 0xFFFF
            words[k, m] = cells[place // each] * each + place % each
            distances[k, m] = key >> 16


@compiled_loop()
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
