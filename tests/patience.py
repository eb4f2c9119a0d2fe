"""How long tests run, and wait for what must happen: only one that fails waits that long.

A machine under load is slow, not wrong, so no test passes or fails by the clock on the wall.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

LONG = bool(os.environ.get("IDF_LONG_TESTS"))
"""Whether campaigns run in their long form: ``IDF_LONG_TESTS=1 ./run_tests.sh``."""
PATIENCE = 300.0
"""Seconds."""


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition; fails with ``what`` never happened."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.02)
