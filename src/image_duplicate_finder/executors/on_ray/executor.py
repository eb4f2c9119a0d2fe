"""Hands the work of a scan to a Ray cluster, and takes the results back in order."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.errors import ClusterError, UsageError
from image_duplicate_finder.executors.messages import (
    Answer,
    FileTask,
    LookAnswer,
    LookTask,
)
from image_duplicate_finder.executors.on_ray.fingerprints import (
    PartFolder,
    look_on_cluster,
    read_on_cluster,
)
from image_duplicate_finder.executors.on_ray.visual_words import visual_word_pairs_on_cluster
from image_duplicate_finder.executors.processes import available_cores
from image_duplicate_finder.executors.task import VerifyTask, verify_pairs
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.model import Match
from image_duplicate_finder.progress import OnProgress
from image_duplicate_finder.search.hamming import HammingPairs, near_pairs
from image_duplicate_finder.search.visual_words import VisualWordPairs
from image_duplicate_finder.settings import DecodeLimits, ScanSettings

# Pairs of one task: a third of a second of work, some milliseconds of transfer.
_PAIRS_OF_A_TASK = 128
_TASKS_PER_CORE = 4
# The driver holds two small pictures for each pair, 45 KB each.
_MOST_PAIRS_AT_ONCE = 16_384
_LEAST_ROWS = 1024
_CONNECT_SECONDS = 10


class RayExecutor:
    """A cluster's cores; without an address a cluster of its own on this machine.

    Ray runs a task again when its process or machine is lost, and makes anew what was lost with
    it. A cluster that the program itself is connected to already is used and left running.
    """

    def __init__(self, settings: ScanSettings) -> None:
        """Raises UsageError where Ray is not installed, ClusterError when no cluster answers."""
        self._ray = _import_ray()
        self._parts = PartFolder.open(settings.parquet)
        self._owned = not self._ray.is_initialized()
        if self._owned:
            self._connect(settings)
        self._cores = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        tasks = _TASKS_PER_CORE * self._cores
        self.pairs_at_once = min(_PAIRS_OF_A_TASK * tasks, _MOST_PAIRS_AT_ONCE)
        self.bytes_kept = 0
        self._verify = self._ray.remote(_verify_pairs)
        self._near = self._ray.remote(_near_rows)

    def _connect(self, settings: ScanSettings) -> None:
        # No usage statistics are sent.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        where: dict[str, Any] = {"address": settings.address}
        if settings.address is None:
            cores = settings.jobs or available_cores()
            where = {"address": "local", "num_cpus": cores, "include_dashboard": False}
        try:
            if settings.address is not None:
                _knock(settings.address)
            self._ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
            # Ray reports lost workers on standard output, where results go, and has no setting
            # for it; its own debugger silences it in this way.
            self._ray._private.worker._worker_logs_enabled = False
        except (OSError, RuntimeError, ValueError) as error:
            self._parts.close()
            raise ClusterError(
                Problem.NO_CLUSTER(address=repr(settings.address), reason=str(error))
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the cluster, and end it if it was started here."""
        if self._owned:
            self._ray.shutdown()
        self._parts.close()

    def read(self, tasks: Sequence[FileTask], specs: Specs) -> Generator[Answer, None, None]:
        """See :meth:`~image_duplicate_finder.executors.engine.Executor.read`."""
        with self._failures_as_errors():
            yield from read_on_cluster(tasks, specs, self._parts, self._cores)

    def look(
        self, tasks: Sequence[LookTask], limits: DecodeLimits
    ) -> Generator[LookAnswer, None, None]:
        """See :meth:`~image_duplicate_finder.executors.engine.Executor.look`."""
        with self._failures_as_errors():
            yield from look_on_cluster(tasks, limits, self._cores)

    def near_pairs(self, hashes: NDArray[np.uint8]) -> HammingPairs:
        """See :meth:`~image_duplicate_finder.executors.engine.Executor.near_pairs`."""
        step = max(_LEAST_ROWS, math.ceil(len(hashes) / (_TASKS_PER_CORE * self._cores)))
        with self._failures_as_errors():
            everywhere = self._ray.put(hashes)
            parts = self._ray.get(
                [
                    self._near.remote(everywhere, first, min(first + step, len(hashes)))
                    for first in range(0, len(hashes), step)
                ]
            )
        return HammingPairs(
            np.concatenate([part.a for part in parts]),
            np.concatenate([part.b for part in parts]),
        )

    def visual_word_pairs(
        self, pictures: Iterable[tuple[int, bytes]], *, thorough: bool, on_progress: OnProgress
    ) -> VisualWordPairs:
        """See :meth:`~image_duplicate_finder.executors.engine.Executor.visual_word_pairs`."""
        with self._failures_as_errors():
            return visual_word_pairs_on_cluster(
                list(pictures), thorough=thorough, cores=self._cores, on_progress=on_progress
            )

    def verify(self, task: VerifyTask) -> list[Match]:
        """See :meth:`~image_duplicate_finder.executors.engine.Executor.verify`."""
        with self._failures_as_errors():
            waiting = [self._verify.remote(part) for part in task.parts(_PAIRS_OF_A_TASK)]
            return [match for matches in self._ray.get(waiting) for match in matches]

    @contextmanager
    def _failures_as_errors(self) -> Iterator[None]:
        try:
            yield
        except self._ray.exceptions.RayError as error:
            raise ClusterError(Problem.CLUSTER_FAILED(reason=str(error))) from error


def _import_ray() -> Any:
    try:
        import pyarrow  # noqa: F401
        import ray
    except ImportError as error:
        raise UsageError(Problem.NO_RAY(command="pip install ray pyarrow")) from error
    return ray


def _knock(address: str) -> None:
    """Raise OSError when nothing listens at ``address``: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()


def _near_rows(hashes: NDArray[np.uint8], first: int, last: int) -> HammingPairs:
    return near_pairs(hashes, rows=(first, last))


def _verify_pairs(task: VerifyTask) -> list[Match]:
    import cv2

    # Every core of the machine has a task of its own.
    cv2.setNumThreads(1)
    return verify_pairs(task)
