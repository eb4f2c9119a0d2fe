"""Texts, messages and figures in the visitor's language.

Texts are gettext catalogues: the ``.po`` files themselves, read by Babel (``tools/web_texts.py``
keeps them in step with the sources), so there is nothing to compile and nothing that can be out
of date. All that writes figures, times and paths is a Jinja filter.
"""

from __future__ import annotations

import datetime
import functools
import io
import os
from collections.abc import Iterable
from pathlib import Path

from babel import Locale
from babel.dates import format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations
from flask import Flask, g, has_request_context, request

from image_duplicate_finder.messages import Language, Message
from image_duplicate_finder.messages import printable as printable  # a filter like the others
from image_duplicate_finder.web.state import library

PREFERENCE = "language"
"""The library's preference that names a language; empty for the browser's own."""

_FOLDER = Path(__file__).parent / "translations"


def languages_in(folder: Path) -> dict[str, str]:
    """English and the languages with a catalogue in ``folder``: their own names by code."""
    codes = sorted(path.parent.name for path in folder.glob("*/messages.po"))
    return {code: str(Locale.parse(code).display_name) for code in ("en", *codes)}


LANGUAGES = languages_in(_FOLDER)
"""Languages by their code, each named in itself. A catalogue is all that another one needs."""


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
    """Mark a text for translation; it is translated where it is shown."""
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


def number(value: float) -> str:
    """A whole number with the language's separators."""
    return format_decimal(round(value), locale=locale())


def decimal(value: float, digits: int = 2) -> str:
    """A number with exactly ``digits`` decimals."""
    return format_decimal(value, format=f"#,##0.{'0' * digits}", locale=locale())


def figure(value: float) -> str:
    """A number with the decimals that it has."""
    return format_decimal(value, locale=locale())


def percent(value: float) -> str:
    """A share (0 to 1) as a whole percentage; never "100%" for less than all."""
    return format_percent(min(value, 0.99) if value < 1 else value, locale=locale())


def size(count: int) -> str:
    """A number of bytes in the decimal units that shops and file managers use."""
    if count < 1000:
        return ngettext("%(num)s byte", "%(num)s bytes", count)
    value = float(count)
    unit = "kB"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007
        value /= 1000
        if value < 999.95:
            break
    digits = "#,##0.0" if value < 99.95 else "#,##0"
    return f"{format_decimal(value, format=digits, locale=locale())} {unit}"


def duration(seconds: float) -> str:
    """A time span, as exact as a person needs it."""
    whole = round(seconds)
    if whole < 60:
        return ngettext("%(num)s second", "%(num)s seconds", whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return gettext("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    return gettext("%(hours)s h %(minutes)s min", hours=number(hours), minutes=minutes)


def moment(value: float | str) -> str:
    """A date with its time, from seconds since 1970 or ISO 8601."""
    if isinstance(value, str):
        when = datetime.datetime.fromisoformat(value)
    else:
        when = datetime.datetime.fromtimestamp(value)
    return format_datetime(when, format="medium", tzinfo=when.tzinfo, locale=locale())


def name(path: str) -> str:
    """The last part of a path."""
    return printable(os.path.basename(path.rstrip(os.sep)) or path)


def folder(path: str) -> str:
    """The path without its last part."""
    return printable(os.path.dirname(path))


def translate(messages: Message | Iterable[Message]) -> str:
    """A message, or several with commas between, in the visitor's language."""
    return _LANGUAGE.listed([messages] if isinstance(messages, Message) else messages)


_LANGUAGE = Language(
    translate=gettext_plain,
    text=printable,
    percent=percent,
    decimal=functools.partial(decimal, digits=1),
    number=number,
    figure=figure,
)


def install(app: Flask) -> None:
    """Make the filters known to the templates of ``app``."""
    figures = number, decimal, percent, size, duration, moment
    for function in (*figures, printable, name, folder, translate):
        app.add_template_filter(function)
