"""Nothing leaves the machine, and nothing is written but library, backups, caches and exports."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_duplicate_finder
from tests.cli.commands import save_jpeg
from tests.conftest import Painter

IDF = (sys.executable, "-m", "image_duplicate_finder")
# ONNX Runtime keeps quiet by itself where it takes the machine for one that runs tests.
_TESTING = re.compile(r"CI|TF_BUILD|.*_ACTIONS|GITLAB.*|.*CIRCLE.*|CODEBUILD.*|BUILD.*|ORT_.*")
_WATCHED = "trace=socket,connect,bind,sendto,sendmsg,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"  # noqa: E501
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE")
_CALL = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+= (-?\d+)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of somebody who runs no tests."""
    for name in os.environ:
        if _TESTING.fullmatch(name):
            monkeypatch.delenv(name)
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def photos(elsewhere: Path, painted: Painter) -> Path:
    folder = elsewhere / "photos"
    folder.mkdir()
    for seed in range(3):
        save_jpeg(folder / f"{seed}.jpg", painted(seed))
        shutil.copy(folder / f"{seed}.jpg", folder / f"{seed} copy.jpg")
    return folder


def calls(trace: Path) -> Iterator[tuple[str, str]]:
    """The system calls that succeeded or may yet: name and arguments."""
    for line in trace.read_text(errors="replace").splitlines():
        if (found := _CALL.match(line)) is not None:
            yield found[1], found[2]


def traced(trace: Path, *command: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["strace", "-f", "-qq", "-s", "300", "-e", _WATCHED, "-o", trace, *map(str, command)],
        cwd=trace.parent,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # what Python keeps is not ours
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def strangers(trace: Path) -> list[str]:
    """Sockets and addresses that are not of this machine alone."""
    found = []
    for name, said in calls(trace):
        inet = "sin_addr" in said or "sin6_addr" in said
        local = '"127.0.0.1"' in said or '"::1"' in said
        if (inet and not local) or (name == "socket" and re.search("AF_(PACKET|NETLINK)", said)):
            found.append(f"{name}({said})")
    return found


def written(trace: Path, allowed: list[Path]) -> set[str]:
    """Places that were written to, or made, and are not below the allowed ones."""
    found = set()
    for name, said in calls(trace):
        if name in ("socket", "connect", "bind", "sendto", "sendmsg"):
            continue
        if name.startswith("open") and not _WRITES.search(said):
            continue
        for path in _QUOTED.findall(said):
            full = os.path.normpath(os.path.join(trace.parent, path))
            known = full.startswith(("/dev/", "/proc/"))
            if not known and not any(Path(full).is_relative_to(place) for place in allowed):
                found.add(f"{name} {full}")
    return found


@needs_strace
def test_no_verb_asks_a_stranger_or_writes_elsewhere(elsewhere: Path, photos: Path) -> None:
    """System calls of all processes are watched: sockets, and whatever opens a file to write."""
    library = ("--library", elsewhere / "library")
    package = Path(image_duplicate_finder.__file__).parent
    allowed = [elsewhere / "library", elsewhere / "tmp", package]
    for number, (verb, *more) in enumerate(
        (
            ("scan", photos),
            ("doctor",),
            ("compare", photos / "0.jpg", photos / "1.jpg"),
            ("find", photos / "0.jpg"),
            ("plan", "--json", elsewhere / "plan.json"),
            ("export", "--format", "html", "-o", elsewhere / "report.html"),
            ("apply", elsewhere / "plan.json", "--yes"),
            ("purge", "1", "--yes"),
        )
    ):
        trace = elsewhere / f"trace {number}"
        process = traced(trace, *IDF, *library, verb, *more)
        _, complaints = process.communicate(timeout=280)
        assert process.returncode in (0, 1), (verb, complaints.decode())
        assert strangers(trace) == [], verb
        asked_for = [Path(part) for part in more if isinstance(part, Path) and part != photos]
        backups = [photos, photos.parent / "ImageDuplicateFinder-backup"]
        places = [*allowed, *asked_for, *(backups if verb in ("apply", "purge") else [])]
        beside = {each for each in written(trace, places) if not unfinished(each, asked_for)}
        assert beside == set(), verb
    assert list((elsewhere / "home").iterdir()) == []


def unfinished(call: str, targets: list[Path]) -> bool:
    """Whether this is an export that is being written beside its place."""
    path = Path(call.split(" ", 1)[1])
    return any(path.parent == each.parent and each.name in path.name for each in targets)


@needs_strace
def test_the_app_talks_to_this_machine_only(elsewhere: Path, photos: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    trace = elsewhere / "trace"
    serve = ("serve", "--no-browser", "--port", port)
    process = traced(trace, *IDF, "--library", elsewhere / "library", *serve)
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=30).close()
                break
            except urllib.error.HTTPError:
                break  # it answers
            except OSError:
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.2)
    finally:
        for child in _children(process.pid):
            os.kill(child, signal.SIGTERM)
        process.wait(60)
        assert process.stderr is not None
        process.stderr.close()
    assert "127.0.0.1" in trace.read_text(errors="replace")
    assert strangers(trace) == []
    assert list((elsewhere / "home").iterdir()) == []


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(child) for child in listed.split()]


def test_loading_the_network_of_features_writes_nothing_to_the_home_folder(
    elsewhere: Path,
) -> None:
    """Also without strace: the runtime's reports begin with a file there, when it is loaded."""
    code = (
        "from image_duplicate_finder.fingerprint.embedding import Embedder\n"
        "import numpy\n"
        "Embedder().embed([numpy.zeros((9, 9, 3), numpy.uint8)])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=280)
    assert list((elsewhere / "home").rglob("*")) == []
