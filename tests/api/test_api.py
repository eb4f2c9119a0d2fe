"""Pictures in memory, results as tables and graphs, and libraries that grow and shrink."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from image_duplicate_finder import (
    CancelToken,
    Library,
    Mode,
    Relation,
    ScanResult,
    ScanSettings,
    Step,
    compare,
    find_duplicates,
    leakage,
)
from image_duplicate_finder.errors import Interrupted, NotFound, UsageError
from image_duplicate_finder.settings import Engine
from tests.conftest import Painter
from tests.sources.holders import jpeg

QUICK = ScanSettings(mode=Mode.QUICK)


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """``a.jpg`` with a small and a strongly compressed copy, and ``other.jpg``."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = painted(1)
    (folder / "a.jpg").write_bytes(jpeg(photo, 95))
    Image.fromarray(photo).resize((240, 180)).save(folder / "small.jpg")
    (folder / "sent.jpg").write_bytes(jpeg(photo, 50))
    (folder / "other.jpg").write_bytes(jpeg(painted(2)))
    return folder


def test_arrays_and_pillow_images_are_found_by_their_place(painted: Painter) -> None:
    photo = painted(1)
    grey = np.asarray(Image.fromarray(painted(3)).convert("L"))
    turned = Image.fromarray(photo)
    turned.getexif()[0x0112] = 6
    pictures = [painted(2), photo, grey, Image.fromarray(photo).resize((240, 180)), turned]
    found = find_duplicates(pictures, QUICK)
    (group,) = found.duplicates
    assert found.index_of(group.keeper) == 1
    assert {found.index_of(m.file): m.relation for m in group.members} == {
        3: Relation.RESIZED,
        4: Relation.ROTATED,
    }
    # The notebook still shows what lies only in memory.
    assert found._repr_html_().count("data:image/jpeg;base64,") == 3


def test_memory_and_files_are_compared_with_each_other(photos: Path, painted: Painter) -> None:
    found = find_duplicates([photos / "a.jpg", painted(1), painted(5)], QUICK)
    (group,) = found.duplicates
    files = [group.keeper, *(member.file for member in group.members)]
    assert {(Path(file.path).name, found.index_of(file)) for file in files} == {
        ("a.jpg", None),
        ("000001.png", 1),
    }


@pytest.mark.parametrize(
    "picture",
    [np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 2), np.uint8), np.zeros(8, np.uint8), 7],
)
def test_what_is_no_picture_is_refused(picture: object) -> None:
    with pytest.raises(UsageError, match="Picture 0 is a"):
        find_duplicates([picture])  # type: ignore[list-item]


def test_comparing_two(photos: Path, painted: Painter) -> None:
    found = compare(photos / "small.jpg", painted(1))
    assert (found.relation, found.keeper, bool(found)) == (Relation.RESIZED, 1, True)
    assert found.to_dict()["relation"] == "resized"
    assert not compare(painted(1), painted(2))
    with pytest.raises(UsageError, match="one and the same file"):
        compare(photos / "a.jpg", str(photos / "a.jpg"))


def test_results_become_tables_and_graphs(photos: Path, library_dir: Path) -> None:
    found = find_duplicates(photos, QUICK, library=library_dir)
    frame = found.to_pandas()
    assert list(frame.role) == ["keeper", "member", "member"]
    assert set(frame.relation.dropna()) == {"resized", "reencoded"}
    assert frame.bytes.sum() == sum(path.stat().st_size for path in photos.iterdir()) - (
        (photos / "other.jpg").stat().st_size
    )
    table = found.to_arrow()
    assert table.column_names == list(frame.columns)
    assert table.column("path").to_pylist() == list(frame.path)
    graph = found.to_networkx()
    keeper = str(photos / "a.jpg")
    assert dict(graph[keeper]).keys() == {str(photos / "small.jpg"), str(photos / "sent.jpg")}
    assert graph[keeper][str(photos / "small.jpg")]["relation"] == "resized"
    assert found.to_dict()["groups"][0]["keeper"]["path"] == keeper


def test_no_duplicates_are_tables_without_rows(photos: Path, library_dir: Path) -> None:
    found = find_duplicates(photos / "other.jpg", QUICK, library=library_dir)
    assert len(found.to_pandas()) == found.to_arrow().num_rows == len(found.to_networkx()) == 0
    assert found.to_arrow().schema.field("width").type == "int64"


def test_a_group_in_a_notebook_is_a_row_of_thumbnails(photos: Path, library_dir: Path) -> None:
    odd = photos / "<b>&.jpg"
    (photos / "sent.jpg").rename(odd)
    (group,) = find_duplicates(photos, QUICK, library=library_dir)
    odd.unlink()
    shown = group._repr_html_()
    assert shown.count("data:image/jpeg;base64,") == 2
    assert shown.count("no picture") == 1
    assert "<b>" not in shown
    assert "&lt;b&gt;&amp;.jpg" in shown


def test_modes_and_engines_are_words_too() -> None:
    assert ScanSettings(mode="quick") == QUICK  # type: ignore[arg-type]
    assert ScanSettings(engine="ray").engine is Engine.RAY  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="The mode is one of quick, standard, thorough, not 'q'"):
        ScanSettings(mode="q")  # type: ignore[arg-type]


