"""Pictures of scanned files for the browser: thumbnails and full size.

What decodes is imported with the first picture, so that the app starts without it.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, request, url_for

from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.own_files import cache_folder
from image_duplicate_finder.results import FileView
from image_duplicate_finder.web.sources import LIMITS, decoding_slot, read_scanned
from image_duplicate_finder.web.state import library
from image_duplicate_finder.web.thumbnails import PictureCache

blueprint = Blueprint("images", __name__, url_prefix="/scans/<int:scan>/images")

THUMBNAIL_SIDES = (160, 320, 640, 1600)
_VERSION = 1
_THUMBNAIL_BYTES = 512 * 1024**2
_FULL_BYTES = 512 * 1024**2
_CACHES = "idf_picture_caches"


def thumbnail_cache() -> PictureCache:
    """The library's thumbnails."""
    return _cache("thumbnails", _THUMBNAIL_BYTES)


def view_cache() -> PictureCache:
    """Full-size and comparison pictures."""
    return _cache("views", _FULL_BYTES)


def _cache(name: str, max_bytes: int) -> PictureCache:
    found: dict[str, PictureCache] = current_app.extensions.setdefault(_CACHES, {})
    if name not in found:
        found[name] = PictureCache(cache_folder(library().folder, name), max_bytes)
    return found[name]


@blueprint.app_template_global()
def thumbnail_url(scan: int, file: FileView, side: int = 320) -> str:
    """Where a file's thumbnail is served; changes with its content, so browsers may keep it."""
    return url_for(
        "images.thumbnail", scan=scan, file=file.id, side=side, v=file.content.hex()[:12]
    )


@blueprint.app_template_global()
def full_url(scan: int, file: FileView) -> str:
    """Where a file's full-size picture is served."""
    return url_for("images.full", scan=scan, file=file.id, v=file.content.hex()[:12])


@blueprint.get("/<int:file>/thumbnail/<int:side>")
def thumbnail(scan: int, file: int, side: int) -> Response:
    """A JPEG of the picture, at most ``side`` pixels a side."""
    if side not in THUMBNAIL_SIDES:
        abort(404)
    view = library().file(scan, file)
    try:
        return picture_response(thumbnail_jpeg(view, side), "image/jpeg", view)
    except (NotFound, DecodeError):
        return missing()


@blueprint.get("/<int:file>/full")
def full(scan: int, file: int) -> Response:
    """The picture at full size."""
    view = library().file(scan, file)
    try:
        return picture_response(*full_picture(view), view)
    except (NotFound, DecodeError):
        return missing()


def thumbnail_jpeg(view: FileView, side: int) -> bytes:
    """A thumbnail as JPEG, made or from the cache. Raises NotFound or DecodeError."""

    def make() -> bytes:
        from image_duplicate_finder.rendering import render_thumbnail

        data = read_scanned(view)
        with decoding_slot():
            return render_thumbnail(data, side, LIMITS)

    return thumbnail_cache().get(f"{view.content.hex()}_{side}_{_VERSION}.jpg", make)


def thumbnail_or_none(view: FileView, side: int = THUMBNAIL_SIDES[0]) -> bytes | None:
    """A thumbnail as JPEG, None where the file cannot be shown any more."""
    try:
        return thumbnail_jpeg(view, side)
    except (NotFound, DecodeError):
        return None


def full_picture(view: FileView) -> tuple[bytes, str]:
    """The re-encoded picture and its content type. Raises NotFound or DecodeError."""

    def make() -> bytes:
        from image_duplicate_finder.rendering import render_full

        data = read_scanned(view)
        with decoding_slot():
            return render_full(data, LIMITS).data

    data = view_cache().get(f"{view.content.hex()}_full_{_VERSION}", make)
    return data, "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


def picture_response(data: bytes, mimetype: str, view: FileView) -> Response:
    """A picture of ours with headers that let a browser show it and do nothing else."""
    response = Response(data, mimetype=mimetype)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if request.args.get("v") == view.content.hex()[:12]:
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    else:
        response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(f"{view.content.hex()[:16]}-{len(data)}")
    response.make_conditional(request)
    return response


def missing() -> Response:
    """A drawing that says that there is nothing to show, with the status that says so too."""
    response = current_app.send_static_file("img/missing.svg")
    response.status_code = 404
    response.headers["Cache-Control"] = "no-store"
    return response
