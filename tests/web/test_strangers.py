"""What strangers send to a running app does not stop the page of those who entered."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.patience import PATIENCE

PASSWORD = "a long and good one"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MOST_SECONDS = 60.0  # a busy machine is no defect; without limits it would be for ever
MOST_TAKEN = 8 << 20
"""Bytes that may lie in the sockets of both sides, and a little that is swallowed."""


@dataclass(slots=True)
class Server:
    """A running app, with the cookie of someone who entered."""

    process: subprocess.Popen[str]
    host: str
    port: int
    cookie: str = ""
    links: list[socket.socket] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def ask(
        self, method: str, path: str, body: str | None = None, *, entered: bool = False, **more: str
    ) -> http.client.HTTPResponse:
        """The answer to a whole request over a connection of its own, read to its end."""
        link = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        headers = {"Host": self.name, "Origin": f"http://{self.name}", **FORM}
        headers |= {"Cookie": self.cookie} if entered else {}
        link.request(method, path, body=body, headers=headers | more)
        answer = link.getresponse()
        answer.read()
        link.close()
        return answer

    def link(self, *, small_window: bool = False) -> socket.socket:
        """A connection."""
        made = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        if small_window:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(PATIENCE)
        made.connect((self.host, self.port))
        self.links.append(made)
        return made

    def say(self, *lines: str, more: bytes = b"") -> bytes:
        """The whole answer to raw lines."""
        link = self.link()
        with contextlib.suppress(OSError):
            link.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode() + more)
        return _rest(link)

    def owner_waits(self) -> float:
        """Seconds until the start page of someone who entered is there."""
        started = time.monotonic()
        assert self.ask("GET", "/", entered=True).status == 200
        return time.monotonic() - started


def _rest(link: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(OSError):
        while data := link.recv(65536):
            got += data
    return got


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@contextlib.contextmanager
def _serving(library: Path, *options: str, host: str = "127.0.0.1") -> Iterator[Server]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "image_duplicate_finder", "--library", str(library)]
    process = subprocess.Popen(
        [*command, "serve", "--no-browser", "--port", str(port), *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    made = Server(process, host, port)
    try:
        assert process.stdout is not None
        found = re.search(r"(/enter/\S+)", process.stdout.readline())
        assert found is not None
        made.cookie = made.ask("GET", found[1]).headers["Set-Cookie"].split(";")[0]
        yield made
    finally:
        for link in made.links:
            link.close()
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One app for all tests that need no other: what one leaves may not trouble the next."""
    options = ("--host", "0.0.0.0", "--password", PASSWORD)
    with _serving(tmp_path_factory.mktemp("strangers") / "library", *options) as made:
        yield made


@pytest.fixture
def server(module_server: Server) -> Iterator[Server]:
    """The app, with no connections left when the test ends."""
    yield module_server
    for link in module_server.links:
        link.close()
    module_server.links.clear()


