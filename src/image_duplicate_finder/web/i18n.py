"""Texts, messages and figures in the visitor's language.

Texts are gettext catalogues: the ``.po`` files themselves (``tools/web_texts.py`` keeps them in
step with the sources), so there is nothing to compile and nothing that can be out of date. How
figures and dates are written is among the texts. All that writes them, and paths, is a Jinja
filter.
"""

from __future__ import annotations

import datetime
import functools
import io
import json
import os
import re
import struct
from collections.abc import Iterable
from decimal import Decimal
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from flask import Flask, g, has_request_context, request
from markupsafe import Markup

from image_duplicate_finder.messages import Language, Message
from image_duplicate_finder.messages import printable as printable  # a filter like the others
from image_duplicate_finder.web.state import library

PREFERENCE = "language"
"""The library's preference that names a language; empty for the browser's own."""

_FOLDER = Path(__file__).parent / "translations"


@functools.cache
def catalogue(language: str, folder: Path = _FOLDER) -> NullTranslations:
    """The texts of a language; English is what the sources say."""
    path = folder / language / "messages.po"
    if not path.is_file():
        return NullTranslations()
    return GNUTranslations(io.BytesIO(_compiled(path.read_text(encoding="utf-8"))))


_FIELD = re.compile(r'(msgid|msgid_plural|msgstr)(?:\[\d+\])? (".*")')


def _compiled(catalogue: str) -> bytes:
    """The text of a ``.po`` file as the bytes of a ``.mo`` file, which Python reads."""
    entries: list[tuple[list[str], list[str]]] = []
    for line in catalogue.splitlines():
        if field := _FIELD.fullmatch(line):
            if field[1] == "msgid":
                entries.append(([], []))
            forms = entries[-1][field[1] == "msgstr"]
            forms.append(json.loads(field[2]))
        elif line.startswith('"'):
            forms[-1] += json.loads(line)
    found = {"\0".join(ids): "\0".join(texts) for ids, texts in entries if all(texts)}
    words = [text.encode() for text in (*sorted(found), *(found[id] for id in sorted(found)))]
    count, place, table = len(found), 28 + 8 * len(words), b""
    for word in words:
        table += struct.pack("<2I", len(word), place)
        place += len(word) + 1
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    return head + table + b"".join(word + b"\0" for word in words)


def languages_in(folder: Path) -> dict[str, str]:
    """English and the languages with a catalogue in ``folder``: their own names by code."""
    codes = sorted(path.parent.name for path in folder.glob("*/messages.po"))
    return {code: catalogue(code, folder).gettext(_OWN_NAME) for code in ("en", *codes)}


def lazy(message: str) -> str:
    """Mark a text for translation; it is translated where it is shown."""
    return message


def lazy_plural(singular: str, plural: str) -> tuple[str, str]:
    """Mark the two forms of a text; :func:`ngettext` translates them where they are shown."""
    return singular, plural


# i18n: The name of your language, in your language.
_OWN_NAME = lazy("English")
LANGUAGES = languages_in(_FOLDER)
"""Languages by their code, each named in itself. A catalogue is all that another one needs."""


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


def _region() -> str:
    """The country that the browser names with the present language: "GB" of en-GB, "" for none."""
    if has_request_context():
        for code in request.accept_languages.values():
            spoken, _, country = code.replace("_", "-").partition("-")
            if spoken.lower() == language():
                return country.upper()
    return ""


def gettext(message: str, **values: object) -> str:
    """``message`` in the present language; ``%(name)s`` is filled with ``values``."""
    text = catalogue(language()).gettext(message)
    return text % values if values else text


def ngettext(singular: str, plural: str, count: int, **values: object) -> str:
    """The form that suits ``count``, filled with ``values`` and ``num``."""
    text = catalogue(language()).ngettext(singular, plural, count)
    return text % ({"num": count} | values)


def gettext_plain(message: str) -> str:
    """The translation alone; Jinja fills in the values and escapes them."""
    return catalogue(language()).gettext(message)


def ngettext_plain(singular: str, plural: str, count: int) -> str:
    """The translated form that suits ``count``, not filled in."""
    return catalogue(language()).ngettext(singular, plural, count)


