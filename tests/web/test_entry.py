"""How a browser gets in: addresses work once, cookies outlive a restart and end when told."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from image_duplicate_finder.library import Library
from image_duplicate_finder.web import Access, create_app, state
from image_duplicate_finder.web.security import cookie_name
from image_duplicate_finder.web.state import Entries, State, Tries
from tests.patience import PATIENCE
from tests.web.conftest import Browser

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")


def _state(app: Flask) -> State:
    found: State = app.extensions["image_duplicate_finder"]
    return found


def _cookie(client: FlaskClient, access: Access) -> str:
    found = client.get_cookie(cookie_name(access), domain="127.0.0.1")
    assert found is not None
    return found.value


def test_an_address_lets_one_browser_in(app: Flask, visitor: FlaskClient) -> None:
    address = f"/enter/{_state(app).access.token}"
    second = Browser(app, use_cookies=True)
    answer = second.get(address)
    assert answer.status_code == 401 and "Set-Cookie" not in answer.headers
    assert "idf serve" in answer.text  # what to do instead
    assert second.get("/").status_code == 401
    assert visitor.get(address).status_code == 200  # who is in may use an old bookmark
    assert second.get(f"/enter/{_state(app).entries.new_token()}").status_code == 200
    assert second.get("/").status_code == visitor.get("/").status_code == 200


def test_each_browser_has_a_cookie_of_its_own(app: Flask, visitor: FlaskClient) -> None:
    state, second = _state(app), Browser(app, use_cookies=True)
    second.get(f"/enter/{state.entries.new_token()}")
    assert _cookie(second, state.access) != _cookie(visitor, state.access)


def test_the_cookie_is_private_to_this_app(app: Flask, stranger: FlaskClient) -> None:
    cookie = stranger.get(f"/enter/{_state(app).access.token}").headers["Set-Cookie"]
    assert cookie.startswith("idf_entry_5501=")  # browsers send cookies to every port
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_a_browser_is_trusted_after_a_restart(
    library: Library, visitor: FlaskClient, app: Flask
) -> None:
    cookie = _cookie(visitor, _state(app).access)

    def status(access: Access) -> int:
        client = Browser(create_app(library, access), use_cookies=True)
        client.set_cookie(cookie_name(access), cookie, domain="127.0.0.1")
        return client.get("/", base_url=f"http://127.0.0.1:{access.port}").status_code

    assert status(Access(port=5501)) == 200
    assert status(Access(port=5501, password="new")) == 200
    assert status(Access(port=5502)) == 401


def test_no_cookie_of_another_library(tmp_path: Path, visitor: FlaskClient, app: Flask) -> None:
    access = Access(port=5501)
    with Library.open(tmp_path / "other") as other:
        client = Browser(create_app(other, access), use_cookies=True)
        client.set_cookie(
            cookie_name(access), _cookie(visitor, _state(app).access), domain="127.0.0.1"
        )
        assert client.get("/").status_code == 401


def test_signing_out_ends_all_other_browsers(app: Flask, visitor: FlaskClient) -> None:
    second = Browser(app, use_cookies=True)
    second.get(f"/enter/{_state(app).entries.new_token()}")
    assert second.get("/").status_code == 200
    assert "Sign out all other browsers" in visitor.get("/settings/").text
    assert visitor.post("/settings/sign-out").status_code == 303
    assert second.get("/").status_code == 401
    assert "All other browsers have been signed out" in visitor.get("/settings/").text


def test_a_new_password_ends_what_the_old_one_opened(library: Library) -> None:
    old, new = Access(port=5501, password="old"), Access(port=5501, password="new")
    by_password = Browser(create_app(library, old), use_cookies=True)
    assert by_password.post("/login", data={"password": "old"}).status_code == 200
    assert by_password.get("/").status_code == 200
    later = Browser(create_app(library, new), use_cookies=True)
    later.set_cookie(cookie_name(old), _cookie(by_password, old), domain="127.0.0.1")
    assert later.get("/").status_code == 302  # to the login page


@pytest.mark.parametrize(
    "changed",
    ["", ".", "..", "0.0.0", "x", "\u00e9", "5f5e100.abc.{signature}", "{claim}.{signature}0",
     "{claim}x.{signature}", "{claim}"],
)  # fmt: skip
def test_a_changed_cookie_opens_nothing(app: Flask, visitor: FlaskClient, changed: str) -> None:
    claim, _, signature = _cookie(visitor, _state(app).access).rpartition(".")
    assert not _state(app).entries.trusts(changed.format(claim=claim, signature=signature))


def test_cookies_and_invitations_grow_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = Entries(tmp_path, 5501, "token", None)
    cookie, invitation, second = entries.cookie(), entries.invitation(), entries.invitation()
    assert entries.use(invitation) and not entries.use(invitation)
    now = time.time()
    monkeypatch.setattr(state.time, "time", lambda: now + 600)
    assert entries.trusts(cookie) and not entries.use(second)
    monkeypatch.setattr(state.time, "time", lambda: now + 400 * 24 * 3600)
    assert not entries.trusts(cookie)
    monkeypatch.setattr(state.time, "time", lambda: now - 600)  # made in the future
    assert not entries.trusts(cookie)


def test_an_invitation_is_no_cookie_and_no_proof(tmp_path: Path) -> None:
    entries = Entries(tmp_path, 5501, "token", None)
    assert not entries.trusts(entries.invitation())
    assert not entries.use(entries.cookie())
    assert not Entries(tmp_path, 5502, "token", None).use(entries.invitation())


@POSIX
def test_the_secret_is_private_and_replaced_if_it_was_not(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        entries = Entries(tmp_path, 5501, "token", None)
    finally:
        os.umask(before)
    path = tmp_path / state.SECRET_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    cookie = entries.cookie()
    assert Entries(tmp_path, 5501, "other", None).trusts(cookie)
    path.chmod(0o644)
    assert not Entries(tmp_path, 5501, "other", None).trusts(cookie)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"")  # cut off by a full disk
    assert not Entries(tmp_path, 5501, "other", None).trusts(cookie)
    assert len(path.read_bytes()) == 32


def test_tries_are_counted_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(state.time, "monotonic", lambda: now)
    tries = Tries()
    assert [tries.take("10.0.0.1") for _ in range(5)] == [0.0] * 5
    assert tries.take("10.0.0.1") == tries.take("::ffff:10.0.0.1") == 12.0
    assert tries.take("10.0.0.2") == 0.0
    now = 12.5
    assert tries.take("10.0.0.1") == 0.0 < tries.take("10.0.0.1")
    for number in range(5):  # one household has a whole /64
        assert tries.take(f"2001:db8::{number}") == 0.0
    assert tries.take("2001:db8::ffff") > 0
    assert tries.take("2001:db8:0:1::1") == 0.0
    tries.forgive("10.0.0.1")
    assert tries.take("10.0.0.1") == 0.0


def test_too_many_wrong_passwords_are_refused_unread(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(port=5501, password="open sesame")
    app = create_app(library, access)
    guesser, owner = Browser(app, use_cookies=True), Browser(app, use_cookies=True)
    owner.get(f"/enter/{access.token}")
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("somebody slept"))
    statuses = [guesser.post("/login", data={"password": "x"}).status_code for _ in range(20)]
    assert statuses == [401] * 5 + [429] * 15
    right = guesser.post("/login", data={"password": "open sesame"})
    assert right.status_code == 429 and int(right.headers["Retry-After"]) > 0
    assert "Too many wrong passwords" in right.text
    # The owner has the same address where a reverse proxy stands before the app.
    assert owner.get("/").status_code == owner.post("/login").status_code == 200
    assert guesser.get(f"/enter/{_state(app).entries.new_token()}").status_code == 200


# As a process.


def _start(
    library: Path, port: int, *options: str, browser: Path | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "image_duplicate_finder", "--library", str(library), "serve"]
    environment = dict(os.environ) | ({"BROWSER": str(browser)} if browser else {})
    return subprocess.Popen(
        [*command, "--port", str(port), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://\S+/enter/\S+", process.stdout.readline())
    assert found is not None
    return found.group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _open(address: str, jar: CookieJar) -> int:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    try:
        with opener.open(address, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_next_address_is_printed_when_one_was_used(library_dir: Path) -> None:
    process = _start(library_dir, _free_port(), "--no-browser")
    try:
        first, jars = _address(process), [CookieJar() for _ in range(3)]
        assert _open(first, jars[0]) == 200
        second = _address(process)
        assert _open(first, jars[1]) == 401
        assert _open(second, jars[2]) == 200
        assert _address(process) not in (first, second)
        root = first.partition("/enter/")[0]
        assert [_open(root, jar) for jar in jars] == [200, 401, 200]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_who_printed_to_a_closed_pipe_goes_on(library_dir: Path) -> None:
    process = _start(library_dir, _free_port(), "--no-browser")
    try:
        address, jar = _address(process), CookieJar()
        assert process.stdout is not None
        process.stdout.close()
        assert _open(address, jar) == 200
        assert _open(address.partition("/enter/")[0], jar) == 200
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_a_second_start_leads_into_the_running_app(library_dir: Path, tmp_path: Path) -> None:
    port = _free_port()
    process = _start(library_dir, port, "--no-browser")
    try:
        _address(process)
        again = _start(library_dir, port, "--no-browser")
        address, jar = _address(again), CookieJar()
        again.communicate(timeout=PATIENCE)
        assert again.returncode == 0
        assert _open(address, jar) == 200
        assert _open(address, CookieJar()) == 401
        other = _start(tmp_path / "other", port, "--no-browser")
        assert f"Port {port} is in use" in other.communicate(timeout=PATIENCE)[1]
        assert other.returncode == 2
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@POSIX
def test_the_browser_is_led_in_by_a_private_file(library_dir: Path, tmp_path: Path) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nexec >&- 2>&-\necho "$1" > {seen}.new && mv {seen}.new {seen}\nsleep 5\n'
    )
    browser.chmod(0o755)
    before = os.umask(0)
    try:
        process = _start(library_dir, _free_port(), browser=browser)
    finally:
        os.umask(before)
    try:
        printed = _address(process)
        until = time.monotonic() + PATIENCE
        while not seen.exists() and time.monotonic() < until:
            time.sleep(0.1)
        address = seen.read_text().strip()
        assert address.startswith("file://") and "/enter/" not in address
        file = Path(address.removeprefix("file://"))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        led = re.search(r"http://[^\"]+/enter/[^\"]+", file.read_text())
        assert led is not None and led.group() != printed
        assert _open(led.group(), CookieJar()) == 200
        assert not file.exists()
        assert _open(led.group(), CookieJar()) == 401
        assert _open(printed, CookieJar()) == 200  # the printed one is for another browser
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert not list(library_dir.glob("*.html"))
