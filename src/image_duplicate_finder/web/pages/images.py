"""Pictures of scanned files for the browser: thumbnails and full size.

What decodes is imported with the first picture, so that the app starts without it.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort

from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.web.pictures import (
    THUMBNAIL_SIDES,
    full_picture,
    missing,
    picture_response,
    thumbnail_jpeg,
)
from image_duplicate_finder.web.state import library

blueprint = Blueprint("images", __name__, url_prefix="/scans/<int:scan>/images")


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