# i18n: This number, as your language separates thousands and decimals.
_SAMPLE = lazy("1,234.5")
# i18n: The time of day, in the words of C's strftime.
_TIME = lazy("%I:%M:%S %p")
_DATE = lazy("%(month)s %(day)s, %(year)s")
# English is one catalogue, but its dates have two orders and two clocks (those of the CLDR).
_MONTH_FIRST = {"", "US", "CA", "PH", "PR", "GU", "AS", "VI", "MP", "MH", "UM"}
_HALF_DAYS = {"AU", "NZ", "IN", "PK", "BD", "LK", "SG", "HK", "MY", "GH", "JM", "TT", "BS", "BB"}
_MONTHS = (
    *(lazy("Jan"), lazy("Feb"), lazy("Mar"), lazy("Apr"), lazy("May"), lazy("Jun")),
    *(lazy("Jul"), lazy("Aug"), lazy("Sep"), lazy("Oct"), lazy("Nov"), lazy("Dec")),
)
_SPANS = (
    (365 * 86400, lazy_plural("%(num)s year", "%(num)s years")),
    (30 * 86400, lazy_plural("%(num)s month", "%(num)s months")),
    (7 * 86400, lazy_plural("%(num)s week", "%(num)s weeks")),
    (86400, lazy_plural("%(num)s day", "%(num)s days")),
    (3600, lazy_plural("%(num)s hour", "%(num)s hours")),
    (60, lazy_plural("%(num)s minute", "%(num)s minutes")),
    (1, lazy_plural("%(num)s second", "%(num)s seconds")),
)


def decimal(value: float, digits: int = 2) -> str:
    """A number with exactly ``digits`` decimals, and the language's separators."""
    return _separated(f"{Decimal(str(value)):,.{digits}f}")


def number(value: float) -> str:
    """A whole number."""
    return decimal(value, 0)


def figure(value: float) -> str:
    """A number with the decimals that it has, up to three."""
    return _separated(f"{Decimal(str(value)):,.3f}".rstrip("0").rstrip("."))


def _separated(text: str) -> str:
    found = re.fullmatch(r"1(\D*)234(\D+)5", gettext_plain(_SAMPLE))
    thousands, point = found.groups() if found else (",", ".")
    return text.translate({ord(","): thousands, ord("."): point})


def percent(value: float) -> str:
    """A share (0 to 1) as a whole percentage; never "100%" for less than all."""
    shown = Decimal(str(min(value, 0.99) if value < 1 else value))
    return gettext("%(number)s%%", number=number(float(shown * 100)))


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
    return f"{decimal(value, 1 if value < 99.95 else 0)} {unit}"


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


def span(seconds: float) -> str:
    """A time span in its largest unit, rounded."""
    for length, (one, many) in _SPANS:  # noqa: B007
        if seconds >= 0.85 * length:
            break
    return ngettext(one, many, max(1, round(seconds / length)))


def day(value: float | datetime.date) -> str:
    """The date of a moment, which is a date or seconds since 1970."""
    when = datetime.datetime.fromtimestamp(value) if isinstance(value, int | float) else value
    month = gettext_plain(_MONTHS[when.month - 1])
    form = gettext_plain(_DATE) if _as_in_catalogue() else "%(day)s %(month)s %(year)s"
    return form % {"month": month, "day": when.day, "year": when.year}


def _as_in_catalogue() -> bool:
    """Whether dates are written as the catalogue says: all but English outside America."""
    return language() != "en" or _region() in _MONTH_FIRST


def moment(value: float | str) -> str:
    """A date with its time, from seconds since 1970 or ISO 8601."""
    if isinstance(value, str):
        when = datetime.datetime.fromisoformat(value)
    else:
        when = datetime.datetime.fromtimestamp(value)
    clock = gettext_plain(_TIME)
    if not (_as_in_catalogue() or _region() in _HALF_DAYS):
        clock = "%H:%M:%S"
    time = when.strftime(clock).lstrip("0" if "%I" in clock else "")
    return gettext("%(date)s, %(time)s", date=day(when), time=time)


def name(path: str) -> str:
    """The last part of a path."""
    return printable(os.path.basename(path.rstrip(os.sep)) or path)


_SEPARATORS = re.compile(r"(?<=.[/\\_-])(?![/\\_-]|$)")  # the first slash stays with its name


def breakable(path: str) -> Markup:
    """A path that lines may break after its separators, rather than within a word."""
    return Markup("<wbr>").join(_SEPARATORS.split(printable(path)))


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
    figures = number, decimal, percent, size, duration, day, moment
    for function in (*figures, printable, breakable, name, folder, translate):
        app.add_template_filter(function)
