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
        return Message(self, tuple((name, _bare(value)) for name, value in parameters.items()))

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


class FailureReason(Code):
    """Why a file or folder could not be used."""

    NO_PERMISSION_FILE = (
        "failure.no_permission_file",
        "You have no permission to read this file. Change its permissions and scan again.",
    )
    NO_PERMISSION_FOLDER = (
        "failure.no_permission_folder",
        "You have no permission to read this folder. Change its permissions and scan again.",
    )
    VANISHED_FILE = (
        "failure.vanished_file",
        "This file vanished while it was being looked at. Scan again.",
    )
    VANISHED_FOLDER = (
        "failure.vanished_folder",
        "This folder vanished while it was being looked at. Scan again.",
    )
    VANISHED = "failure.vanished", "The file vanished during the scan. Scan again."
    SYSTEM_FILE = "failure.system_file", "The system cannot read this file: %(reason)s."
    SYSTEM_FOLDER = "failure.system_folder", "The system cannot read this folder: %(reason)s."
    OWN = (
        "failure.own",
        "Pictures that this program keeps for itself lie here: a backup, or what it shows in"
        " pages.",
    )
    NOT_REGULAR = "failure.not_regular", "This is no regular file."
    NO_LONGER_REGULAR = (
        "failure.no_longer_regular",
        "This is no regular file any more. Scan again.",
    )
    CHANGED_IN_READING = (
        "failure.changed_in_reading",
        "The file changed while it was being read. Scan again.",
    )
    CHANGED_IN_SCAN = "failure.changed_in_scan", "The file changed during the scan. Scan again."
    ENCRYPTED = "failure.encrypted", "It is encrypted in its archive. Unpack it first."
    ARCHIVE_ENDS = "failure.archive_ends", "Its archive ends in the middle of it."
    ARCHIVE = "failure.archive", "Its archive cannot be read: %(reason)s."
    EMPTY = "failure.empty", "The file is empty (0 bytes)."
    TOO_MANY_BYTES = (
        "failure.too_many_bytes",
        "The file has %(count)s bytes; the limit is %(limit)s.",
    )
    TOO_MANY_MEGABYTES = (
        "failure.too_many_megabytes",
        "The file has %(count)s MB, more than the limit of %(limit)s MB.",
    )
    NO_PIXELS = "failure.no_pixels", "The picture is %(width)s x %(height)s pixels: empty."
    TOO_MANY_PIXELS = (
        "failure.too_many_pixels",
        "The picture is %(width)s x %(height)s = %(pixels)s pixels; the limit is %(limit)s.",
    )
    MORE_PIXELS = (
        "failure.more_pixels",
        "The picture is larger than the limit of %(limit)s pixels.",
    )
    NEEDS_MEMORY = (
        "failure.needs_memory",
        "Decoding %(width)s x %(height)s pixels of this format needs %(needed)s MiB of memory;"
        " the limit is %(limit)s MiB.",
    )
    MEMORY_OF_FILE = (
        "failure.memory_of_file",
        "Decoding needs more than the memory limit of %(limit)s MB for one file.",
    )
    MEMORY = "failure.memory", "Decoding needs more memory than there is or is allowed."
    SYSTEM_DECODING = (
        "failure.system_decoding",
        "The system could not let it be decoded: %(reason)s.",
    )
    UNDECODABLE = "failure.undecodable", "The picture cannot be decoded: %(reason)s."
    UNKNOWN_FORMAT = "failure.unknown_format", "The file is not a picture in a known format."
    OTHER_KIND = "failure.other_kind", "The file is not a picture but %(what)s."
    UNREAD_FORMAT = (
        "failure.unread_format",
        "The file is %(what)s, a format that this program does not read.",
    )
    ZEROS = (
        "failure.zeros",
        "The file is not a picture: it begins with nothing but zero bytes.",
    )
    SVG = "failure.svg", "The file is an SVG drawing, which this program does not compare."
    HEADER = "failure.header", "The %(format)s file's header is damaged."
    HEADER_BECAUSE = (
        "failure.header_because",
        "The %(format)s file's header is damaged (%(reason)s).",
    )
    ENDS_EARLY = "failure.ends_early", "The %(format)s file ends before its picture does."
    JPEG_WITHOUT_PICTURE = (
        "failure.jpeg_without_picture",
        "The JPEG file ends before its picture starts.",
    )
    JPEG_WITHOUT_SIZE = (
        "failure.jpeg_without_size",
        "The JPEG file does not say how large its picture is.",
    )
    JPEG_TOO_SHORT = (
        "failure.jpeg_too_short",
        "The JPEG file says %(width)s x %(height)s pixels, but holds too little data for that.",
    )
    JPEG_DEPTH = (
        "failure.jpeg_depth",
        "The JPEG file has %(bits)s bits per sample; only 8 can be decoded.",
    )
    JPEG_DATA = "failure.jpeg_data", "The JPEG data cannot be decoded: %(reason)s."
    JXL_WITHOUT_PICTURE = "failure.jxl_without_picture", "The JPEG XL file holds no picture."
    JXL_HEADER = "failure.jxl_header", "The JPEG XL file ends within its header."
    DDS_DEPTH = (
        "failure.dds_depth",
        "The DDS file has %(bits)s bits per pixel, which is not known.",
    )
    RAW = "failure.raw", "The RAW file cannot be read: %(reason)s."
    NOT_INSTALLED = (
        "failure.not_installed",
        "This installation cannot read %(what)s files; `idf doctor` says why.",
    )
    MODEL = "failure.model", "The model fails on this picture (%(reason)s)."
    MODEL_NUMBERS = "failure.model_numbers", "The model gives no numbers for this picture."
    TOOK_LONG = "failure.took_long", "Reading took longer than %(seconds)s seconds."
    STOOD_STILL = "failure.stood_still", "Reading stood still for %(seconds)s seconds."
    CRASH = "failure.crash", "The decoder crashed on this file (exit status %(status)s)."


