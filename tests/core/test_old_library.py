"""A library that an earlier version wrote is opened, brought up to date, and tells the same."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from image_duplicate_finder import Library
from image_duplicate_finder.messages import (
    ENGLISH,
    KeepReason,
    Message,
    Plain,
    all_codes,
    messages_from_json,
)
from image_duplicate_finder.store.schema import (
    MIGRATIONS,
    description_as_codes,
    reasons_as_codes,
)
from tests.core.old_library.make import DATABASES, FOLDER, described, history

HERE = Path(__file__).parent / "old_library"
ARCHIVES = sorted(HERE.glob("*.zip"))


def is_plain_but_known(message: Message) -> bool:
    """Whether a text was left although there is a code without figures that says the same."""
    return isinstance(message.code, Plain) and str(message) in {
        code.template for code in all_codes() if not code.names
    }


def by_keeper(groups: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(groups, key=lambda group: (str(group["kind"]), str(group["keeper"])))


def today(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups as they were shown, in today's words."""

    def member(values: list[Any]) -> list[Any]:
        description = messages_from_json(description_as_codes(values[2]))
        return [*values[:2], ENGLISH.listed(description), *values[3:]]

    return [
        {
            **group,
            "reasons": list(
                map(str, messages_from_json(reasons_as_codes(json.dumps(group["reasons"]))))
            ),
            "members": [member(values) for values in group["members"]],
        }
        for group in groups
    ]


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.stem)
def test_an_old_library_shows_what_it_showed(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for name in DATABASES:
            (tmp_path / name).write_bytes(packed.read(name))
        seen = json.loads(packed.read("seen.json"))
    with Library.open(tmp_path) as library:
        assert described(library.all_groups(1)) == today(seen["groups"])
        for group in library.all_groups(1):  # what was English text has a code by now
            assert all(isinstance(reason.code, KeepReason) for reason in group.keep_reasons)
        dismissed = [[pair.first_path, pair.second_path] for pair in library.dismissed()]
        assert dismissed == seen["dismissed"]
        failures = [[each.path, each.stage, each.message] for each in library.failures(1)]
        if isinstance(seen["failures"][0], str):  # the first archive holds paths alone
            assert [path for path, _stage, _message in failures] == seen["failures"]
        else:
            assert failures == seen["failures"]
        assert [[item.path, item.state] for item in library.run_items(1)] == seen["removed"]
        if "history" in seen:
            assert history(library) == seen["history"]
        for before in reversed(seen.get("before_decisions", [])):
            assert library.undo_decision(1) is not None
            assert by_keeper(described(library.all_groups(1))) == by_keeper(today(before))
            for group in library.all_groups(1):  # what a person chose is a column by now
                assert group.chosen is (group.keep_reasons == (KeepReason.CHOSEN(),))
                assert all(isinstance(reason.code, KeepReason) for reason in group.keep_reasons)
                for member in group.members:
                    assert not list(filter(is_plain_but_known, member.description))
    database = sqlite3.connect(tmp_path / "library.sqlite")
    assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    database.close()


@pytest.fixture
def unpacked() -> Iterator[Path]:
    """The second library at the place where it was made, beside the backup that it filled."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    with zipfile.ZipFile(HERE / "library-2.zip") as packed:
        packed.extractall(FOLDER)
        for name in DATABASES:
            (FOLDER / "library").mkdir(exist_ok=True)
            os.replace(FOLDER / name, FOLDER / "library" / name)
    yield FOLDER
    shutil.rmtree(FOLDER)


@pytest.mark.skipif(sys.platform == "win32", reason="the library was made on Linux")
def test_an_old_removal_is_undone(unpacked: Path) -> None:
    with Library.open(unpacked / "library") as library:
        report = library.undo(1)
        assert len(report.done) == 1
    assert (unpacked / "photos/fourth copy.jpg").is_file()
