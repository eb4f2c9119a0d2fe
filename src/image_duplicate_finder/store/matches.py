"""Matches between contents, and which pairs were verified at all."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from image_duplicate_finder.model import Match, Relation, Transform
from image_duplicate_finder.store.database import Database

if TYPE_CHECKING:  # the web app starts without numpy
    import numpy as np
    from numpy.typing import NDArray

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
    return tuple((row[0], row[1], row[2]) for row in json.loads(text))


class MatchStore:
    """Reads and writes ``match``, ``verified`` and ``similar_pair``."""

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

    def put_similar(
        self,
        scan: int,
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        cosine: NDArray[np.float32],
    ) -> None:
        """Store a scan's look-alike pairs (content ids, cosine), replacing earlier ones."""
        connection = self._database.connection
        connection.execute("DELETE FROM similar_pair WHERE scan = ?", (scan,))
        pairs = zip(a.tolist(), b.tolist(), cosine.tolist(), strict=True)
        connection.executemany(
            "INSERT OR REPLACE INTO similar_pair VALUES (?,?,?,?)",
            [(scan, min(x, y), max(x, y), c) for x, y, c in pairs],
        )

    def similar(self, scan: int, min_cosine: float) -> list[tuple[int, int, float]]:
        """A scan's look-alike pairs of at least this cosine."""
        return self._database.connection.execute(
            "SELECT a, b, cosine FROM similar_pair WHERE scan = ? AND cosine >= ? ORDER BY a, b",
            (scan, min_cosine),
        ).fetchall()


def _match(row: Sequence[object]) -> Match:
    a, b, relation, transform, mirrored, negative, *numbers, same = row
    share_a, share_b, score, agreement, brightness = (float(str(value)) for value in numbers)
    return Match(
        a=int(str(a)),
        b=int(str(b)),
        relation=Relation(str(relation)),
        transform=transform_from_json(None if transform is None else str(transform)),
        mirrored=bool(mirrored),
        negative=bool(negative),
        share_a=share_a,
        share_b=share_b,
        score=score,
        agreement=agreement,
        brightness=brightness,
        same_photograph=bool(same),
    )