def test_missing_extras_are_named() -> None:
    """In a process where the libraries of the extra cannot be imported."""
    code = """
import sys
for name in ("pandas", "pyarrow", "networkx"):
    sys.modules[name] = None
import numpy as np
from image_duplicate_finder import ScanSettings, find_duplicates
from image_duplicate_finder.errors import UsageError
found = find_duplicates([np.zeros((64, 64, 3), np.uint8)], ScanSettings(mode="quick"))
for make in (found.to_pandas, found.to_arrow, found.to_networkx):
    try:
        make()
    except UsageError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"This needs {name}: pip install {name}" for name in ("pandas", "pyarrow", "networkx")
    ]


def test_importing_the_package_loads_no_table_library() -> None:
    code = (
        "import sys, image_duplicate_finder as idf\n"
        "idf.find_duplicates, idf.Library, idf.leakage, idf.compare\n"
        "print(sorted({'pandas', 'pyarrow', 'networkx', 'fsspec'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_progress_and_cancel(photos: Path, library_dir: Path) -> None:
    cancel = CancelToken()
    seen: list[str] = []

    def progress(step: Step) -> None:
        seen.append(step.stage)
        cancel.cancel()

    with pytest.raises(Interrupted):
        find_duplicates(photos, QUICK, library=library_dir, progress=progress, cancel=cancel)
    assert seen


def test_a_library_grows_is_searched_and_shrinks(
    photos: Path, library_dir: Path, tmp_path: Path, painted: Painter
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "copy.jpg").write_bytes(jpeg(painted(2), 60))
    with Library.open(library_dir) as library:
        with pytest.raises(NotFound):
            library.add([more])
        library.scan([photos], QUICK)
        grown = library.add([more])
        assert (grown.files, grown.decoded) == (5, 1)
        assert {
            (Path(pair.keeper.path).name, Path(pair.member.path).name): pair.relation.value
            for pair in library.pairs(grown.id)
        } == {
            ("a.jpg", "small.jpg"): "resized",
            ("a.jpg", "sent.jpg"): "reencoded",
            ("other.jpg", "copy.jpg"): "reencoded",
        }
        hits = library.search(painted(1)[20:-20, 20:-20])
        assert {Path(hit.file.path).name for hit in hits} <= {"a.jpg", "small.jpg", "sent.jpg"}
        hits = library.search(Image.fromarray(painted(2)))
        assert {Path(hit.file.path).name for hit in hits} == {"other.jpg", "copy.jpg"}

        assert library.remove([more, photos / "a.jpg"]) == 2
        assert (photos / "a.jpg").exists()
        (group,) = ScanResult.of(library).duplicates
        assert {Path(group.keeper.path).name, Path(group.members[0].file.path).name} == {
            "small.jpg",
            "sent.jpg",
        }
        assert not any(member.selected for member in group.members)
        # The same scan again takes nothing over from the one that was changed.
        assert len(library.all_groups(library.scan([photos, more], QUICK).id)) == 2


def test_leakage_between_lists_of_files(photos: Path, library_dir: Path) -> None:
    found = leakage(
        train=[photos / "a.jpg", photos / "other.jpg"],
        test=photos / "small.jpg",
        settings=QUICK,
        library=library_dir,
    )
    (leak,) = found
    assert (leak.first.split, leak.second.split, leak.relation) == (
        "train", "test", Relation.RESIZED,
    )  # fmt: skip
    assert list(found.to_pandas().second_path) == [str(photos / "small.jpg")]
    assert found.to_arrow().num_rows == found.to_networkx().number_of_edges() == 1
    assert re.search("small", found.to_dict()["leaks"][0]["second"]["path"])
    with pytest.raises(UsageError, match="or a manifest"):
        leakage()


@pytest.mark.parametrize("mode", [Mode.QUICK, Mode.STANDARD])
def test_pictures_sheared_onto_flat_ground_are_found(
    painted: Painter, tmp_path: Path, mode: Mode
) -> None:
    for seed in range(4):
        photo = painted(seed)
        (tmp_path / f"{seed}.jpg").write_bytes(jpeg(photo, 90))
        matrix = np.array([[1, 0.7, 0], [0, 1, 0]], np.float64)
        copy = cv2.warpAffine(photo, matrix, (480 + 252, 360))
        (tmp_path / f"{seed}-sheared.jpg").write_bytes(jpeg(np.asarray(copy, np.uint8), 80))
    found = {
        frozenset(Path(file.path).name for file in (group.keeper, *(m.file for m in group.members)))
        for group in find_duplicates(tmp_path, ScanSettings(mode=mode)).duplicates
    }
    assert found == {frozenset({f"{seed}.jpg", f"{seed}-sheared.jpg"}) for seed in range(4)}


def test_an_original_is_worth_more_than_its_stretched_copy(
    painted: Painter, tmp_path: Path
) -> None:
    photo = painted(3)
    (tmp_path / "original.jpg").write_bytes(jpeg(photo, 92))
    decoded = np.asarray(Image.open(tmp_path / "original.jpg"))
    wide = np.asarray(cv2.resize(decoded, (720, 360), interpolation=cv2.INTER_CUBIC), np.uint8)
    (tmp_path / "wide.jpg").write_bytes(jpeg(wide, 92))
    (group,) = find_duplicates(tmp_path, QUICK).duplicates
    assert Path(group.keeper.path).name == "original.jpg"
    assert not any(member.selected for member in group.members)
