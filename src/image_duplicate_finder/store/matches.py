"""Pairs of contents: matches, what was verified at all, closer looks, and what looks similar."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.model import (
    Box,
    ContentPair,
    Difference,
    Look,
    Match,
    Relation,
    Transform,
    homogeneous,
)
from image_duplicate_finder.relations import (
    CROP_OF_OTHER_SQL,
    IS_DUPLICATE_SQL,
    NONE,
    SHOWS_MORE_SQL,
    Composites,
    is_duplicate,
    shows_more,
)
from image_duplicate_finder.store.database import Database, marks, slices
from image_duplicate_finder.store.files import READ_JSON, ContentStore

if TYPE_CHECKING:  # the web app starts without numpy
    import numpy as np
    from numpy.typing import NDArray

    from image_duplicate_finder.grouping.projection import Links, SimilarPairs


RELATION_OF = {relation.value: relation for relation in Relation}
"""Relations by how they are stored: a call of the enumeration takes four times as long."""
_COLUMNS = (
    "a, b, relation, transform, mirrored, negative, share_a, share_b, score, agreement,"
    " brightness, same_photograph"
)


def transform_to_json(transform: Transform | None) -> str | None:
    """A transform as stored text."""
    return None if transform is None else json.dumps(transform)


def transform_from_json(text: str | None) -> Transform | None:
    """A transform from stored text."""
    if text is None:
        return None
    rows, _ = READ_JSON(text)
    return tuple([(x, y, shift) for x, y, shift in rows])


class MatchStore:
    """Reads and writes ``match`` and ``verified``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, verifier: str, matches: Iterable[Match]) -> None:
        """Store matches; each has ``a < b``. A stored match of the pair is replaced."""
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO match VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                (
                    verifier,
                    match.a,
                    match.b,
                    match.relation.value,
                    transform_to_json(match.transform),
                    int(match.mirrored),
                    int(match.negative),
                    match.share_a,
                    match.share_b,
                    match.score,
                    match.agreement,
                    match.brightness,
                    int(match.same_photograph),
                )
                for match in matches
            ],
        )

    def among(self, verifier: str, contents: set[int]) -> list[Match]:
        """All stored matches whose both contents are in ``contents``, ordered by pair."""
        rows = self._database.connection.execute(
            f"SELECT {_COLUMNS} FROM match WHERE verifier = ? ORDER BY a, b", (verifier,)
        )
        return [_match(row) for row in rows if row[0] in contents and row[1] in contents]

    def links(self, verifier: str) -> Links:
        """The matches of duplicates, without their evidence."""
        import numpy as np

        from image_duplicate_finder.grouping.projection import Links

        rows = self._database.connection.execute(
            f"SELECT a, b, {CROP_OF_OTHER_SQL}, {SHOWS_MORE_SQL}, relation = 'edited' FROM match"
            f" WHERE verifier = ? AND {IS_DUPLICATE_SQL}",
            (verifier,),
        )
        columns = [(name, np.int64) for name in ("a", "b", "partial", "whole")]
        pairs = np.fromiter(rows, [*columns, ("edited", np.bool_)])
        return Links(*(np.ascontiguousarray(pairs[name]) for name in pairs.dtype.names or ()))

    def no_links(self, verifier: str, contents: set[int]) -> list[Match]:
        """The other matches among ``contents``, ordered by pair."""
        rows = self._database.connection.execute(
            f"SELECT {_COLUMNS} FROM match WHERE verifier = ? AND NOT {IS_DUPLICATE_SQL}"
            " ORDER BY a, b",
            (verifier,),
        )
        return [_match(row) for row in rows if row[0] in contents and row[1] in contents]

    def between(self, verifier: str, one: int, other: int) -> Match:
        """The stored match of two contents, from ``one`` to ``other``. Raises KeyError."""
        row = self._database.connection.execute(
            f"SELECT {_COLUMNS} FROM match WHERE verifier = ? AND a = ? AND b = ?",
            (verifier, min(one, other), max(one, other)),
        ).fetchone()
        if row is None:
            raise KeyError((one, other))
        match = _match(row)
        return match.seen_from(one)

    def of(self, verifier: str, content: int, others: Collection[int]) -> dict[int, Match]:
        """The stored matches of a content with some of ``others``, each from it to the other."""
        found: dict[int, Match] = {}
        for part in slices(sorted(others)):
            ids = ",".join(map(str, part))
            for row in self._database.connection.execute(
                f"SELECT {_COLUMNS} FROM match WHERE verifier = ?1 AND a = ?2 AND b IN ({ids})"
                f" UNION ALL SELECT {_COLUMNS} FROM match"
                f" WHERE verifier = ?1 AND b = ?2 AND a IN ({ids})",
                (verifier, content),
            ):
                match = _match(row)
                seen = match.seen_from(content)
                found[seen.b] = seen
        return found

    def is_composite(self, verifier: str, match: Match) -> bool:
        """Whether ``match`` calls a composite a copy of what is only a part of it.

        What :meth:`.Composites.splits` says when all stored matches of the composite are known.
        """
        whole = shows_more(match)
        if whole == NONE:
            return False
        rows = self._database.connection.execute(
            f"SELECT {_COLUMNS} FROM match WHERE verifier = ?1 AND a = ?2 AND share_a < share_b"
            f" UNION ALL SELECT {_COLUMNS} FROM match WHERE verifier = ?1 AND b = ?2"
            " AND share_b < share_a",
            (verifier, whole),
        )
        return Composites(map(_match, rows)).splits(match)

    def relation(self, one: bytes, other: bytes) -> Relation | None:
        """What two contents, by their hashes, were verified to be to each other."""
        row = self._database.connection.execute(
            "SELECT relation FROM match JOIN content one ON one.hash = ?1"
            " JOIN content other ON other.hash = ?2"
            f" WHERE a = min(one.id, other.id) AND b = max(one.id, other.id) AND {IS_DUPLICATE_SQL}"
            " ORDER BY verifier DESC LIMIT 1",
            (one, other),
        ).fetchone()
        return None if row is None else RELATION_OF[row[0]]

    def copies(self, pairs: Iterable[tuple[bytes, bytes]]) -> set[tuple[bytes, bytes]]:
        """Those of some pairs of content hashes that are verified to show one photograph.

        By any verifier: what an earlier version verified was measured too. Pairs that a person
        said are no duplicates are none.
        """
        pairs = list(pairs)
        hashes = {each for pair in pairs for each in pair}
        ids = ContentStore(self._database).ids_of(list(hashes))
        verifiers = self._verifiers()
        connection = self._database.connection
        found = set()
        for pair in pairs:
            one, other = (ids.get(each) for each in pair)
            if one is None or other is None or one == other:
                continue
            dismissed = connection.execute(
                "SELECT 1 FROM dismissed WHERE first = ? AND second = ?", (min(pair), max(pair))
            ).fetchone()
            if dismissed is None and any(
                is_duplicate(match) and not self.is_composite(verifier, match)
                for verifier in verifiers
                for match in self.of(verifier, one, [other]).values()
            ):
                found.add(pair)
        return found

    def _verifiers(self) -> list[str]:
        """The names of all verifiers that have matches: one look-up each, not one for each row."""
        rows = self._database.connection.execute(
            "WITH RECURSIVE name(v) AS (SELECT min(verifier) FROM match UNION ALL"
            " SELECT (SELECT min(verifier) FROM match WHERE verifier > v) FROM name"
            " WHERE v IS NOT NULL) SELECT v FROM name WHERE v IS NOT NULL"
        )
        return [row[0] for row in rows]

    def verified_with(self, verifier: str, content: int, others: Collection[int]) -> set[int]:
        """Those of ``others`` that were verified against a content, matched or not."""
        wanted = set(others)
        found = {b for b in self._verified_of(verifier, content) if b in wanted}
        return found | {
            a for a in wanted if a < content and content in self._verified_of(verifier, a)
        }

    def add_verified(self, verifier: str, pairs: Iterable[tuple[int, int]]) -> None:
        """Remember further pairs ``(low, high)`` as verified."""
        more: dict[int, set[int]] = {}
        for a, b in pairs:
            more.setdefault(a, set()).add(b)
        with self._database.atomic():
            self.put_verified(
                verifier, {a: self._verified_of(verifier, a) | others for a, others in more.items()}
            )

    def _verified_of(self, verifier: str, content: int) -> set[int]:
        row = self._database.connection.execute(
            "SELECT others FROM verified WHERE verifier = ? AND a = ?", (verifier, content)
        ).fetchone()
        return set() if row is None else set(array("i", row[0]))

    def verified(self, verifier: str) -> dict[int, set[int]]:
        """For each content a, the contents b > a that were verified against it."""
        rows = self._database.connection.execute(
            "SELECT a, others FROM verified WHERE verifier = ?", (verifier,)
        )
        return {row[0]: set(array("i", row[1])) for row in rows}

    def put_verified(self, verifier: str, others_of: dict[int, set[int]]) -> None:
        """Remember pairs as verified, in place of what was remembered for these contents."""
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO verified (verifier, a, others) VALUES (?,?,?)",
            [
                (verifier, a, array("i", sorted(others)).tobytes())
                for a, others in others_of.items()
            ],
        )


