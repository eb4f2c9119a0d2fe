"""Texts in the visitor's language: gettext catalogues, read by Babel.

The catalogues are the ``.po`` files themselves (``tools/web_texts.py`` keeps them in step with
the sources), so there is nothing to compile and nothing that can be out of date.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import g, has_request_context, request

from image_duplicate_finder.web.state import library

LANGUAGES = {"en": "English", "de": "Deutsch"}
"""Languages that are complete, by their code, each named in itself."""

PREFERENCE = "language"
"""The library's preference that names a language; empty for the browser's own."""

_FOLDER = Path(__file__).parent / "translations"


@functools.cache
def catalogue(language: str) -> NullTranslations:
    """The texts of a language; English is what the sources say."""
    path = _FOLDER / language / "messages.po"
    if not path.is_file():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def language() -> str:
    """The code of the language of the present request."""
    if not has_request_context():
        return "en"
    if "language" not in g:
        chosen = library().preference(PREFERENCE)
        if chosen not in LANGUAGES:
            chosen = _preferred(request.accept_languages.values())
        g.language = chosen
    return str(g.language)


def _preferred(codes: Iterable[str]) -> str:
    """The first of a browser's languages that there is; its country does not matter."""
    plain = (code.replace("_", "-").split("-")[0].lower() for code in codes)
    return next((code for code in plain if code in LANGUAGES), "en")


def locale() -> Locale:
    """How numbers and dates are written for the present request."""
    return Locale.parse(language())


def gettext(message: str, **values: object) -> str:
    """``message`` in the present language; ``%(name)s`` is filled with ``values``."""
    text = str(catalogue(language()).ugettext(message))
    return text % values if values else text


def ngettext(singular: str, plural: str, count: int, **values: object) -> str:
    """The form that suits ``count``, filled with ``values`` and ``num``."""
    text = str(catalogue(language()).ungettext(singular, plural, count))
    return text % ({"num": count} | values)


def lazy(message: str) -> str:
    """Mark a text for translation where it stands; it is translated where it is shown."""
    return message


def lazy_plural(singular: str, plural: str) -> tuple[str, str]:
    """Mark the two forms of a text; :func:`ngettext` translates them where they are shown."""
    return singular, plural


def gettext_plain(message: str) -> str:
    """The translation alone; Jinja fills in the values and escapes them."""
    return str(catalogue(language()).ugettext(message))


def ngettext_plain(singular: str, plural: str, count: int) -> str:
    """The translated form that suits ``count``, not filled in."""
    return str(catalogue(language()).ungettext(singular, plural, count))
