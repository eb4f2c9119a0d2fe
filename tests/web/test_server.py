"""The app as a process: it says where it is, refuses a taken port, and ends when asked."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.web import server
from tests.patience import PATIENCE

# A background job of a shell is started with Ctrl-C ignored; here it is to end the server.
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from image_duplicate_finder.web.server import run; "
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(library: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    code = START + "run(sys.argv[1], port=int(sys.argv[2]), open_browser=False)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(library), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    return process, found.group()


def test_the_printed_address_opens_and_each_start_has_its_own(library_dir: Path) -> None:
    port = _free_port()
    first, address = _start(library_dir, port)
    with urllib.request.urlopen(address) as answer:
        assert "waitress" not in (answer.headers["Server"] or "")
        assert answer.status == 200
    first.send_signal(signal.SIGINT)
    assert first.wait(PATIENCE) == 0
    second, other = _start(library_dir, port)
    second.send_signal(signal.SIGINT)
    assert second.wait(PATIENCE) == 0
    assert address != other and address.split("/enter/")[0] == other.split("/enter/")[0]


def test_a_port_in_use_is_told_with_what_to_do(library_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        threading.Thread(target=lambda: taken.accept()[0].close(), daemon=True).start()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} is in use.*--port {port + 1}"):
            server.run(library_dir, port=port, open_browser=False)


def test_an_address_that_is_not_ours_is_told(library_dir: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        server.run(library_dir, host="203.0.113.7", open_browser=False, password="word")


def test_the_app_starts_without_what_only_pictures_need() -> None:
    code = (
        "import sys, tempfile\n"
        "from image_duplicate_finder.library import Library\n"
        "from image_duplicate_finder.web import create_app, server\n"
        "create_app(Library.open(tempfile.mkdtemp()))\n"
        "heavy = {'numpy', 'cv2', 'PIL', 'onnxruntime', 'numba'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