def _match(row: tuple[Any, ...]) -> Match:
    a, b, relation, transform, mirrored, negative, *numbers = row
    share_a, share_b, score, agreement, brightness, same = numbers
    return Match(
        a,
        b,
        RELATION_OF[relation],
        transform_from_json(transform),
        mirrored != 0,
        negative != 0,
        share_a,
        share_b,
        score,
        agreement,
        brightness,
        same != 0,
    )


_FIGURES = (
    *("worst", "tone", "chroma", "detail", "coherence", "rest_a", "rest_b"),
    *("border_a", "border_b", "differing", "recoloured", "sharpened"),
)
_HEAD = struct.Struct(f"<B9f{len(_FIGURES)}f")
_PLACE = struct.Struct("<8If")
_MOST_PLACES = 5
_MIRRORED, _ANOTHER_SHOT, _DRAWING, _RESAVED, _SOURCE = 1, 2, 4, 8, 16
_FILTERED, _UNEXPLAINED = 32, 64


def pack_places(differences: Sequence[Difference]) -> bytes:
    """The strongest differences as stored."""
    return b"".join(
        _PLACE.pack(*each.in_a, *each.in_b, each.strength) for each in differences[:_MOST_PLACES]
    )


def unpack_places(data: bytes) -> tuple[Difference, ...]:
    """Differences from how they are stored."""
    return tuple(
        Difference(Box(*values[:4]), Box(*values[4:8]), values[8])
        for values in _PLACE.iter_unpack(data)
    )


