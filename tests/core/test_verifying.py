"""Child processes that verify pairs: the same answers, in order, and none lost with a child."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import psutil
import pytest

from image_duplicate_finder.executors.engine import LocalExecutor, Verifiers
from image_duplicate_finder.executors.task import VerifyTask, verify_pairs
from image_duplicate_finder.fingerprint import keypoints, perceptual
from image_duplicate_finder.fingerprint.appearance import encode_proof
from image_duplicate_finder.verify.pair import EncodedVerifyInput
from tests.conftest import Painter
from tests.patience import PATIENCE

pytestmark = pytest.mark.usefixtures("real_workers")
PAIRS = [(a, b) for a in range(24) for b in range(a + 1, 24)] + [(3, 99)]


def children() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "executors.child pairs" in " ".join(each.cmdline()):
                found.append(each)
    return found


@pytest.fixture(scope="module")
def task(painted: Painter) -> VerifyTask:
    """Eight pictures, each in three versions."""
    made = {}
    for number in range(24):
        image = painted(number // 3, 320, 240)
        image = (image, image[:, ::-1], image[20:220, 30:300])[number % 3]
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        made[number] = EncodedVerifyInput(
            number,
            grey.shape[1],
            grey.shape[0],
            perceptual.encode(grey),
            keypoints.extract(grey).to_bytes(),
            encode_proof(grey),
        )
    return VerifyTask(PAIRS, made, thorough=False)


@pytest.fixture
def verifiers() -> Iterator[Verifiers]:
    made = Verifiers(2)
    yield made
    made.close()
    assert children() == []


def test_children_answer_as_this_process_would(task: VerifyTask, verifiers: Verifiers) -> None:
    alone = verify_pairs(task)
    assert len(alone) >= 20
    assert list(verifiers.verify(task)) == alone
    assert len(children()) == 1
    # They are used again.
    before = {each.pid for each in children()}
    assert list(verifiers.verify(task)) == alone
    assert {each.pid for each in children()} == before


def test_killed_children_lose_no_pair(task: VerifyTask, verifiers: Verifiers) -> None:
    done = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not done.wait(0.05):
            for each in children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
                    killed.append(each.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    end = time.monotonic() + PATIENCE
    try:
        while not killed and time.monotonic() < end:
            found = list(verifiers.verify(task))
            assert found == verify_pairs(task)
    finally:
        done.set()
        killer.join()
    assert killed


def test_few_pairs_start_no_process(task: VerifyTask) -> None:
    some = next(task.parts(50))
    with LocalExecutor(jobs=2) as executor:
        few = executor.verify(some)
        assert children() == []
        many = executor.verify(task)
        assert children() != []
    assert children() == []
    assert few == verify_pairs(some)
    assert many == verify_pairs(task)