class Problem(Code):
    """What stops an operation, and what to do about it."""

    DISK_FULL = (
        "problem.disk_full",
        "The disk that holds the library %(path)s is full. Free some space and try again; what "
        "was stored is kept.",
    )
    WRITING = (
        "problem.writing",
        "Another program is writing to the library %(path)s. Try again.",
    )
    UNAVAILABLE = (
        "problem.unavailable",
        "The library %(path)s cannot be read or written to (%(reason)s). Check its drive and its "
        "permissions and try again; what was stored is kept.",
    )
    BUSY = (
        "problem.busy",
        "The library in %(folder)s is busy with %(who)s. Wait until it has ended, or stop "
        "it, and try again.",
    )
    ANOTHER_PROGRAM = "problem.another_program", "another program"
    RUNNING = "problem.running", "Another scan or removal is running. Wait for it, or stop it."
    NO_ROOTS = "problem.no_roots", "Name at least one folder to search."
    NO_PATH = "problem.no_path", "There is no folder or file %(path)s. Check the spelling."
    SEVERAL_FILES = "problem.several_files", "%(path)s fits %(count)s files. Name one picture."
    HOLDS_FILES = "problem.holds_files", "%(path)s holds or lists files. Name one picture."
    NO_PICTURE = "problem.no_picture", "%(path)s is no regular file. Name a picture."
    NO_PATH_COLUMN = (
        "problem.no_path_column",
        "%(path)s has no column of paths. Name one of its columns %(names)s; it has %(columns)s.",
    )
    NO_COLUMNS = "problem.no_columns", "none"
    ROW_WITHOUT_PATH = "problem.row_without_path", "%(path)s: row %(row)s has no path."
    MANIFEST = "problem.manifest", "The manifest %(path)s cannot be read: %(reason)s"
    NEEDS_PACKAGES = "problem.needs_packages", "Reading %(path)s needs more packages: %(command)s"
    URL = "problem.url", "%(path)s cannot be read: %(reason)s"
    LINE_BREAK = (
        "problem.line_break",
        "%(path)s has a line break in its name. Use `idf export --null` for such lists.",
    )
    NOTHING_READABLE = (
        "problem.nothing_readable",
        "None of the files could be read as a picture. The list of failures says why.",
    )
    NO_SCAN = "problem.no_scan", "There is no scan number %(scan)s in this library."
    NO_GROUP = "problem.no_group", "There is no group number %(group)s."
    NO_FILE = "problem.no_file", "Scan %(scan)s has no file number %(file)s."
    NO_RUN = "problem.no_run", "There is no run %(run)s. `idf history` lists them."
    GROUP_CHANGED = (
        "problem.group_changed",
        "Group %(group)s is no longer in this scan: it was changed or grouped anew meanwhile.",
    )
    NO_PAIR = (
        "problem.no_pair",
        "Group %(group)s has no file number %(file)s beside the one that is kept.",
    )
    NO_MEMBER = "problem.no_member", "File %(file)s is no member of group %(group)s."
    NOTHING_LEFT = (
        "problem.nothing_left",
        "All files but the kept one are chosen, so nothing would be left to split them from.",
    )
    OTHER_VERSION = (
        "problem.other_version",
        "%(path)s cannot be compared with the others: another version of this program read it. "
        "Scan its folder again.",
    )
    NO_COPIES = (
        "problem.no_copies",
        "These are no copies of each other, so they are selected one by one, not all at once.",
    )
    NONE_SELECTED = "problem.none_selected", "Select the files first that this is about."
    LATER_DECISIONS = (
        "problem.later_decisions",
        "Other decisions followed this one. Undo those first.",
    )
    CANNOT_BE_UNDONE = (
        "problem.cannot_be_undone",
        "The groups have changed since, so this can no longer be undone.",
    )
    PROTECTED = "problem.protected", "%(path)s lies in a folder that is protected."
    GONE = "problem.gone", "The file cannot be read any more: %(reason)s."
    CHANGED = "problem.changed", "The file changed since the scan. Scan again to see it."
    NOT_ABOVE_ZERO = "problem.not_above_zero", "The limit %(name)s must be greater than 0."


