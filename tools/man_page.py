"""Write the manual page idf(1) from the help of every command.

``python -m tools.man_page`` after a change of the command line; a test says when it is due.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from image_duplicate_finder import __version__
from image_duplicate_finder.removal.backup import FOLDER_NAME
from tools.cli_page import PAGE as CLI_PAGE
from tools.commands import Shown, commands

PAGE = Path(__file__).resolve().parents[1] / "packaging" / "idf.1"

_ENVIRONMENT = (
    ("IDF_PASSWORD", "What other machines have to enter at the app that `idf serve` starts."),
    (
        "XDG_DATA_HOME",
        "Where your data folder is on Linux, in place of ~/.local/share: the library lies there, "
        "and so does the trash.",
    ),
)
_FILES = (
    (
        "~/.local/share/image-duplicate-finder/library",
        "The library on Linux: files, fingerprints, groups and the journal of removals. On macOS "
        "it lies in ~/Library/Application Support, on Windows in %LOCALAPPDATA%. --library "
        "names another one.",
    ),
    (
        f"{FOLDER_NAME}/",
        "The backups in a scanned folder: what was removed, with a list that can be read without "
        "this program. They are never scanned. `idf apply --help` tells how to name another place.",
    ),
)


def main() -> None:
    """Bring the page up to date."""
    PAGE.write_text(manual(), encoding="ascii")


def manual() -> str:
    """The page as roff, with the macros of man(7)."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    idf, *rest = commands()
    first, *blocks = _paragraphs(idf.command)
    yield '.\\" Written by tools/man_page.py; a change there or of the help changes this page.'
    yield f'.TH IDF 1 "" "ImageDuplicateFinder {__version__}" "User Commands"'
    # Words are not torn apart, and lines not blown up to the right margin.
    yield from (".nh", ".ad l")
    yield from (".SH NAME", r"idf, image\-duplicate\-finder \- find duplicate images")
    yield from (".SH SYNOPSIS", *_usage(idf))
    yield from (".SH DESCRIPTION", _prose(first))
    yield from (".SH OPTIONS", *_options(idf))
    yield ".SH COMMANDS"
    for each in rest:
        yield f".SS {_prose(each.title)}"
        yield from _usage(each)
        for paragraph in _paragraphs(each.command):
            yield from _block(paragraph)
        yield from _options(each)
    yield from (".SH EXIT STATUS", *_terms(_statuses()))
    yield "Some commands list their own statuses above."
    yield from (".SH ENVIRONMENT", *_terms(_ENVIRONMENT))
    yield from (".SH FILES", *_terms(_FILES))
    yield ".SH EXAMPLES"
    for paragraph in blocks:
        yield from _block(paragraph)


def _paragraphs(command: click.Command) -> list[str]:
    return re.split(r"\n\s*\n", inspect.cleandoc(command.help or ""))


def _usage(shown: Shown) -> Iterator[str]:
    pieces = " ".join(shown.command.collect_usage_pieces(shown.context))
    yield f".B {_code(shown.title)}"
    yield _code(pieces)
    yield ".PP"


def _block(paragraph: str) -> Iterator[str]:
    """A paragraph of help: running text, or a heading with lines that stay as they are."""
    if not paragraph.startswith("\b"):
        yield from (_prose(" ".join(paragraph.split())), ".PP")
        return
    for line in paragraph.splitlines()[1:]:
        if not line.startswith(" "):
            yield _prose(line)
    yield from (".RS 4", ".nf")
    yield from (_code(line[2:]) for line in paragraph.splitlines() if line.startswith(" "))
    yield from (".fi", ".RE", ".PP")


def _options(shown: Shown) -> Iterator[str]:
    parameters = shown.command.get_params(shown.context)
    if shown.context.parent is not None:  # that each command has --help is said once
        parameters = [each for each in parameters if each.name != "help"]
    records = (each.get_help_record(shown.context) for each in parameters)
    for names, text in filter(None, records):
        if not text:  # what an argument is, is said in the running text
            continue
        said = re.sub(r"(?<![\w-])--?[a-z][\w-]*", lambda found: f"\\fB{found[0]}\\fR", names)
        # Long lists of choices may be broken at their bars.
        term = _code(said, keep_fonts=True).replace("|", "|\\:")
        yield from (".TP", term, _prose(text))


def _terms(terms: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in terms:
        yield from (".TP", f".B {_code(term)}", _prose(text))
    yield ".PP"


def _statuses() -> Iterator[tuple[str, str]]:
    """Exit statuses with their meaning, from the table that is written by hand."""
    _, _, rest = CLI_PAGE.read_text(encoding="utf-8").partition("## Exit status")
    yield from re.findall(r"^\| (\d+) \| (.+) \|$", rest.partition("## ")[0], re.MULTILINE)


def _prose(text: str) -> str:
    """Running text; what stands between backquotes is bold."""
    pieces = re.split(r"`+([^`]+)`+", text)
    return "".join(
        f"\\fB{_code(piece)}\\fR" if number % 2 else _options_in(piece)
        for number, piece in enumerate(pieces)
    )


def _options_in(text: str) -> str:
    """Text with the hyphens of options as those that can be copied, and others as they are."""
    pieces = re.split(r"(?<![\w-])(--?[a-z][\w-]*)", text)
    return "".join(
        _code(piece) if number % 2 else _escaped(piece) for number, piece in enumerate(pieces)
    )


def _code(text: str, *, keep_fonts: bool = False) -> str:
    """Text that people copy: every hyphen and quote is that of the keyboard."""
    text = text if keep_fonts else text.replace("\\", "\\e")
    for plain, roff in (
        ("-", "\\-"),
        ("'", "\\(aq"),
        ("~", "\\(ti"),
        ("^", "\\(ha"),
        ("`", "\\(ga"),
    ):
        text = text.replace(plain, roff)
    return _ascii(text)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("~", "\\(ti").replace("Ctrl-C", "Ctrl\\-C")
    return _ascii(text)


def _ascii(text: str) -> str:
    """Text whose first character is no command, with other characters than ASCII by number."""
    text = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    main()
