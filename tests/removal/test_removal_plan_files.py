"""Plan files from anywhere: proved against the library and the disk, or refused in a sentence."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from image_duplicate_finder.cli.removal import read_plan
from image_duplicate_finder.errors import IdfError, UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.removal import plan_from_dict, plan_to_dict
from image_duplicate_finder.settings import BackupMode, Mode, ScanSettings
from tests.removal.support import contents

SETTINGS = ScanSettings(mode=Mode.QUICK, jobs=1)
Document = dict[str, Any]


@pytest.fixture(scope="module")
def photos(
    tmp_path_factory: pytest.TempPathFactory, painted: Callable[..., NDArray[np.uint8]]
) -> Path:
    """A photo with two byte copies, one of them protected, and a photo of which there is one."""
    folder = tmp_path_factory.mktemp("plans") / "photos"
    (folder / "safe").mkdir(parents=True)
    for name, seed in (("a.jpg", 1), ("precious.jpg", 2)):
        picture = cv2.cvtColor(painted(seed, 240, 180), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / name), picture)
    for copy_name in ("a copy.jpg", "safe/a.jpg"):
        shutil.copy(folder / "a.jpg", folder / copy_name)
    (folder / "unseen.txt").write_text("unseen")
    return folder


@pytest.fixture(scope="module")
def library(photos: Path) -> Iterator[Library]:
    with Library.open(photos.parent / "library") as opened:
        protected = (str(photos / "safe"),)
        opened.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1, protected=protected))
        yield opened


@pytest.fixture(scope="module")
def document(library: Library) -> Document:
    plan = plan_to_dict(library.plan(library.latest_scan().id))
    assert len(plan["items"]) == 2
    found: Document = json.loads(json.dumps(plan))
    return found


def side(path: Path) -> Document:
    """A file as a plan tells of it, with its true content and stat."""
    at = os.lstat(path)
    return {
        "path": str(path),
        "content": blake3(path.read_bytes()).hexdigest(),
        "content_identifier": None,
        "stat": {
            "size": at.st_size,
            "mtime_ns": at.st_mtime_ns,
            "ctime_ns": at.st_ctime_ns,
            "device": at.st_dev,
            "inode": at.st_ino,
            "links": at.st_nlink,
        },
    }


def applied(library: Library, document: Document) -> tuple[int, list[str]]:
    """Apply a document; how many files went (they are restored), and why others did not."""
    report = library.apply(plan_from_dict(document), mode=BackupMode.REMOVED)
    library.undo(report.run)
    return len(report.done), [refusal.reason.value for refusal in report.skipped]


def test_an_item_says_nothing_that_the_library_does_not(
    library: Library, document: Document, photos: Path
) -> None:
    """Each claim is about files that are there, with their true contents and stats."""
    precious, unseen = side(photos / "precious.jpg"), side(photos / "unseen.txt")
    kept = document["items"][0]["keeper"]
    forgeries: list[Document] = [
        {"file": precious},
        {"file": precious, "relation": "resized"},
        {"file": precious, "relation": "similar", "chosen": True, "decided": 1},
        {"file": precious | {"content": kept["content"]}},
        {"file": precious | {"stat": document["items"][0]["file"]["stat"]}},
        {"file": unseen},
        {"file": unseen, "keeper": unseen},
        {"keeper": unseen | {"content": document["items"][0]["file"]["content"]}},
        {"file": kept, "keeper": document["items"][0]["file"]},
        {"file": kept, "keeper": kept},
        {"file": side(photos / "safe" / "a.jpg")},
        {"file": side(photos / "safe" / "a.jpg"), "group": 0},
        {"file": precious | {"path": f"{photos}/safe/../precious.jpg"}},
        {"companions": [{"path": precious["path"], "kind": "sidecar", "stat": precious["stat"]}]},
    ]
    before = contents(photos)
    for changes in forgeries:
        for more in ({}, {"protected": []}, {"action": "hardlink"}):
            forged = copy.deepcopy(document) | copy.deepcopy(more)
            forged["items"] = [forged["items"][0] | copy.deepcopy(changes)]
            assert applied(library, forged)[0] == 0, changes
            assert contents(photos) == before, changes


def test_a_plan_for_other_folders_is_refused(library: Library, document: Document) -> None:
    forged = document | {"roots": [{"path": "/"}]}
    with pytest.raises(UsageError, match="not a scanned folder"):
        library.apply(plan_from_dict(forged))


def test_a_file_that_was_edited_but_says_the_old_stat_is_read(
    tmp_path: Path, painted: Callable[..., NDArray[np.uint8]]
) -> None:
    """The stat of a plan is not believed: the content is read where the library knows another."""
    folder = tmp_path / "in"
    folder.mkdir()
    picture = cv2.cvtColor(painted(1, 240, 180), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "a.png"), picture)
    cv2.imwrite(str(folder / "small.png"), cv2.resize(picture, None, fx=0.5, fy=0.5))
    with Library.open(tmp_path / "library") as library:
        library.scan([folder], SETTINGS)
        plan = plan_to_dict(library.plan(library.latest_scan().id))
        (item,) = plan["items"]
        edited = Path(item["file"]["path"])
        edited.write_bytes(b"my own work")
        item["file"]["stat"] = side(edited)["stat"]
        assert applied(library, plan) == (0, ["changed"])
        assert edited.read_bytes() == b"my own work"


def test_repeated_items_are_one(library: Library, document: Document) -> None:
    repeated = document | {"items": document["items"] * 10_000}
    assert len(plan_from_dict(repeated).items) == 2
    assert plan_from_dict(repeated) == plan_from_dict(document)
    assert applied(library, repeated)[0] == 2


def test_the_items_of_a_unit_stand_together_in_any_order(
    library: Library, document: Document
) -> None:
    first, second = document["items"]
    mixed = document | {
        "items": [first | {"unit": 5}, second | {"unit": 2}, first | {"unit": 7}],
    }
    assert [item.unit for item in plan_from_dict(mixed).items] == [2, 5]


ODD = (
    10**400,
    2**70,
    -1,
    float("nan"),
    float("inf"),
    [],
    {},
    None,
    True,
    "x",
    "\0",
    "\ud800",
    [[]],
)


def places(value: object, way: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The ways to all values within a document."""
    if way:
        yield way
    entries = value.items() if isinstance(value, dict) else ()
    entries = enumerate(value) if isinstance(value, list) else entries
    for key, inner in entries:
        yield from places(inner, (*way, key))


