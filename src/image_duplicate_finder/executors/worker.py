"""The worker process: takes files over standard input, answers over standard output.

Started as ``python -m image_duplicate_finder.executors.worker``, not through multiprocessing,
so that a script which calls the library without an ``if __name__ == "__main__"`` guard is not
run again in every worker, and no thread of the caller is forked. Messages are pickles between
two processes of one program. The worker ends when its input ends: with its parent, always.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from typing import BinaryIO

from image_duplicate_finder.settings import DecodeLimits

READY = "ready"
"""The first answer of every worker: from here on its files are to blame for what happens."""


def _limit_memory(limits: DecodeLimits) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit for a process from inside.
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = limits.memory if hard == resource.RLIM_INFINITY else min(limits.memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Say READY, then answer each request (a list of tasks) with one message per task."""
    specs, limits = pickle.load(requests)
    import cv2

    cv2.setNumThreads(1)
    from image_duplicate_finder.executors.task import run_task

    _limit_memory(limits)
    # Values made until here live as long as the process; later collections skip them.
    gc.freeze()
    pickle.dump(READY, answers)
    answers.flush()
    while True:
        try:
            tasks = pickle.load(requests)
        except EOFError:
            return
        for task in tasks:
            pickle.dump(run_task(task, specs, limits), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


def main() -> None:
    """Keep the answers' pipe to ourselves: what a library prints must not get into it."""
    for name in ("SIGINT", "SIGTSTP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
