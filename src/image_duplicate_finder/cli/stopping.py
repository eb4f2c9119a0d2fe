"""Ctrl-C and the system's request to end: stop at the next safe point, keep what is done."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from image_duplicate_finder.progress import CancelToken

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable() -> Iterator[CancelToken]:
    """A token that SIGINT and SIGTERM cancel during the ``with`` block.

    A second signal ends the program at once, as it would have done without this.
    """
    token = CancelToken()

    def stop(number: int, _frame: FrameType | None) -> None:
        if token.cancelled:
            raise KeyboardInterrupt
        token.cancel()
        again = " (Ctrl-C again: at once)" if number == signal.SIGINT else ""
        print(f"Stopping; what is finished is kept{again} ...", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield token
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
