"""Nobody comes in without the token, from another site, or under another name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.web import Access, create_app, security
from image_duplicate_finder.web.server import access_for, entry_address
from image_duplicate_finder.web.state import State

WEB = Path(security.__file__).parent
OPEN = {"static", "enter", "proof", "login", "log_in"}


def _addresses(app: Flask, method: str) -> list[str]:
    """An address for every route that takes ``method`` and is not open to all."""
    made = []
    with app.test_request_context(base_url="http://127.0.0.1:5501"):
        for rule in app.url_map.iter_rules():
            if rule.endpoint in OPEN or method not in (rule.methods or ()):
                continue
            values = dict.fromkeys(rule.arguments, "1")
            made.append(
                rule.build({k: _value(rule, k, v) for k, v in values.items()}, append_unknown=False)
            )
    return [address[1] for address in made if address is not None]


def _value(rule: object, name: str, value: str) -> object:
    converter = rule._converters[name]  # type: ignore[attr-defined]
    return int(value) if type(converter).__name__ == "IntegerConverter" else value


def test_there_are_routes_to_try(app: Flask) -> None:
    assert len(_addresses(app, "GET")) > 20
    assert len(_addresses(app, "POST")) > 10


def test_no_route_opens_without_the_token(app: Flask, stranger: FlaskClient) -> None:
    for method in ("GET", "POST"):
        for address in _addresses(app, method):
            answer = stranger.open(address, method=method)
            assert answer.status_code == 401, f"{method} {address}"


def test_a_wrong_token_does_not_open(stranger: FlaskClient) -> None:
    assert stranger.get("/enter/guess").status_code == 401
    assert stranger.get("/").status_code == 401


def test_an_invented_cookie_does_not_open(app: Flask, stranger: FlaskClient) -> None:
    state: State = app.extensions["image_duplicate_finder"]
    stranger.set_cookie(security.cookie_name(state.access), state.access.token, domain="127.0.0.1")
    assert stranger.get("/").status_code == 401


def test_the_token_becomes_a_strict_cookie(app: Flask, stranger: FlaskClient) -> None:
    state: State = app.extensions["image_duplicate_finder"]
    answer = stranger.get(f"/enter/{state.access.token}")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert state.access.token not in cookie
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:5501", "127.0.0.1", "127.0.0.1:80", 
     "127.0.0.1.evil.example:5501", "127.0.0.1:5501@evil.example", "192.168.1.5:5501", "[::1",
     "127.0.0.1.:5501", "localhost.:5501", "user@127.0.0.1:5501", "127.0.0.1:5501, evil.example",
     "127.0.0.1:05501x", "[127.0.0.1]:5501 ", "2130706433:5501", "0x7f.1:5501", "", ":5501"],
)  # fmt: skip
def test_other_hosts_are_refused(visitor: FlaskClient, host: str) -> None:
    assert visitor.get("/", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1:5501", "localhost:5501", "LocalHost:5501"])
def test_own_names_are_served(app: Flask, host: str) -> None:
    client = app.test_client()
    state: State = app.extensions["image_duplicate_finder"]
    answer = client.get(f"/enter/{state.access.token}", headers={"Host": host})
    assert answer.status_code == 200


def test_every_changing_route_refuses_other_sites(app: Flask, visitor: FlaskClient) -> None:
    for address in _addresses(app, "POST"):
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:5501"},
        ):
            answer = visitor.post(address, headers=headers)
            assert answer.status_code == 403, f"{address} {headers}"


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://127.0.0.1:5502", "https://127.0.0.1:5501"],
)
def test_browsers_without_fetch_metadata_must_name_this_origin(
    app: Flask, origin: str | None
) -> None:
    old_browser = FlaskClient(app, use_cookies=True)
    state: State = app.extensions["image_duplicate_finder"]
    address = "http://127.0.0.1:5501"
    assert old_browser.get(f"/enter/{state.access.token}", base_url=address).status_code == 200

    def post(origin: str | None) -> int:
        headers = {} if origin is None else {"Origin": origin}
        answer = old_browser.post("/settings/look", base_url=address, headers=headers)
        return answer.status_code

    assert post(origin) == 403
    assert post(address) == 303


def test_other_sites_may_link_but_not_embed(visitor: FlaskClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert visitor.get("/", headers=link | {"Sec-Fetch-Dest": "document"}).status_code == 200
    assert visitor.get("/", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403
    picture = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "image",
    }
    assert visitor.get("/scans/1/images/1/full", headers=picture).status_code == 403


def test_every_answer_carries_the_policy(app: Flask, visitor: FlaskClient) -> None:
    for address in (*_addresses(app, "GET"), "/nothing", "/static/icons.svg"):
        answer = visitor.get(address)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, address
        assert answer.headers["X-Content-Type-Options"] == "nosniff", address
        answer.close()


@pytest.mark.parametrize(
    "path",
    ["/static/../security.py", "/static/%2e%2e/security.py", "/static//etc/passwd",
     "/static/..%2fsecurity.py", "/static/%2fetc%2fpasswd"],
)  # fmt: skip
def test_static_files_end_at_their_folder(visitor: FlaskClient, path: str) -> None:
    answer = visitor.get(path, follow_redirects=True)
    assert answer.status_code == 404
    assert b"root:" not in answer.data and b"import" not in answer.data


def test_pages_hold_no_inline_script_or_style() -> None:
    """What the policy forbids would silently not work."""
    for path in (WEB / "templates").rglob("*.html"):
        if path == WEB / "templates/export/head.html":  # a file that is opened without the app
            continue
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), path


def test_other_machines_need_a_password(library: Library) -> None:
    with pytest.raises(UsageError, match="password"):
        access_for("0.0.0.0", 5501, None)
    access = access_for("0.0.0.0", 5501, "open sesame")
    client = FlaskClient(create_app(library, access), use_cookies=True)

    def ask(method: str, path: str, host: str = "192.168.1.5", **data: str) -> TestResponse:
        return client.open(
            path,
            method=method,
            base_url=f"http://{host}:5501",
            headers={"Sec-Fetch-Site": "same-origin"},
            data=data,
        )

    assert ask("GET", "/").headers["Location"] == "/login"
    assert ask("POST", "/settings/look").status_code == 401
    assert ask("POST", "/login", password="wrong").status_code == 401
    assert ask("GET", "/").status_code == 302
    assert ask("POST", "/login", password="open sesame").status_code == 200
    assert ask("GET", "/").status_code == 200
    # A name that somebody else controls could lead here.
    assert ask("GET", "/", host="rebound.example").status_code == 421


def test_no_password_no_login_page(stranger: FlaskClient) -> None:
    assert stranger.get("/login").status_code == 401
    assert stranger.post("/login").status_code == 401


def test_the_address_to_open() -> None:
    access = Access(port=5501)
    assert entry_address("127.0.0.1", access, "t") == "http://127.0.0.1:5501/enter/t"
    assert entry_address("0.0.0.0", access, "t") == "http://127.0.0.1:5501/enter/t"
    assert entry_address("::1", access, "t") == "http://[::1]:5501/enter/t"
