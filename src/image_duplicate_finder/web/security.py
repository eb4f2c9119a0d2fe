"""Who may come in, from where, and what a page may load.

The dangers of a program that listens on a port of a personal machine: another website in the
same browser sends requests to it (cross-site request forgery), a name that an attacker controls
points at 127.0.0.1 (DNS rebinding), another user of the machine connects, a picture that is
really a script runs. So: only known hosts are served, requests from other sites are refused,
nobody gets in without a one-time address or the password, and pages load nothing but the
app's own files.

The same rules say, before a request's body is read, whether it will be (see :func:`standing`).
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import re
from dataclasses import dataclass

from flask import Flask, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Request
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.web.state import TRUSTED_SECONDS, Access, Entries, state

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_ENDPOINTS = frozenset({"static", "enter", "proof", "login", "log_in"})
"""What needs no entry: it shows nothing of the library."""

MOST_BODY_BYTES = 64 * 1024**2
_MOST_LOGIN_BYTES = 4096
_LOGIN_PATH = "/login"
_HOST = re.compile(r"(?P<name>[^\s@/?#:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")

_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with that, browsers send forms with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def install(app: Flask) -> None:
    """Guard every route of ``app``; must come before any other request handler."""
    app.before_request(_check_host)
    app.before_request(_check_site)
    app.before_request(_check_entry)
    app.after_request(_add_headers)
    app.add_url_rule("/enter/<token>", "enter", _enter)
    app.add_url_rule("/proof/<challenge>", "proof", _proof)
    app.add_url_rule(_LOGIN_PATH, "login", _login, methods=["GET"])
    app.add_url_rule(_LOGIN_PATH, "log_in", _log_in, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Standing:
    """What a request may claim: whether it comes from someone who entered, and how many bytes
    of its body will be read."""

    entered: bool
    body_bytes: int


def standing(sent: Request, access: Access, entries: Entries) -> Standing:
    """What a request may claim, from its header alone."""
    if not host_allowed(sent.headers.get("Host", ""), access) or not same_site(sent):
        return Standing(entered=False, body_bytes=0)
    if has_entry(sent, access, entries):
        return Standing(entered=True, body_bytes=MOST_BODY_BYTES if sent.method == "POST" else 0)
    login = access.password is not None and (sent.method, sent.path) == ("POST", _LOGIN_PATH)
    return Standing(entered=False, body_bytes=_MOST_LOGIN_BYTES if login else 0)


def has_entry(sent: Request, access: Access, entries: Entries) -> bool:
    """Whether a request comes from a browser that came in before."""
    given = sent.cookies.get(cookie_name(access))
    return given is not None and entries.trusts(given)


def cookie_name(access: Access) -> str:
    """Browsers share cookies between ports, so the port is a part of the name."""
    return f"idf_entry_{access.port}"


def host_allowed(host: str, access: Access) -> bool:
    """Whether ``host``, a Host header, names this app.

    An IP address in the header cannot come from DNS rebinding, which needs a name.
    """
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or 80) != access.port:
        return False
    name = found["name"].strip("[]")
    if name.lower() in access.hosts:
        return True
    return access.any_address and _is_address(name)


def same_site(sent: Request) -> bool:
    """Whether a request comes from a page of this app or from a person.

    Modern browsers say so in Sec-Fetch-Site; for others a request that changes something must
    name this app as its Origin.
    """
    safe = sent.method in _SAFE_METHODS
    site = sent.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site == "same-origin" or (site == "none" and safe):
            return True
        # A link from elsewhere may open a page; it may not load one into something else.
        return (
            safe
            and sent.headers.get("Sec-Fetch-Mode") == "navigate"
            and sent.headers.get("Sec-Fetch-Dest") == "document"
        )
    origin = sent.headers.get("Origin")
    if origin is None:
        return safe
    return origin.lower() == f"{sent.scheme}://{sent.host}".lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_host() -> None:
    if not host_allowed(request.headers.get("Host", ""), state().access):
        abort(421)


def _check_site() -> None:
    if not same_site(request):
        abort(403)


def _check_entry() -> BaseResponse | None:
    access, entries = state().access, state().entries
    if request.endpoint in _OPEN_ENDPOINTS or has_entry(request, access, entries):
        return None
    if access.password is None or request.method != "GET":
        abort(401)
    return redirect(url_for("login"))


def _enter(token: str) -> BaseResponse:
    """Exchange the one-time token in the address for a cookie.

    The answer is a page that moves on by itself, not a redirect: after a click in another
    site (a terminal in the browser, say) a redirect would be sent without the strict cookie.
    """
    access, entries = state().access, state().entries
    if entries.use(token):
        return admit(_welcome())
    if not has_entry(request, access, entries):
        abort(401)
    return _welcome()


def admit(response: BaseResponse, *, by_password: bool = False) -> BaseResponse:
    """Let the browser that gets ``response`` in from now on."""
    entries = state().entries
    response.set_cookie(
        cookie_name(state().access),
        entries.cookie(by_password=by_password),
        max_age=TRUSTED_SECONDS,
        httponly=True,
        samesite="Strict",
        path="/",
    )
    return response


def _welcome() -> Response:
    return Response(render_template("entered.html"))


def _proof(challenge: str) -> Response:
    """Show another process of the same person that this is an app over the same library."""
    return Response(state().entries.proof(challenge), mimetype="text/plain")


def _login() -> str:
    if state().access.password is None:
        abort(401)
    return render_template("login.html", failed=False, wait=0)


def _log_in() -> BaseResponse:
    access, entries = state().access, state().entries
    if access.password is None:
        abort(401)
    if has_entry(request, access, entries):  # who is in already need not wait for strangers
        return _welcome()
    address = request.remote_addr or ""
    wait = entries.tries.take(address)
    if wait:
        seconds = math.ceil(wait)
        page = render_template("login.html", failed=False, wait=seconds)
        return Response(page, status=429, headers={"Retry-After": str(seconds)})
    given = request.form.get("password", "")
    if not hmac.compare_digest(given.encode(), access.password.encode()):
        return Response(render_template("login.html", failed=True, wait=0), status=401)
    entries.tries.forgive(address)
    return admit(_welcome(), by_password=True)


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static" and "v" in request.args:
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    elif request.endpoint == "static":  # a module that another module imports
        response.headers["Cache-Control"] = "private, no-cache"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
