"""Verify pairs in child processes: the interpreter's lock would keep threads to one core.

Run as a module it is the child: requests are ``(pairs, sides, thorough)``, answers the matches.
"""

from __future__ import annotations

import pickle
import queue
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from image_duplicate_finder.executors import child
from image_duplicate_finder.model import Match
from image_duplicate_finder.verify.pair import Side, StoredSide, verify

Pair = tuple[int, int]
Sides = Mapping[int, StoredSide]

_SHARE = 32


def verify_share(pairs: Sequence[Pair], sides: Sides, thorough: bool) -> list[Match]:
    """The matches among ``pairs``, in their order, on one core."""
    decoded: dict[int, Side] = {}

    def side(id: int) -> Side:
        if id not in decoded:
            decoded[id] = sides[id].decoded()
        return decoded[id]

    found = (
        verify(side(a), side(b), thorough=thorough) for a, b in pairs if a in sides and b in sides
    )
    return [match for match in found if match is not None]


def shares_of(
    pairs: Sequence[Pair], sides: Sides, size: int
) -> Iterator[tuple[Sequence[Pair], dict[int, StoredSide]]]:
    """Parts of ``size`` pairs, each with the sides that it needs and no others."""
    for start in range(0, len(pairs), size):
        share = pairs[start : start + size]
        yield share, {id: sides[id] for pair in share for id in pair if id in sides}


class Verifiers:
    """``jobs`` processes that verify: this one, and children that start when they are needed."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        # Whoever is free to work; None is this process, which would only wait otherwise.
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()
        self._idle.put(None)

    def close(self) -> None:
        """End the children."""
        while not self._idle.empty():
            if (worker := self._idle.get()) is not None:
                child.end(worker)
        self._idle.put(None)

    def verify(self, pairs: Sequence[Pair], sides: Sides, *, thorough: bool) -> Iterator[Match]:
        """The matches among ``pairs``, in their order."""
        shares = shares_of(pairs, sides, _SHARE)
        with ThreadPoolExecutor(self._jobs) as pool:
            answers = pool.map(lambda share: self._hand_out(share[0], share[1], thorough), shares)
            for found in answers:
                yield from found

    def _hand_out(self, pairs: Sequence[Pair], sides: Sides, thorough: bool) -> list[Match]:
        """One share's matches by a child; by this process if the child dies of it."""
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = child.start(__name__)
        if worker is None:
            try:
                return verify_share(pairs, sides, thorough)
            finally:
                self._idle.put(None)
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            pickle.dump((pairs, sides, thorough), worker.stdin, pickle.HIGHEST_PROTOCOL)
            worker.stdin.flush()
            found: list[Match] = pickle.load(worker.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            child.end(worker)
            return verify_share(pairs, sides, thorough)
        self._idle.put(worker)
        return found


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request with one message."""
    import cv2

    cv2.setNumThreads(1)
    while True:
        try:
            pairs, sides, thorough = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(verify_share(pairs, sides, thorough), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    child.run(serve)