class DecoderReason(Code):
    """Why a decoder gave up, as the rest of a sentence."""

    DAMAGED = "decoder.damaged", "its data are damaged"
    CUT_OFF = "decoder.cut_off", "the file is cut off before the picture ends"
    ENDS_EARLY = "decoder.ends_early", "the file ends before its picture does"
    CHECKSUM = "decoder.checksum", "a checksum in it is wrong"
    UNKNOWN_KIND = "decoder.unknown_kind", "it is of a kind that no decoder here knows"
    METADATA = "decoder.metadata", "its metadata unpack to far more than metadata ever need"


class FileKind(Code):
    """What a file is that is no picture, or none that can be read."""

    PDF = "file.pdf", "a PDF document"
    POSTSCRIPT = "file.postscript", "a PostScript document, which this program does not run"
    ZIP = "file.zip", "a ZIP archive or an office document"
    OLE = "file.ole", "an OLE document"
    GZIP = "file.gzip", "a gzip archive"
    SEVEN_ZIP = "file.7zip", "a 7-Zip archive"
    PROGRAM = "file.program", "a program"
    MATROSKA = "file.matroska", "a Matroska or WebM video"
    OGG = "file.ogg", "an Ogg sound or video"
    MP3 = "file.mp3", "an MP3 sound"
    FLAC = "file.flac", "a FLAC sound"
    DATABASE = "file.database", "a database"
    HDF5 = "file.hdf5", "an HDF5 data file"
    METAFILE = "file.metafile", "a Windows metafile drawing"
    IFF = "file.iff", "an IFF file"
    VIDEO = "file.video", "a video"
    SOUND_OR_VIDEO = "file.sound_or_video", "a sound or video"
    WEB_PAGE = "file.web_page", "a web page"
    TEXT = "file.text", "text"
    OPENEXR = "file.openexr", "an OpenEXR picture"
    RADIANCE = "file.radiance", "a Radiance HDR picture"
    JPEG_XR = "file.jpeg_xr", "a JPEG XR picture"
    BPG = "file.bpg", "a BPG picture"
    DJVU = "file.djvu", "a DjVu picture"
    GIMP = "file.gimp", "a GIMP picture"
    MNG = "file.mng", "an MNG picture"
    JNG = "file.jng", "a JNG picture"
    KTX = "file.ktx", "a KTX picture"
    CINEON = "file.cineon", "a Cineon picture"
    DPX = "file.dpx", "a DPX picture"
    DICOM = "file.dicom", "a DICOM picture"


def plain(text: str) -> Message:
    """A text that is known only as it is."""
    return Plain.TEXT(text=text)


def _bare(value: Parameter) -> Parameter:
    """A plain text within a message needs no code."""
    if isinstance(value, Message) and value.code is Plain.TEXT:
        return value.parameters[0][1]
    return value


@dataclass(frozen=True, slots=True)
class Language:
    """How a message is rendered: its template is translated, its parameters are written out."""

    translate: Callable[[str], str] = str
    text: Callable[[str], str] = str
    percent: Callable[[float], str] = "{:.0%}".format
    decimal: Callable[[float], str] = "{:.1f}".format
    degrees: Callable[[float], str] = "{:.0f}°".format
    number: Callable[[float], str] = "{:,}".format
    figure: Callable[[float], str] = "{:g}".format

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
            case "count" | "limit" | "width" | "height" | "pixels" | "needed":
                return self.number(value)
            case "seconds":
                return self.figure(value)
            case _:
                return str(value)


ENGLISH = Language()


def english(message: Message) -> str:
    """The English text of a message."""
    return ENGLISH.render(message)


def messages_to_json(messages: Iterable[Message]) -> str:
    """Messages as text that :func:`messages_from_json` reads."""
    return json.dumps([_values(message) for message in messages], separators=(",", ":"))


def message_to_json(message: Message) -> str:
    """A message as text that :func:`message_from_json` reads."""
    return json.dumps(_values(message), separators=(",", ":"))


def message_from_json(text: str) -> Message:
    """The message that :func:`message_to_json` wrote; other text as it is."""
    try:
        return _message(json.loads(text))
    except ValueError:
        return plain(text)


def messages_from_json(text: str) -> tuple[Message, ...]:
    """The messages that :func:`messages_to_json` wrote.

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