BEGINNINGS = {
    "nothing at all": "",
    "half a first line": "GET /lo",
    "half a header": "GET / HTTP/1.1\r\nHost: {name}\r\nX-A: ",
    "half a login": "POST /login HTTP/1.1\r\nHost: {name}\r\nOrigin: http://{name}\r\n"
    "Content-Length: 4000\r\n\r\npassword=",
    "an upload that does not come": "POST /find/ HTTP/1.1\r\nHost: {name}\r\n"
    "Content-Length: 400000000\r\n\r\n",
    "a TLS greeting": "\x16\x03\x01\x02\x00\x01",
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_half_requests_leave_room(server: Server, beginning: str) -> None:
    text = BEGINNINGS[beginning].format(name=server.name).encode("latin-1")
    for _ in range(500):
        with contextlib.suppress(OSError):
            server.link().sendall(text)
    assert server.owner_waits() < MOST_SECONDS


def test_clients_that_do_not_read_leave_room(server: Server) -> None:
    large = "/static/vendor/openseadragon/openseadragon.min.js"
    for path, cookie in ((large, ""), ("/login", ""), (large, f"Cookie: {server.cookie}\r\n")):
        for _ in range(100):
            text = f"GET {path} HTTP/1.1\r\nHost: {server.name}\r\n{cookie}\r\n"
            with contextlib.suppress(OSError):
                server.link(small_window=True).sendall(text.encode())
        assert server.owner_waits() < MOST_SECONDS


def test_a_trickle_is_cut(server: Server) -> None:
    header, body = server.link(), server.link()
    header.sendall(f"GET / HTTP/1.1\r\nHost: {server.name}\r\nX-A: ".encode())
    body.sendall(BEGINNINGS["half a login"].format(name=server.name).encode())
    started, open_links = time.monotonic(), {header, body}
    while open_links and time.monotonic() < started + PATIENCE:
        time.sleep(0.5)
        for link in tuple(open_links):
            try:
                link.sendall(b"a")
            except OSError:
                open_links.remove(link)
    assert not open_links


@pytest.mark.parametrize("path", ["/", "/find/", "/login", "/enter/x", "/static/icons.svg", "/no"])
@pytest.mark.parametrize("length", ["Content-Length: 400000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("host", ["", "evil.example"])
def test_an_upload_of_a_stranger_is_not_read(
    server: Server, path: str, length: str, host: str
) -> None:
    link = server.link()
    head = f"POST {path} HTTP/1.1\r\nHost: {host or server.name}\r\n{length}\r\n\r\n"
    assert _sent(link, head, chunked="chunked" in length) < MOST_TAKEN


def test_an_upload_without_end_of_someone_who_entered_is_cut(server: Server) -> None:
    head = f"POST /find/ HTTP/1.1\r\nHost: {server.name}\r\nOrigin: http://{server.name}\r\n"
    head += f"Cookie: {server.cookie}\r\n"
    declared = f"{head}Content-Length: 400000000\r\n\r\n"
    assert _sent(server.link(), declared, chunked=False) < MOST_TAKEN
    endless = f"{head}Transfer-Encoding: chunked\r\n\r\n"
    assert _sent(server.link(), endless, chunked=True) < (64 << 20) + MOST_TAKEN
    # One that waits with its body gets to read why.
    link = server.link()
    link.sendall(declared.encode())
    assert _status(_rest(link)) == 413


def _sent(link: socket.socket, head: str, *, chunked: bool) -> int:
    """How much is taken from a client that sends 160 MB after ``head``."""
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536
    sent = 0
    with contextlib.suppress(OSError):
        link.sendall(head.encode())
        while sent < 160 << 20:
            link.sendall(piece)
            sent += 65536
    return sent


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET / HTTP/1.1", "Host: {name}", "X-A: " + "a" * 20_000], 431),
        (["GET / HTTP/1.1", "Host: {name}", *("X-A: b" for _ in range(5000))], 431),
        (["GET /" + "a" * 70_000 + " HTTP/1.1", "Host: {name}"], 431),
        (["POST /login HTTP/1.1", "Host: {name}", "Content-Length: 5",
          "Transfer-Encoding: chunked"], 400),
        (["POST /login HTTP/1.1", "Host: {name}", "Content-Length: 5", "Content-Length: 6"], 400),
        (["POST /login HTTP/1.1", "Host: {name}", "Content-Length: -1"], 400),
        (["POST /login HTTP/1.1", "Host: {name}", "Content-Length: +5"], 400),
        (["POST /login HTTP/1.0", "Host: {name}", "Transfer-Encoding: chunked"], 400),
        (["POST /login HTTP/1.1", "Host: {name}", "Transfer-Encoding: identity"], 501),
        (["POST /login HTTP/1.1", "Host: {name}", "Transfer-Encoding: chunked, gzip"], 501),
        (["GET http://{name}/login HTTP/1.1", "Host: evil.example"], 400),
        (["GET http://evil.example/login HTTP/1.1", "Host: {name}"], 400),
        (["CONNECT {name} HTTP/1.1", "Host: {name}"], 400),
        (["OPTIONS * HTTP/1.1", "Host: {name}"], 400),
        (["GET / HTTP/2.0", "Host: {name}"], 400),
        (["PRI * HTTP/2.0", "", "SM"], 400),
        (["GET /"], 400),
        (["GET / HTTP/1.1"], 421),
        (["GET / HTTP/1.1", "Host: {name}", "Host: evil.example"], 421),
        (["GET / HTTP/1.1", "Host: 127.0.0.1.:{port}"], 421),
        (["TRACE / HTTP/1.1", "Host: {name}", "X-A: secret"], 403),
        (["OPTIONS / HTTP/1.1", "Host: {name}", "Origin: http://evil.example"], 403),
        (["PUT / HTTP/1.1", "Host: {name}", "Origin: http://{name}"], 401),
    ],
)  # fmt: skip
def test_strange_requests_are_refused(server: Server, lines: list[str], status: int) -> None:
    filled = [line.format(name=server.name, port=server.port) for line in lines]
    answer = server.say(*filled, "Connection: close", more=b"GET /login HTTP/1.1\r\n")
    assert _status(answer) == status
    assert b"secret" not in answer and answer.count(b"HTTP/1.1 ") <= 1


def test_many_requests_in_one_packet_are_one(server: Server) -> None:
    one = f"GET /static/icons.svg HTTP/1.1\r\nHost: {server.name}\r\n\r\n".encode()
    link = server.link()
    link.sendall(one * 500)
    assert _rest(link).count(b"HTTP/1.1 200") == 1
    link = server.link()
    for _ in range(3):  # one after the other over one connection is what browsers do
        link.sendall(one)
        assert b"HTTP/1.1 200" in link.recv(65536)
        time.sleep(0.2)
        link.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while link.recv(65536):
                pass
        link.setblocking(True)


def test_wrong_logins_do_not_slow_those_who_entered(server: Server) -> None:
    stop, seen = time.monotonic() + 6, set()

    def wrong() -> None:
        while time.monotonic() < stop:
            with contextlib.suppress(OSError, http.client.HTTPException):
                seen.add(server.ask("POST", "/login", "password=wrong").status)

    threads = [threading.Thread(target=wrong) for _ in range(60)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    assert server.owner_waits() < MOST_SECONDS
    for thread in threads:
        thread.join()
    assert seen == {401, 429}
    late = server.ask("POST", "/login", f"password={PASSWORD}")
    assert late.status == 429 and 0 < int(late.headers["Retry-After"]) <= 60
    assert server.ask("POST", "/login", "password=wrong", entered=True).status == 200


def test_progress_pages_hold_no_thread(server: Server) -> None:
    for cookie in ("", f"Cookie: {server.cookie}\r\n"):
        for _ in range(200):
            text = f"GET /work/x/now HTTP/1.1\r\nHost: {server.name}\r\n{cookie}\r\n"
            with contextlib.suppress(OSError):
                server.link().sendall(text.encode())
        assert server.owner_waits() < MOST_SECONDS


def test_the_owner_keeps_a_connection_while_strangers_come(server: Server) -> None:
    mine = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    headers = {"Host": server.name, "Cookie": server.cookie}
    mine.request("GET", "/settings/", headers=headers)
    assert mine.getresponse().read()
    kept = mine.sock
    for _ in range(300):
        server.link()
    mine.request("GET", "/settings/", headers=headers)
    assert mine.getresponse().read() and mine.sock is kept


def test_ipv6_and_its_half_requests(library_dir: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with _serving(library_dir, "--host", "::1", host="::1") as server:
        for _ in range(300):
            with contextlib.suppress(OSError):
                server.link().sendall(b"GET / HTTP/1.1\r\nX-A: ")
        assert server.owner_waits() < MOST_SECONDS
