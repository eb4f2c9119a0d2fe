"""Who does the work of a scan: this machine, or a cluster. Both give the same results."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.executors.messages import Answer, FileTask, LookAnswer, LookTask
from image_duplicate_finder.executors.processes import ProcessExecutor, available_cores
from image_duplicate_finder.executors.verifying import Pair, Sides, Verifiers, verify_share
from image_duplicate_finder.fingerprint.features import Keypoints
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.model import Match
from image_duplicate_finder.progress import Tell
from image_duplicate_finder.search import hamming
from image_duplicate_finder.search.hamming import HammingPairs
from image_duplicate_finder.search.words import WordIndex, WordPairs
from image_duplicate_finder.settings import DecodeLimits, Engine, Mode, ScanSettings

_PAIRS_AT_ONCE = 1024
_NO_FINGERPRINTS = Specs(Mode.QUICK, pixels=True)
# To start a process takes as long as to verify about so many pairs.
_WORTH_PROCESSES = 200


class Executor(Protocol):
    """The five kinds of work of a scan that many cores or machines can share.

    Used as a context manager; what runs on other processes ends with it.
    """

    pairs_at_once: int
    """How many pairs to hand to :meth:`verify` in one call, so that nobody stands idle."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exception: object) -> None: ...

    def read(self, tasks: Sequence[FileTask], specs: Specs) -> Generator[Answer, None, None]:
        """One answer for every file, in the order in which they are ready.

        Close the iterator to give up on the rest.
        """

    def look(self, tasks: Sequence[LookTask]) -> Generator[LookAnswer, None, None]:
        """One answer for every task, in the order in which they are ready."""

    def near_pairs(self, hashes: NDArray[np.uint8]) -> HammingPairs:
        """As :func:`~image_duplicate_finder.search.hamming.near_pairs`."""

    def word_pairs(
        self, pictures: Iterable[tuple[int, bytes]], *, thorough: bool, tell: Tell
    ) -> WordPairs:
        """Proposals among contents with encoded keypoints, given in their stable order.

        As a :class:`~image_duplicate_finder.search.words.WordIndex` that they are added to.
        They are taken one after the other: all of them at once need not fit into memory.
        Raises what ``tell`` raises.
        """

    def verify(self, pairs: Sequence[Pair], sides: Sides, *, thorough: bool) -> list[Match]:
        """The matches among ``pairs``, in their order; pairs without sides are passed over."""


def open_executor(settings: ScanSettings) -> Executor:
    """What ``settings.engine`` asks for. Raises UsageError where it is not installed."""
    if settings.engine is Engine.RAY:
        from image_duplicate_finder.executors.on_ray import RayExecutor

        return RayExecutor(settings)
    return LocalExecutor(settings.limits, settings.jobs)


class LocalExecutor:
    """Child processes for files and pairs, threads for compiled loops.

    ``jobs`` of them, or one per core.
    """

    def __init__(self, limits: DecodeLimits, jobs: int | None = None) -> None:
        self.pairs_at_once = _PAIRS_AT_ONCE
        self._limits = limits
        self._jobs = jobs or available_cores()
        self._verifiers = Verifiers(self._jobs)
        self._verified = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._verifiers.close()

    def read(self, tasks: Sequence[FileTask], specs: Specs) -> Generator[Answer, None, None]:
        """See :meth:`Executor.read`."""
        with ProcessExecutor(specs, self._limits, jobs=self._jobs) as workers:
            yield from workers.map(tasks)

    def look(self, tasks: Sequence[LookTask]) -> Generator[LookAnswer, None, None]:
        """See :meth:`Executor.look`."""
        with ProcessExecutor(_NO_FINGERPRINTS, self._limits, jobs=self._jobs) as workers:
            yield from cast("Iterator[LookAnswer]", workers.map(tasks))

    def near_pairs(self, hashes: NDArray[np.uint8]) -> HammingPairs:
        """See :meth:`Executor.near_pairs`."""
        return hamming.near_pairs(hashes, jobs=self._jobs)

    def word_pairs(
        self, pictures: Iterable[tuple[int, bytes]], *, thorough: bool, tell: Tell
    ) -> WordPairs:
        """See :meth:`Executor.word_pairs`."""
        index = WordIndex(thorough=thorough, jobs=self._jobs, tell=tell)
        for content, data in pictures:
            index.add(content, Keypoints.from_bytes(data))
        return index.candidates()

    def verify(self, pairs: Sequence[Pair], sides: Sides, *, thorough: bool) -> list[Match]:
        """See :meth:`Executor.verify`."""
        self._verified += len(pairs)
        if self._jobs == 1 or self._verified < _WORTH_PROCESSES:
            return verify_share(pairs, sides, thorough)
        return list(self._verifiers.verify(pairs, sides, thorough=thorough))
