"""Child processes of ours: how they are started, and how they begin.

Started as ``python -m MODULE``, not through multiprocessing, so that a script which calls the
library without an ``if __name__ == "__main__"`` guard is not run again in every child, and no
thread of the caller is forked. Messages are pickles between two processes of one program. A
child ends when its input ends: with its parent, always.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

# A terminal sends them to every process; the parent decides what comes of them.
_TERMINAL_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTSTP") if hasattr(signal, name)
]

READY = "ready"
"""The first answer of every child: from here on its work is to blame for what happens."""


def start(module: str) -> subprocess.Popen[bytes]:
    """A child that runs ``module``, with pipes for requests and answers."""
    with _terminal_signals_held():
        return subprocess.Popen(
            [sys.executable, "-m", module],
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


def run(serve: Callable[[BinaryIO, BinaryIO], None]) -> None:
    """The child's side: call ``serve`` with requests and answers.

    The answers' pipe is kept to ourselves: what a library prints must not get into it. What it
    writes (compiled loops, temporary files) is for nobody else to read or change.
    """
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


@contextlib.contextmanager
def _terminal_signals_held() -> Iterator[None]:
    """Let a child that starts inherit that these signals wait: it has yet to ignore them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINAL_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """Children are parallel already: a thread pool in each library would only get in the way."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(threads, "1"), "PYTHONPATH": os.pathsep.join(sys.path)}
