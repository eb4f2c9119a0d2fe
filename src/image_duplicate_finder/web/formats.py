"""How figures, times and paths are written on a page; all are Jinja filters."""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Iterable

from babel.dates import format_datetime
from babel.numbers import format_decimal, format_percent
from flask import Flask

from image_duplicate_finder.messages import Language, Message
from image_duplicate_finder.messages import printable as printable  # a filter like the others
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import gettext_plain, locale, ngettext


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
        return _("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    return _("%(hours)s h %(minutes)s min", hours=number(hours), minutes=minutes)


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


def translate(said: Message | Iterable[Message]) -> str:
    """A message, or several with commas between, in the visitor's language."""
    return _SPOKEN.listed([said] if isinstance(said, Message) else said)


_SPOKEN = Language(
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
