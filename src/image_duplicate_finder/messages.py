"""What the program says, as codes with parameters; texts are made where they are shown.

Inside, a reason or a failure is a :class:`Message`: a code and its parameters. Each code has an
English template, which is also the key of its translations. The command line and JSON render
messages with :func:`english`, the web app with the visitor's language. To add one, add a member to
an enum here (or to another subclass of :class:`Code`) and its translations to the catalogues.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Code(StrEnum):
    """Something that can be said. ``template`` is English, with ``%(name)s`` for parameters."""

    template: str

    def __new__(cls, value: str, template: str = "") -> Self:
        code = str.__new__(cls, value)
        code._value_ = value
        code.template = template
        return code

    def __call__(self, **parameters: Parameter) -> Message:
        """The message with this code. Raises TypeError unless all parameters are given."""
        if parameters.keys() != self.names:
            raise TypeError(f"{self!r} takes {sorted(self.names)}, not {sorted(parameters)}")
        return Message(self, tuple(parameters.items()))

    @property
    def names(self) -> set[str]:
        """The names of its parameters."""
        return set(re.findall(r"%\((\w+)\)s", self.template))


@dataclass(frozen=True, slots=True)
class Message:
    """A code with the values of its parameters; ``str()`` gives the English text."""

    code: Code
    parameters: tuple[tuple[str, Parameter], ...] = ()

    def __str__(self) -> str:
        return english(self)


Parameter = str | int | float | Message
"""A text that is not translated (a path, a format), a figure, or a message within another."""


class Plain(Code):
    """Text that is the same in all languages."""

    TEXT = "text", "%(text)s"


class KeepReason(Code):
    """Why a group's keeper is kept."""

    PROTECTED = "keep.protected", "in a protected folder"
    WHOLE = "keep.whole", "shows the whole picture"
    COMPLETE = "keep.complete", "holds all that others hold, and more"
    ORIGINAL = "keep.original", "camera original"
    DETAIL = "keep.detail", "shows finer detail"
    PIXELS = "keep.pixels", "largest picture"
    QUALITY = "keep.quality", "better format or lighter compression"
    METADATA = "keep.metadata", "has more metadata"
    COMPANIONS = "keep.companions", "has files that belong to it"
    OLDER = "keep.older", "oldest file"
    NAME = "keep.name", "name does not say it is a copy"
    PATH = "keep.path", "first by path"
    CHOSEN = "keep.chosen", "chosen by you"


class Description(Code):
    """A part of what one picture is to another."""

    IDENTICAL_FILE = "is.identical_file", "identical file"
    IDENTICAL_PIXELS = "is.identical_pixels", "identical pixels"
    SAVED_AGAIN = "is.saved_again", "saved again"
    SAVED_AS = "is.saved_as", "saved as %(format)s"
    ANOTHER_SHOT = "is.another_shot", "another shot of the same scene"
    SHARED_SCENE = "is.shared_scene", "shows %(share)s of the same scene"
    PART = "is.part", "a part of the other (%(share)s of it)"
    CONTAINS = "is.contains", "contains the other (in %(share)s of its area)"
    CROPPED = "is.cropped", "cropped to %(share)s"
    SHOWS_MORE = "is.shows_more", "shows more (the other is %(share)s of it)"
    EDITED = "is.edited", "edited"
    EDITED_IN_PART = "is.edited_in_part", "edited (%(share)s unchanged)"
    MIRRORED = "is.mirrored", "mirrored"
    FLIPPED = "is.flipped", "mirrored top to bottom"
    ROTATED_90 = "is.rotated_90", "turned right"
    ROTATED_180 = "is.rotated_180", "upside down"
    ROTATED_270 = "is.rotated_270", "turned left"
    ROTATED_CLOCKWISE = "is.rotated_clockwise", "turned by %(angle)s to the right"
    ROTATED_COUNTERCLOCKWISE = "is.rotated_counterclockwise", "turned by %(angle)s to the left"
    INVERTED = "is.inverted", "inverted"
    EIGHTH = "is.eighth", "an eighth of the size"
    QUARTER = "is.quarter", "a quarter of the size"
    THIRD = "is.third", "a third of the size"
    HALF = "is.half", "half the size"
    TWICE = "is.twice", "twice the size"
    THREE_TIMES = "is.three_times", "three times the size"
    FOUR_TIMES = "is.four_times", "four times the size"
    SMALLER = "is.smaller", "%(share)s of the size"
    LARGER = "is.larger", "%(factor)s times the size"
    LIGHTER = "is.lighter", "lighter"
    DARKER = "is.darker", "darker"


