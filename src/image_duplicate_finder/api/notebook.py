"""Groups as HTML for a notebook: pictures are inside, so a saved notebook still shows them."""

from __future__ import annotations

import base64
from html import escape

from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.messages import printable
from image_duplicate_finder.rendering import render_thumbnail
from image_duplicate_finder.results import FileView, GroupView
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import read_as_scanned

_SIDE = 160
_SHOWN = 12
_LIMITS = DecodeLimits()


def row_of_thumbnails(group: GroupView) -> str:
    """The keeper and the first members of a group, side by side, each with what it is."""
    tiles = [_tile(group.keeper, "keep: " + ", ".join(group.reasons))]
    tiles += [_tile(member.file, member.words) for member in group.members[:_SHOWN]]
    left = len(group.members) - _SHOWN
    if left > 0:
        tiles.append(f"<span>and {left:,} more</span>")
    style = "display:flex;gap:12px;overflow-x:auto;align-items:flex-start;margin:8px 0"
    return f'<div style="{style}">{"".join(tiles)}</div>'


def _tile(file: FileView, words: str) -> str:
    path = escape(printable(file.path), quote=True)
    info = file.info
    return (
        f'<figure style="margin:0;width:{_SIDE}px;font-size:12px;overflow-wrap:anywhere">'
        f'{_picture(file)}<figcaption title="{path}">{escape(words)}<br>'
        f"{info.width} × {info.height} {escape(info.format)}<br>"
        f"{path.replace(chr(92), '/').rsplit('/', 1)[-1]}</figcaption></figure>"
    )


def _picture(file: FileView) -> str:
    try:
        data = read_as_scanned(file.path, file.stat, file.content, _LIMITS)
        jpeg = render_thumbnail(data, _SIDE, _LIMITS)
    except (NotFound, DecodeError):
        return "<div>no picture</div>"
    address = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{address}">'