def with_value(document: Document, way: tuple[object, ...], value: object) -> Document:
    changed: Any = copy.deepcopy(document)
    inner: Any = changed
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    found: Document = changed
    return found


def is_safe(library: Library, photos: Path, text: str, folder: Path) -> None:
    """A plan file removes nothing but the copy it may, or is refused in a short sentence."""
    before = contents(photos)
    (folder / "plan.json").write_text(text)
    try:
        plan = read_plan(folder / "plan.json")
        report = library.apply(plan, mode=BackupMode.REMOVED)
    except IdfError as error:
        assert 0 < len(str(error)) < 1000
        str(error).encode()
    else:
        assert {Path(item.path).name for item in report.done} <= {"a copy.jpg", "a.jpg"}
        library.undo(report.run)
    assert contents(photos) == before


def test_any_odd_value_anywhere_is_refused_or_safe(
    library: Library, document: Document, photos: Path, tmp_path: Path
) -> None:
    for way in places(document):
        for value in ODD:
            text = json.dumps(with_value(document, way, value))
            try:
                plan_from_dict(json.loads(text))
            except (UsageError, ValueError):
                continue
            is_safe(library, photos, text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "1",
        '"plan"',
        "{}",
        '{"version": 1}',
        '{"version": true}',
        '{"version": 1e400}',
        '{"version": ' + "9" * 5000 + "}",
        "[" * 200_000 + "]" * 200_000,
        '{"version":' * 20_000 + "1" + "}" * 20_000,
        "\ufeff{}",
    ],
)
def test_what_is_no_plan_is_refused(
    library: Library, photos: Path, tmp_path: Path, text: str
) -> None:
    is_safe(library, photos, text, tmp_path)


def test_the_refusal_names_the_item(document: Document) -> None:
    odd = with_value(document, ("items", 1, "score"), 10**400)
    with pytest.raises(UsageError, match=r"item 2 \(.*\.jpg\): score is no number from 0 to 1"):
        plan_from_dict(odd)
    with pytest.raises(UsageError, match=r"item 1 \(.*\.jpg\): keeper is missing"):
        plan_from_dict(document | {"items": [{"file": document["items"][0]["file"]}]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_json_is_refused_or_safe(
    library: Library, document: Document, photos: Path, tmp_path: Path, data: st.DataObject
) -> None:
    ways = list(places(document))
    forged = copy.deepcopy(document)
    values = [forged, *(side(photos / name) for name in ("precious.jpg", "safe/a.jpg"))]
    for _ in range(data.draw(st.integers(1, 4))):
        way = data.draw(st.sampled_from(ways))
        taken = data.draw(JSON | st.sampled_from([*values[1:], *document["items"]]))
        try:
            forged = with_value(forged, way, taken)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    is_safe(library, photos, json.dumps(forged), tmp_path)