def plain(text: str) -> Message:
    """A text that is known only as it is."""
    return Plain.TEXT(text=text)


@dataclass(frozen=True, slots=True)
class Language:
    """How a message is rendered: its template is translated, its parameters are written out."""

    translate: Callable[[str], str] = str
    text: Callable[[str], str] = str
    percent: Callable[[float], str] = "{:.0%}".format
    decimal: Callable[[float], str] = "{:.1f}".format
    degrees: Callable[[float], str] = "{:.0f}°".format

    def render(self, message: Message) -> str:
        """The text of a message."""
        values = {name: self._written(name, value) for name, value in message.parameters}
        return self.translate(message.code.template) % values

    def listed(self, messages: Iterable[Message]) -> str:
        """The texts of several messages, with commas between."""
        return ", ".join(map(self.render, messages))

    def _written(self, name: str, value: Parameter) -> str:
        if isinstance(value, Message):
            return self.render(value)
        if isinstance(value, str):
            return self.text(value)
        match name:
            case "share":
                return self.percent(value)
            case "factor":
                return self.decimal(value)
            case "angle":
                return self.degrees(value)
            case _:
                return str(value)


ENGLISH = Language()


def english(message: Message) -> str:
    """The English text of a message."""
    return ENGLISH.render(message)


def to_json(messages: Iterable[Message]) -> str:
    """Messages as text that :func:`from_json` reads."""
    return json.dumps([_values(message) for message in messages], separators=(",", ":"))


def from_json(text: str) -> tuple[Message, ...]:
    """The messages that :func:`to_json` wrote.

    What is no message, or one that this version does not know, is shown as it is.
    """
    try:
        values = json.loads(text)
    except ValueError:
        return (plain(text),) if text else ()
    if not isinstance(values, list):
        return (plain(text),)
    return tuple(map(_message, values))


def _values(message: Message) -> Any:
    if message.code is Plain.TEXT:
        return dict(message.parameters)["text"]
    if not message.parameters:
        return [message.code.value]
    values = {
        name: _values(value) if isinstance(value, Message) else value
        for name, value in message.parameters
    }
    return [message.code.value, values]


def _message(values: Any) -> Message:
    """One message, from a text or ``[code, parameters]``."""
    if isinstance(values, str):
        return plain(values)
    try:
        name, parameters = values[0], values[1] if len(values) > 1 else {}
        return _codes()[name](
            **{
                key: _message(value) if isinstance(value, list) else value
                for key, value in parameters.items()
            }
        )
    except (AttributeError, IndexError, KeyError, TypeError):
        return plain(str(values))


def all_codes() -> Iterator[Code]:
    """Every code of the modules that are loaded."""
    for domain in Code.__subclasses__():
        yield from domain


@functools.cache
def _codes() -> dict[str, Code]:
    return {code.value: code for code in all_codes()}


_JOINERS = "\u200c\u200d"
"""Invisible, but a part of many scripts and emoji."""


def printable(path: str) -> str:
    """A path as it can be shown: what could hide or reorder text is written as an escape.

    >>> printable("a\\nb\\udcff.jpg")
    'a\\\\x0ab\\\\xff.jpg'
    """
    if path.isprintable():
        return path
    return "".join(
        character if character.isprintable() or character in _JOINERS else _escaped(character)
        for character in path
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode wrote it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
