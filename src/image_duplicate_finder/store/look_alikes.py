"""A scan's pairs of look-alikes, packed: there are dozens for each picture.

As rows they would take longer to store than to find, and most of a library's space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_duplicate_finder.store.database import Database

if TYPE_CHECKING:  # the web app starts without numpy
    import numpy as np
    from numpy.typing import NDArray

    from image_duplicate_finder.grouping.links import LookAlikes

# Parts bound the memory that storing them takes: 12 bytes a pair.
_PAIRS_OF_A_PART = 1 << 17
_DTYPE = [("a", "<i4"), ("b", "<i4"), ("cosine", "<f4")]


class LookAlikeStore:
    """Reads and writes ``look_alikes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self,
        scan: int,
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        cosine: NDArray[np.float32],
    ) -> None:
        """Store a scan's look-alikes in place of earlier ones.

        ``a`` and ``b`` are content ids, ``a < b``, each pair once and ordered by pair.
        """
        import numpy as np

        with self._database.atomic() as connection:
            connection.execute("DELETE FROM look_alikes WHERE scan = ?", (scan,))
            for part, start in enumerate(range(0, len(a), _PAIRS_OF_A_PART)):
                span = slice(start, start + _PAIRS_OF_A_PART)
                packed = np.empty(len(a[span]), _DTYPE)
                packed["a"], packed["b"], packed["cosine"] = a[span], b[span], cosine[span]
                connection.execute(
                    "INSERT INTO look_alikes VALUES (?,?,?)", (scan, part, packed.tobytes())
                )

    def of(self, scan: int, min_cosine: float) -> LookAlikes:
        """A scan's look-alikes of at least this cosine, ordered by pair."""
        import numpy as np

        from image_duplicate_finder.grouping.links import LookAlikes

        parts = [np.empty(0, _DTYPE)]
        for (packed,) in self._database.connection.execute(
            "SELECT pairs FROM look_alikes WHERE scan = ? ORDER BY part", (scan,)
        ):
            pairs = np.frombuffer(packed, _DTYPE)
            parts.append(pairs[pairs["cosine"] >= min_cosine])
        found = np.concatenate(parts)
        return LookAlikes(
            found["a"].astype(np.int64), found["b"].astype(np.int64), found["cosine"].astype(float)
        )
