"""Child processes: how they start and end, and the two kinds of work that they serve.

Started as ``python -m`` this module, not through multiprocessing, so that a script which calls the
library without an ``if __name__ == "__main__"`` guard is not run again in every child, and no
thread of the caller is forked. Messages are pickles between two processes of one program. A
child ends when its input ends: with its parent, always.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import BinaryIO

from image_duplicate_finder.errors import IdfError
from image_duplicate_finder.settings import DecodeLimits

# A terminal sends them to every process; the parent decides what to do about them.
_TERMINAL_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTSTP") if hasattr(signal, name)
]

READY = "ready"
"""The answer of a child that reads files to its specs: from here on a file is to blame."""


class Work(StrEnum):
    """What a child is started for."""

    FILES = "files"
    PAIRS = "pairs"


def start(work: Work) -> subprocess.Popen[bytes]:
    """A child with pipes for requests and answers."""
    with _terminal_signals_held():
        return subprocess.Popen(
            [sys.executable, "-m", __name__, work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a child, wait for its end and close its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


@contextlib.contextmanager
def _terminal_signals_held() -> Iterator[None]:
    """Block these signals in a child that starts, until it ignores them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINAL_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """Children run in parallel already: a thread pool in each library would only get in the way.

    And glibc keeps some memory that was freed: to get the planes of a picture from the system again
    and again takes a sixth of the time of a closer look.
    """
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(threads, "1"),
        "MALLOC_MMAP_THRESHOLD_": str(_LARGE),
        "MALLOC_TRIM_THRESHOLD_": str(2 * _LARGE),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


# Larger blocks are given back at once.
_LARGE = 32 * 1024 * 1024


def run(serve: Callable[[BinaryIO, BinaryIO], None]) -> None:
    """The child's side: call ``serve`` with requests and answers.

    The pipe for answers is kept away from libraries, whose output must not get into it. Files
    that the child writes (compiled loops, temporary files) are private to the user.
    """
    gc.disable()  # nothing that is loaded at the start is garbage
    os.umask(os.umask(0o077) | 0o077)
    for number in _TERMINAL_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)


def serve_files(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests, of which the first are specs.

    Specs say which fingerprints come next: the answer is READY, or what makes all work
    impossible, such as a model that does not fit. A list of tasks is answered with one message
    per task.
    """
    specs = pickle.load(requests)
    import cv2

    cv2.setNumThreads(1)
    from image_duplicate_finder.decode import capture_decoder_warnings
    from image_duplicate_finder.executors.messages import LookTask
    from image_duplicate_finder.executors.task import run_look, run_task
    from image_duplicate_finder.fingerprint.compute import warm_up

    def prepare() -> bool:
        # The first start on a machine compiles loops, which takes seconds: no file is to blame.
        try:
            warm_up(specs)
        except IdfError as error:
            _send(error, answers)
            return False
        return True

    if not prepare():
        return
    capture_decoder_warnings()
    _limit_memory(specs.limits)
    # Values made until here live as long as the process; later collections skip them.
    gc.freeze()
    gc.enable()
    _send(READY, answers)
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        if isinstance(request, list):
            for task in request:
                look = isinstance(task, LookTask)
                _send(run_look(task, specs.limits) if look else run_task(task, specs), answers)
            continue
        specs = request
        if not prepare():
            return
        _send(READY, answers)


def serve_pairs(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request, a :class:`.task.VerifyTask`, with its matches."""
    import cv2

    cv2.setNumThreads(1)
    from image_duplicate_finder.executors.task import verify_pairs

    gc.enable()
    while True:
        try:
            task = pickle.load(requests)
        except EOFError:
            return
        _send(verify_pairs(task), answers)


def _send(answer: object, answers: BinaryIO) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _limit_memory(limits: DecodeLimits) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit for a process from inside.
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = limits.memory if hard == resource.RLIM_INFINITY else min(limits.memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


if __name__ == "__main__":
    run(serve_pairs if sys.argv[1] == Work.PAIRS else serve_files)
