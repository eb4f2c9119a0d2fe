"""Every text has its translation, and figures are written as the language does."""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Description, Plain, all_codes, plain
from image_duplicate_finder.web import i18n
from tests.core.test_messages import example

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def german(app: Flask):  # type: ignore[no-untyped-def]
    """A request of a visitor whose browser prefers German."""
    with app.test_request_context(headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}):
        yield


def test_the_catalogues_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    import web_texts

    for language in web_texts.LANGUAGES:
        found = web_texts.difference(language)
        assert not found, f"{found}\nRun: python tools/web_texts.py"
    sys.modules.pop("web_texts")


def test_translations_fill_in_the_same_values() -> None:
    catalogue = i18n.catalogue("de")._catalog  # type: ignore[attr-defined]
    for key, text in catalogue.items():
        source = key[0] if isinstance(key, tuple) else key
        if source:
            wanted = set(re.findall(r"%\(\w+\)s", source))
            assert set(re.findall(r"%\(\w+\)s", text)) <= wanted | {"%(num)s"}, source
            assert wanted - {"%(num)s"} <= set(re.findall(r"%\(\w+\)s", text)), source


def test_the_browser_chooses_the_language(visitor: FlaskClient, library: Library) -> None:
    english = visitor.get("/", headers={"Accept-Language": "fr, en-GB;q=0.5"})
    german = visitor.get("/", headers={"Accept-Language": "de-DE, en;q=0.5"})
    assert '<html lang="en"' in english.text and "Find duplicate pictures" in english.text
    assert '<html lang="de"' in german.text and "Find duplicate pictures" not in german.text
    visitor.post("/settings/look", data={"language": "en", "theme": "dark"})
    chosen = visitor.get("/", headers={"Accept-Language": "de-DE"})
    assert '<html lang="en" data-theme="dark"' in chosen.text


def test_a_catalogue_is_all_that_a_language_needs(tmp_path: Path) -> None:
    assert i18n.LANGUAGES == {"en": "English", "de": "Deutsch"}
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr" / "messages.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'
        '#: i18n.py\nmsgid "English"\nmsgstr ""\n"fran"\n"çais"\n\n'
        'msgid "%(num)s day"\nmsgid_plural "%(num)s days"\n'
        'msgstr[0] "%(num)s jour"\nmsgstr[1] "%(num)s jours"\n\n'
        '#, python-format\nmsgid "a \\"b\\"\\n"\nmsgstr "«\\t»"\n\nmsgid "none"\nmsgstr ""\n',
        encoding="utf-8",
    )
    (tmp_path / "es").mkdir()
    assert i18n.languages_in(tmp_path) == {"en": "English", "fr": "français"}
    french = i18n.catalogue("fr", tmp_path)
    days = [french.ngettext("%(num)s day", "%(num)s days", count) for count in (0, 1, 2)]
    assert days == ["%(num)s jour", "%(num)s jour", "%(num)s jours"]
    assert french.gettext('a "b"\n') == "«\t»"
    assert french.gettext("none") == "none"


def test_english_figures(app: Flask) -> None:
    with app.test_request_context():
        assert i18n.size(999) == "999 bytes"
        assert i18n.size(1_500_000) == "1.5 MB"
        assert i18n.size(123_400_000) == "123 MB"
        assert i18n.number(12345) == "12,345"
        assert i18n.percent(0.999) == "99%"
        assert i18n.duration(7322) == "2 h 2 min"
        assert i18n.percent(0.256) == "26%"
        assert [i18n.figure(each) for each in (-1234567.0, 0.12345, 2)] == [
            "-1,234,567",
            "0.123",
            "2",
        ]
        assert i18n.decimal(1234.5) == "1,234.50"
        assert i18n.moment("2026-03-04T17:06:07") == "Mar 4, 2026, 5:06:07 PM"


@pytest.mark.parametrize(
    ("languages", "said"),
    [
        *(
            ("en-GB,en-US;q=0.9,en;q=0.8", "4 Mar 2026, 17:06:07"),
            ("en_ZA", "4 Mar 2026, 17:06:07"),
        ),
        *(("en-AU,en;q=0.9", "4 Mar 2026, 5:06:07 PM"), ("en-US", "Mar 4, 2026, 5:06:07 PM")),
        *(("fr-FR,en-GB;q=0.5", "4 Mar 2026, 17:06:07"), ("en", "Mar 4, 2026, 5:06:07 PM")),
        *(("de-DE,en-GB;q=0.5", "4. März 2026, 17:06:07"), ("", "Mar 4, 2026, 5:06:07 PM")),
    ],
)
def test_dates_are_those_of_the_country_the_browser_names(
    app: Flask, languages: str, said: str
) -> None:
    with app.test_request_context(headers={"Accept-Language": languages}):
        assert i18n.moment("2026-03-04T17:06:07") == said
        assert i18n.day(datetime.date(2026, 3, 4)) == said.rpartition(", ")[0]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0.2, "1 second"), (59, "1 minute"), (3000, "50 minutes"), (2 * 86400, "2 days")),
        *((20 * 86400, "3 weeks"), (300 * 86400, "10 months"), (320 * 86400, "1 year")),
    ],
)
def test_spans_are_said_in_their_largest_unit(app: Flask, seconds: float, said: str) -> None:
    with app.test_request_context():
        assert i18n.span(seconds) == said


def test_german_figures(german: None) -> None:
    assert i18n.size(1_500_000) == "1,5 MB"
    assert i18n.number(12345) == "12.345"
    assert i18n.figure(1234.5) == "1.234,5"
    assert i18n.percent(0.256) == "26\xa0%"
    assert i18n.moment("2026-03-04T17:06:07") == "4. März 2026, 17:06:07"
    assert i18n.span(3 * 365 * 86400) == "3 Jahre"


def test_names_that_are_not_utf8_can_be_shown() -> None:
    assert i18n.printable("a\udcff.jpg") == "a\\xff.jpg"


def test_every_code_is_said_in_every_language(app: Flask) -> None:
    for language in i18n.LANGUAGES:
        with app.test_request_context(headers={"Accept-Language": language}):
            for code in all_codes():
                said = i18n.translate(example(code))
                assert said and "%(" not in said
                if language != "en" and not isinstance(code, Plain):
                    assert i18n.catalogue(language)._catalog.get(code.template), code  # type: ignore[attr-defined]


def test_figures_of_messages_are_written_as_the_language_does(german: None) -> None:
    parts = [Description.LARGER(factor=1.5), Description.CROPPED(share=0.62), plain("a\udcff")]
    assert i18n.translate(parts) == "1,5-fache Größe, beschnitten auf 62\xa0%, a\\xff"


def test_paths_break_at_their_separators_and_stay_text() -> None:
    assert i18n.breakable("/a b/c_d-e.jpg") == "/a b/<wbr>c_<wbr>d-<wbr>e.jpg"
    assert i18n.breakable("//x/<i>/") == "//<wbr>x/<wbr>&lt;i&gt;/"