def pack(look: Look | None) -> bytes:
    """A look as stored.

    Little-endian: flags (1 mirrored, 2 another shot, 4 drawing, 8 resaved, 16 source of the
    other, 32 filtered, 64 unexplained), nine numbers of the 3 x 3 transform (float32), the figures
    of :class:`~model.Look` in the order of ``_FIGURES`` (float32), and the strongest differences:
    two boxes (four uint32 each) and a strength (float32). Below 300 bytes. An empty row says that
    the two could not be aligned.
    """
    if look is None:
        return b""
    flags = look.mirrored * _MIRRORED + look.another_shot * _ANOTHER_SHOT + look.drawing * _DRAWING
    flags += (look.resaved > 0) * _RESAVED + (look.resaved < 0) * _SOURCE
    flags += look.filtered * _FILTERED + look.unexplained * _UNEXPLAINED
    matrix = [value for row in homogeneous(look.transform) for value in row]
    head = _HEAD.pack(flags, *matrix, *(getattr(look, name) for name in _FIGURES))
    return head + pack_places(look.differences)


def unpack(data: bytes) -> Look | None:
    """A look from how it is stored."""
    if not data:
        return None
    flags, *numbers = _HEAD.unpack_from(data)
    rows = tuple((numbers[at], numbers[at + 1], numbers[at + 2]) for at in (0, 3, 6))
    return Look(
        transform=rows[:2] if rows[2] == (0.0, 0.0, 1.0) else rows,
        mirrored=bool(flags & _MIRRORED),
        differences=unpack_places(data[_HEAD.size :]),
        another_shot=bool(flags & _ANOTHER_SHOT),
        drawing=bool(flags & _DRAWING),
        resaved=bool(flags & _RESAVED) - bool(flags & _SOURCE),
        filtered=bool(flags & _FILTERED),
        unexplained=bool(flags & _UNEXPLAINED),
        **dict(zip(_FIGURES, numbers[9:], strict=True)),
    )


