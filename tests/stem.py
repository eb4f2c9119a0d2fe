"""Worker processes that need not load anything: they are forked from one that has loaded it all.

Most tests that scan want what a scan finds, of a few pictures; to start a worker takes longer than
all else. What a worker does, and what it is to its parent, stays the same: a process of its own at
the other ends of two pipes.
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
from dataclasses import dataclass, field
from typing import IO

from image_duplicate_finder.executors import child

_STEM = """
import json, os, socket, sys
import cv2
cv2.setNumThreads(1)
from image_duplicate_finder import compiled
from image_duplicate_finder.decode import capture_decoder_warnings
from image_duplicate_finder.executors import child, task
from image_duplicate_finder.fingerprint import compute, keypoints
if compiled.is_prepared():
    keypoints.warm_up()
    compiled.load("verify")
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
            os.environ.clear()
            os.environ.update(request["environment"])
            os.chdir(request["folder"])
            of_pairs = request["work"] == child.Work.PAIRS
            child.run(child.serve_pairs if of_pairs else child.serve_files)
            os._exit(0)
    for pipe in pipes:
        os.close(pipe)
    parent.sendall(str(answer).encode())
"""


@dataclass
class Forked:
    """A worker that the stem has forked: a process, though no child of this one."""

    pid: int
    stdin: IO[bytes]
    stdout: IO[bytes]
    stem: Stem
    returncode: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._ended = os.pidfd_open(self.pid)

    def kill(self) -> None:
        """As of a subprocess."""
        with self._lock:
            if self.returncode is None:
                signal.pidfd_send_signal(self._ended, signal.SIGKILL)

    def wait(self) -> int:
        """As of a subprocess."""
        with self._lock:
            if self.returncode is None:
                select.select([self._ended], [], [])
                self.returncode = self.stem.ask({"wait": self.pid})
                os.close(self._ended)
            return self.returncode


class Stem:
    """The process that workers are forked from."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _STEM], stdin=theirs, env=environment
        )
        theirs.close()
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()

    def ask(self, request: dict[str, object], *pipes: int) -> int:
        """The answer to a request."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], pipes)
            return int(self._socket.recv(64))

    def fork(self, work: child.Work, environment: dict[str, str]) -> Forked:
        """A worker in this process's folder."""
        reading, requests = os.pipe()
        answers, writing = os.pipe()
        try:
            request = {"work": work, "environment": environment, "folder": os.getcwd()}
            pid = self.ask(request, reading, writing)
        finally:
            os.close(reading)
            os.close(writing)
        return Forked(pid, os.fdopen(requests, "wb"), os.fdopen(answers, "rb"), self)


@functools.cache
def _usual() -> dict[str, str]:
    return child._environment()


@functools.cache
def _stem() -> Stem:
    return Stem(_usual())


def prepare() -> None:
    """Note what processes are started with, before a test changes it for itself."""
    _usual()


real_start = child.start


def start(work: child.Work) -> subprocess.Popen[bytes] | Forked:
    """As :func:`child.start`; that itself where other modules are to be loaded than by the stem."""
    environment = child._environment()
    if environment["PYTHONPATH"] != _usual()["PYTHONPATH"]:
        return real_start(work)
    return _stem().fork(work, environment)
