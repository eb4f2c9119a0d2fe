"""``idf serve``: who can reach it, and how it begins and ends."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import Idf
from tests.patience import PATIENCE


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def _serving(command: list[str], *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running app and the address that it prints."""
    process = subprocess.Popen(
        [*command, "serve", "--no-browser", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            process.kill()
            pytest.fail(f"no address: {line} {process.communicate()[1]}")
        yield process, found.group()
    finally:
        process.kill()
        process.communicate()


def _status(address: str, host: str | None = None) -> int:
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def test_only_the_printed_address_opens_the_app(idf_command: list[str]) -> None:
    with _serving(idf_command, "--port", _free_port()) as (process, address):
        root = address.partition("/enter/")[0]
        assert _status(address) == 200
        assert _status(root + "/") in (401, 403)
        assert _status(root + "/enter/guess") in (401, 403)
        assert _status(address, host="rebound.example.org") in (400, 403, 421)
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


def test_port_in_use_is_one_sentence(idf_process: Idf) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = idf_process("serve", "--no-browser", "--port", str(port))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: Port {port} is in use")
    assert done.stderr.count("\n") == 1


def test_other_machines_need_a_password(idf_process: Idf, idf_command: list[str]) -> None:
    refused = idf_process("serve", "--no-browser", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "password" in refused.stderr
    port = _free_port()
    with _serving(
        idf_command, "--host", "0.0.0.0", "--port", port, "--password", "open sesame"
    ) as (_process, address):
        assert _status(address) == 200
        login = f"http://127.0.0.1:{port}/login"
        assert _status(login, host=f"{socket.gethostname()}:{port}") == 200
        assert _status(login, host=f"rebound.example.org:{port}") in (400, 403, 421)


def test_wrong_address_is_one_sentence(idf_process: Idf) -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737), so no machine has it.
    done = idf_process("serve", "--no-browser", "--host", "192.0.2.1", "--password", "x")
    assert done.returncode == 2
    assert "192.0.2.1" in done.stderr
    assert done.stderr.count("\n") == 1


def test_library_in_a_place_that_cannot_be_made(idf_process: Idf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    port = _free_port()
    done = idf_process(
        "--library", str(tmp_path / "file" / "library"), "serve", "--no-browser", "--port", port
    )
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
