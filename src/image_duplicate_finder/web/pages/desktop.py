"""Files out of the page: in the system's viewer, in its file manager, their path for the clipboard.

Programs can be started only for someone who sits at this machine: the app must listen to it alone
and without a password (behind a reverse proxy everybody seems to come from this machine), and
there must be a desktop.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Response, request
from markupsafe import Markup

from image_duplicate_finder.discover import may_be_image
from image_duplicate_finder.errors import NotFound, UsageError
from image_duplicate_finder.results import FileView
from image_duplicate_finder.web.forms import path_to_text
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import name
from image_duplicate_finder.web.layout import icon
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("desktop", __name__, url_prefix="/scans/<int:scan>/files/<int:file>")

_START_SECONDS = 3.0
"""A program that goes on for longer has started."""


@blueprint.get("/path")
def path(scan: int, file: int) -> Response:
    """The path as text."""
    return Response(path_to_text(library().file(scan, file).path), mimetype="text/plain")


@blueprint.post("/open")
def open_in_viewer(scan: int, file: int) -> Response:
    """Open a picture in the program that the system has for it."""
    found = _file_here(scan, file)
    if sys.platform == "win32":
        os.startfile(found)
    else:
        _run("open" if sys.platform == "darwin" else "xdg-open", found)
    return Response(status=204)


@blueprint.post("/show")
def show_in_folder(scan: int, file: int) -> Response:
    """Show a file in its folder."""
    found = _file_here(scan, file)
    if sys.platform == "win32":
        subprocess.Popen(["explorer.exe", f"/select,{found}"])
    elif sys.platform == "darwin":
        _run("open", "-R", found)
    else:
        _show_on_linux(found)
    return Response(status=204)


@blueprint.app_template_global()
def desktop_buttons(scan: int, file: FileView) -> Markup:
    """Buttons for a file: open, show in its folder, copy the path (see static/js/desktop.js)."""
    offered = [("copy", "link", _("Copy path"), "C")]
    if can_start_programs():
        offered = [
            ("open", "eye", _("Open in viewer"), "W"),
            ("show", "folder-open", _("Show in folder"), "L"),
            *offered,
        ]
    return Markup("").join(
        Markup(
            '<button class="button compact quiet" type="button" data-desktop="{}" data-of="{}"'
            ' data-done="{}" title="{} ({})">{}<span class="sr-only">{}: {}</span></button>'
        ).format(what, f"{scan}/files/{file.id}", _("Path copied."), words, key,
                 icon(symbol, "small"), words, name(file.path))
        for what, symbol, words, key in offered
    )  # fmt: skip


def can_start_programs() -> bool:
    """Whether the visitor sits at this machine and it has a desktop."""
    access = state().access
    if access.password is not None or access.any_address:
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    if not address.is_loopback or "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    seen = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return seen and shutil.which("xdg-open") is not None


def _file_here(scan: int, file: int) -> str:
    """The path of a picture that programs of this machine can open."""
    if not can_start_programs():
        raise UsageError(_("Programs can only be started from a browser on the same machine."))
    view = library().file(scan, file)
    if os.path.islink(view.path) or not os.path.isfile(view.path):
        raise NotFound(_("This file no longer exists, or is inside an archive."))
    # What is no picture by its name may be a program to the system.
    if not may_be_image(os.path.basename(view.path)):
        raise UsageError(_("The system does not recognise this file as a picture."))
    return view.path


def _show_on_linux(path: str) -> None:
    # A comma would end the address for dbus-send.
    address = f"file://{quote(os.fsencode(path))}"
    call = "org.freedesktop.FileManager1.ShowItems"
    to = ("--dest=org.freedesktop.FileManager1", "/org/freedesktop/FileManager1")
    try:
        _run("dbus-send", "--session", "--print-reply", *to, call, f"array:string:{address}",
             "string:")  # fmt: skip
    except UsageError:  # a desktop without that service
        _run("xdg-open", str(Path(path).parent))


def _run(*command: str) -> None:
    """Start a program that outlives this one. Raises UsageError if it fails at once."""
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        failed = process.wait(_START_SECONDS) != 0
    except subprocess.TimeoutExpired:
        failed = False
    except OSError:
        failed = True
    if failed:
        raise UsageError(_("The system has no program for this, or it did not start."))
