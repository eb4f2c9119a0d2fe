"""How child processes begin."""

from __future__ import annotations

import os
import pickle
import signal
import sys

import pytest

from image_duplicate_finder.executors import child
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.settings import Mode

pytestmark = pytest.mark.usefixtures("real_workers")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
def test_ctrl_c_while_a_worker_starts_is_left_to_its_parent() -> None:
    worker = child.start(child.Work.FILES)
    try:
        os.kill(worker.pid, signal.SIGINT)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(pickle.dumps(Specs(Mode.QUICK)))
        worker.stdin.flush()
        assert pickle.load(worker.stdout) == child.READY
    finally:
        child.end(worker)
