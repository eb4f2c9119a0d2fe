"""Run a command as a whole process tree and measure wall time, CPU time and peak memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

# Looking costs a few milliseconds, so it grows rarer the longer a process runs.
_FIRST_SAMPLE_SECONDS, _LAST_SAMPLE_SECONDS = 0.05, 0.5
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a command cost.

    ``wall`` and ``cpu`` (user and system, with all children) in seconds; ``memory`` is the peak
    of the sum over the process tree in bytes, of proportional set sizes where the system tells
    them (Linux), so that pages shared by workers count once; ``status`` is the exit status, None
    if the command was stopped at its time limit. ``output`` is the end of what it printed.
    """

    command: tuple[str, ...]
    wall: float
    cpu: float
    memory: int
    status: int | None
    output: str


def measured(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 3600,
    nice: int = 0,
    on_output: Callable[[float], bool] | None = None,
) -> Run:
    """Run ``command`` to its end, or stop it and its children after ``timeout`` seconds.

    ``on_output`` is called, from a thread, with the seconds since the start when the command has
    printed something new, and says whether that is enough: then the command is asked to end.
    """
    words = tuple(str(word) for word in command)
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=(lambda: os.nice(nice)) if nice else None,
        )
        watch = _Watch(process.pid, started + timeout)
        watch.start()
        reader = None
        if on_output:
            reader = _Reader(process, output.fileno(), started, on_output)
            reader.start()
        _, raw, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        watch.finish()
        if reader:
            reader.finish()
        process.returncode = os.waitstatus_to_exitcode(raw)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - 4000))
        text = output.read().decode("utf-8", "replace")
    status = None if watch.stopped else process.returncode
    return Run(words, wall, usage.ru_utime + usage.ru_stime, watch.peak, status, text)


def _environment() -> dict[str, str]:
    """That of a person's shell: compiled modules are kept, as pip did with the peers' ones."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class _Reader(threading.Thread):
    """Notices when a process has written more into a file."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        file: int,
        started: float,
        on_output: Callable[[float], bool],
    ) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._file = file
        self._begin = started
        self._on_output = on_output
        self._done = threading.Event()

    def run(self) -> None:
        size = 0
        while not self._done.wait(_LOOK_SECONDS):
            now = os.fstat(self._file).st_size
            if now > size:
                size = now
                if self._on_output(time.perf_counter() - self._begin):
                    self._process.terminate()
                    return

    def finish(self) -> None:
        """Stop looking; the process has ended."""
        self._done.set()
        self.join()


class _Watch(threading.Thread):
    """Samples the memory of a process tree and stops the tree at its deadline."""

    def __init__(self, pid: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.stopped = False
        self._tree = psutil.Process(pid)
        self._deadline = deadline
        self._done = threading.Event()

    def run(self) -> None:
        pause = _FIRST_SAMPLE_SECONDS
        while not self._done.wait(pause):
            pause = min(1.05 * pause, _LAST_SAMPLE_SECONDS)
            self.peak = max(self.peak, _memory(self._tree))
            if time.perf_counter() > self._deadline:
                self.stopped = True
                _stop(self._tree)
                return

    def finish(self) -> None:
        """Stop sampling; the process has ended."""
        self._done.set()
        self.join()


def _memory(tree: psutil.Process) -> int:
    total = 0
    try:
        processes = [tree, *tree.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            info = process.memory_full_info()
            total += getattr(info, "pss", 0) or info.rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _stop(tree: psutil.Process) -> None:
    processes = [*tree.children(recursive=True), tree]
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
