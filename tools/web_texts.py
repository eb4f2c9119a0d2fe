"""Keep the web app's catalogues in step with its sources.

    python tools/web_texts.py            add new texts to every catalogue, drop unused ones
    python tools/web_texts.py --check    fail if a catalogue lacks a text or holds an unused one

The catalogues are ``src/image_duplicate_finder/web/translations/LANGUAGE/messages.po``; English
is what the sources say. Translators fill in what is empty.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import image_duplicate_finder.model
import image_duplicate_finder.progress  # noqa: F401  the codes of the two
from image_duplicate_finder.messages import Plain, all_codes

WEB = Path(__file__).parents[1] / "src/image_duplicate_finder/web"
TRANSLATIONS = WEB / "translations"
LANGUAGES = sorted(path.parent.name for path in TRANSLATIONS.glob("*/messages.po"))

_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
_OPTIONS = {"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "lazy": None,
    "ngettext": (1, 2),
    "lazy_plural": (1, 2),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What a catalogue lacks, leaves untranslated, or holds although nothing uses it."""

    missing: list[str]
    untranslated: list[str]
    unused: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.untranslated or self.unused)


def template() -> Catalog:
    """All texts of the sources."""
    catalogue = Catalog(project="ImageDuplicateFinder", charset="utf-8")
    found = extract_from_dir(WEB, _METHODS, _OPTIONS, keywords=_KEYWORDS, comment_tags=("i18n:",))
    for name, _line, message, comments, context in sorted(found, key=lambda each: each[:2]):
        # Line numbers would change the catalogue with every edit of a page.
        catalogue.add(message, locations=[(name, None)], auto_comments=comments, context=context)
    for code in all_codes():
        if not isinstance(code, Plain):
            module = type(code).__module__.removeprefix("image_duplicate_finder.")
            catalogue.add(code.template, locations=[(f"../{module.replace('.', '/')}.py", None)])
    return catalogue


def path_of(language: str) -> Path:
    """Where a language's catalogue stands."""
    return TRANSLATIONS / language / "messages.po"


def load(language: str) -> Catalog:
    """The catalogue of a language, empty where there is none yet."""
    path = path_of(language)
    if not path.is_file():
        return Catalog(locale=language, project="ImageDuplicateFinder", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def difference(language: str) -> Difference:
    """How a catalogue differs from the sources."""
    catalogue, sources = load(language), template()
    wanted = {message.id for message in sources if message.id}
    held = {message.id: message for message in catalogue if message.id}
    return Difference(
        missing=sorted(_text(id) for id in wanted - held.keys()),
        untranslated=sorted(
            _text(id)
            for id in wanted & held.keys()
            if not _complete(held[id].string) or held[id].fuzzy
        ),
        unused=sorted(_text(id) for id in held.keys() - wanted),
    )


def update(language: str) -> None:
    """Write the catalogue with all texts of the sources and no others."""
    catalogue = load(language)
    created = catalogue.creation_date
    catalogue.update(template(), no_fuzzy_matching=True)
    catalogue.creation_date = created  # a date that always changes only makes conflicts
    catalogue.obsolete.clear()
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(
            file, catalogue, width=100, sort_output=True, omit_header=False, include_lineno=False
        )


def _text(id: str | tuple[str, ...]) -> str:
    return id if isinstance(id, str) else id[0]


def _complete(string: str | tuple[str, ...]) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    wrong = False
    for language in LANGUAGES:
        if not options.check:
            update(language)
        found = difference(language)
        wrong = wrong or bool(found)
        for words in ("missing", "untranslated", "unused"):
            for text in getattr(found, words):
                print(f"{language}: {words}: {text}")
    return 1 if wrong and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
