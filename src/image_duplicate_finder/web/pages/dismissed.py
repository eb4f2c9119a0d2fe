"""Pairs that a person said are not duplicates, and taking that back."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import ngettext
from image_duplicate_finder.web.state import library

blueprint = Blueprint("dismissed", __name__, url_prefix="/not-duplicates")

_PAGE = 200


@blueprint.get("/")
def page() -> str:
    """All such pairs, the latest first."""
    pairs = library().dismissed()
    first = max(0, request.args.get("first", 0, type=int))
    return render_template(
        "dismissed/page.html",
        pairs=pairs[first : first + _PAGE],
        first=first,
        page_size=_PAGE,
        total=len(pairs),
    )


@blueprint.post("/")
def take_back() -> BaseResponse:
    """Forget the chosen pairs, each sent as two content hashes with a colon between."""
    known = {(pair.first.hex(), pair.second.hex()): pair for pair in library().dismissed()}
    chosen = [
        known[key]
        for text in request.form.getlist("pair")
        if (key := tuple(text.split(":", 1))) in known
    ]
    if not chosen:
        flash(_("First select the pairs to remove from the list."), "warn")
        return redirect(url_for("dismissed.page"), 303)
    library().take_back_dismissals((pair.first, pair.second) for pair in chosen)
    flash(
        ngettext(
            "%(num)s pair was removed from the list. The next scan will show it again.",
            "%(num)s pairs were removed from the list. The next scan will show them again.",
            len(chosen),
        ),
        "good",
    )
    return redirect(url_for("dismissed.page"), 303)
