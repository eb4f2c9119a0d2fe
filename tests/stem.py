"""Processes that need not load anything: they are forked from one, their stem, that has loaded all.

To start a worker, or the app, takes longer than what most tests want of it. What it does, and what
it is to its parent, stays the same: a process of its own at the other ends of pipes.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from image_duplicate_finder.executors import child

_FORKING = """
import json, os, socket
parent = socket.socket(fileno=0)
while True:
    message, pipes, _, _ = socket.recv_fds(parent, 1 << 20, 2)
    if not message:
        break
    request = json.loads(message)
    if "wait" in request:
        answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
    else:
        answer = os.fork()
        if answer == 0:
            parent.detach()
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
                os.close(pipe)
            become(request)
            os._exit(0)
    for pipe in pipes:
        os.close(pipe)
    parent.sendall(str(answer).encode())
"""

_WORKER = """
import os
import cv2
cv2.setNumThreads(1)
from image_duplicate_finder import compiled
from image_duplicate_finder.decode import capture_decoder_warnings
from image_duplicate_finder.executors import child, task
from image_duplicate_finder.fingerprint import compute, keypoints
if compiled.is_prepared():
    keypoints.warm_up()
    compiled.load("verify")
def become(request):
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    of_pairs = request["work"] == child.Work.PAIRS
    child.run(child.serve_pairs if of_pairs else child.serve_files)
"""

POSSIBLE = hasattr(os, "pidfd_open")
"""Whether this system has what a stem needs."""


@dataclass
class Forked:
    """A process that a stem has forked, as :class:`subprocess.Popen` would give it."""

    pid: int
    stem: Stem
    stdin: IO[Any] | None
    stdout: IO[Any] | None
    returncode: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._ended = os.pidfd_open(self.pid)

    def terminate(self) -> None:
        """As of a subprocess."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """As of a subprocess."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with self._lock:
            if self.returncode is None:
                signal.pidfd_send_signal(self._ended, number)

    def wait(self, timeout: float | None = None) -> int:
        """As of a subprocess."""
        with self._lock:
            if self.returncode is None:
                if not select.select([self._ended], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0.0)
                self.returncode = self.stem.ask({"wait": self.pid})
                os.close(self._ended)
            return self.returncode


class Stem:
    """The process that others are forked from.

    ``code`` loads what they need and defines ``become(request)``, which is all that they do.
    """

    def __init__(self, code: str, environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-c", code + _FORKING]
        self._process = subprocess.Popen(command, stdin=theirs, env=environment)
        theirs.close()
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()

    def ask(self, request: Mapping[str, object], *pipes: int) -> int:
        """The answer to a request."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], pipes)
            return int(self._socket.recv(64))

    def fork(self, request: Mapping[str, object]) -> Forked:
        """A process that becomes what ``request`` says, with pipes as input and output."""
        reading, requests = os.pipe()
        answers, writing = os.pipe()
        try:
            pid = self.ask(request, reading, writing)
        finally:
            os.close(reading)
            os.close(writing)
        return Forked(pid, self, os.fdopen(requests, "wb"), os.fdopen(answers, "rb"))


@functools.cache
def _usual() -> dict[str, str]:
    return child._environment()


@functools.cache
def _worker() -> Stem:
    return Stem(_WORKER, _usual())


def prepare() -> None:
    """Note what processes are started with, before a test changes it for itself."""
    _usual()


real_start = child.start


def start(work: child.Work) -> subprocess.Popen[bytes] | Forked:
    """As :func:`child.start`; that itself where other modules are to be loaded than by the stem."""
    environment = child._environment()
    if environment["PYTHONPATH"] != _usual()["PYTHONPATH"]:
        return real_start(work)
    return _worker().fork({"work": work, "environment": environment, "folder": os.getcwd()})