class LookStore:
    """Reads and writes ``look``: one row for each pair of contents ``(low id, high id)``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, version: int, looks: Mapping[ContentPair, Look | None]) -> None:
        """Store looks from the first to the second content of each pair."""
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO look (a, b, version, data) VALUES (?,?,?,?)",
            [(a, b, version, pack(look)) for (a, b), look in looks.items()],
        )

    def known(self, version: int, contents: Iterable[int]) -> dict[ContentPair, Look | None]:
        """All looks of this version among ``contents``."""
        wanted = set(contents)
        found: dict[ContentPair, Look | None] = {}
        for part in slices(sorted(wanted)):
            rows = self._database.connection.execute(
                f"SELECT a, b, data FROM look WHERE version = ? AND a IN ({marks(part)})",
                (version, *part),
            )
            found.update(((a, b), unpack(data)) for a, b, data in rows if b in wanted)
        return found


# Parts bound the memory that storing them takes: 12 bytes a pair.
_PAIRS_OF_A_PART = 1 << 17
_DTYPE = [("a", "<i4"), ("b", "<i4"), ("cosine", "<f4")]


class SimilarStore:
    """Reads and writes ``similar_pairs``: a scan's pairs that look similar, packed.

    There are dozens for each picture. As rows they would take longer to store than to find, and
    most of a library's space.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self,
        scan: int,
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        cosine: NDArray[np.float32],
    ) -> None:
        """Store a scan's similar pairs in place of earlier ones.

        ``a`` and ``b`` are content ids, ``a < b``, each pair once and ordered by pair.
        """
        import numpy as np

        with self._database.atomic() as connection:
            connection.execute("DELETE FROM similar_pairs WHERE scan = ?", (scan,))
            for part, start in enumerate(range(0, len(a), _PAIRS_OF_A_PART)):
                span = slice(start, start + _PAIRS_OF_A_PART)
                packed = np.empty(len(a[span]), _DTYPE)
                packed["a"], packed["b"], packed["cosine"] = a[span], b[span], cosine[span]
                connection.execute(
                    "INSERT INTO similar_pairs VALUES (?,?,?)", (scan, part, packed.tobytes())
                )

    def of(self, scan: int, min_cosine: float) -> SimilarPairs:
        """A scan's similar pairs of at least this cosine, ordered by pair."""
        import numpy as np

        from image_duplicate_finder.grouping.projection import SimilarPairs

        parts = [np.empty(0, _DTYPE)]
        for (packed,) in self._database.connection.execute(
            "SELECT pairs FROM similar_pairs WHERE scan = ? ORDER BY part", (scan,)
        ):
            pairs = np.frombuffer(packed, _DTYPE)
            parts.append(pairs[pairs["cosine"] >= min_cosine])
        found = np.concatenate(parts)
        return SimilarPairs(
            found["a"].astype(np.int64), found["b"].astype(np.int64), found["cosine"].astype(float)
        )
