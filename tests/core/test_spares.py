"""Workers that start before there is work."""

from __future__ import annotations

import os
import pickle
import signal
import sys

import pytest

from image_duplicate_finder.executors import child
from image_duplicate_finder.executors.spares import Spares
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.settings import DecodeLimits, Mode

SETUP = pickle.dumps((Specs(Mode.QUICK), DecodeLimits()))


def test_a_spare_that_was_taken_works_on_and_the_others_end() -> None:
    with Spares(2) as spares:
        taken = spares.take()
        (left,) = spares._waiting
    try:
        assert left.poll() is not None
        assert taken.stdin is not None
        assert taken.stdout is not None
        taken.stdin.write(SETUP)
        taken.stdin.flush()
        assert pickle.load(taken.stdout) == child.READY
    finally:
        child.end(taken)


def test_without_spares_a_worker_starts_when_it_is_asked_for() -> None:
    with Spares(0) as spares:
        worker = spares.take()
    try:
        assert worker.poll() is None
    finally:
        child.end(worker)


def test_a_spare_that_nobody_asks_ends_with_its_parent() -> None:
    spare = Spares(1).take()
    assert spare.stdin is not None
    spare.stdin.close()
    assert spare.wait(timeout=60) == 0
    child.end(spare)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
def test_ctrl_c_while_a_worker_starts_is_left_to_its_parent() -> None:
    with Spares(1) as spares:
        worker = spares.take()
    try:
        os.kill(worker.pid, signal.SIGINT)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(SETUP)
        worker.stdin.flush()
        assert pickle.load(worker.stdout) == child.READY
    finally:
        child.end(worker)
