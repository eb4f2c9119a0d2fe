"""Manifests: which files they list, and what they say when they cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from image_duplicate_finder import Library, Mode, ScanSettings, find_duplicates
from image_duplicate_finder.discover import clean_roots, discover
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.removal import Reason
from image_duplicate_finder.sources.manifest import ManifestRow, read_manifest
from tests.conftest import Painter
from tests.sources.holders import jpeg, write_zip

QUICK = ScanSettings(mode=Mode.QUICK)


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """``a.jpg`` and a copy of it, one photo in an archive, and one that no list names."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg(painted(1)))
    (folder / "copy.jpg").write_bytes(jpeg(painted(1)))
    (folder / "unlisted.jpg").write_bytes(jpeg(painted(1), 60))
    write_zip(folder / "b.zip", {"b.jpg": jpeg(painted(1), 75)})
    return folder


def test_the_files_of_a_list_are_scanned_and_never_offered_for_removal(
    tmp_path: Path, photos: Path, library_dir: Path
) -> None:
    listed = ["photos/a.jpg", str(photos / "copy.jpg"), "photos/b.zip!/b.jpg"]
    manifest = tmp_path / "list.csv"
    manifest.write_text("label,Path\n" + "".join(f"cat,{path}\n" for path in listed))
    found = find_duplicates(manifest, QUICK, library=library_dir)
    (group,) = found.duplicates
    files = [group.keeper, *(member.file for member in group.members)]
    assert {os.path.relpath(file.path, photos) for file in files} == {
        "a.jpg", "copy.jpg", "b.zip!/b.jpg",
    }  # fmt: skip
    assert not any(file.removable for file in files)
    with Library.open(library_dir) as library:
        assert library.select([(group.id, each.file.id) for each in group.members]) == 0


def test_a_file_of_a_list_and_of_a_folder_is_offered_from_the_folder(
    tmp_path: Path, photos: Path, library_dir: Path
) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("path\nphotos/copy.jpg\n")
    with Library.open(library_dir) as library:
        scan = library.scan([photos, manifest], QUICK)
        assert scan.files == 3
        plan = library.plan(scan.id)
    assert len(plan.items) == 2
    assert Reason.READ_ONLY not in {refusal.reason for refusal in plan.refusals}


def test_parquet_and_csv_say_the_same(tmp_path: Path, photos: Path) -> None:
    rows = [("photos/a.jpg", "train"), ("photos/copy.jpg", "test")]
    text = tmp_path / "list.csv"
    text.write_text("split,image\n" + "".join(f"{split},{path}\n" for path, split in rows))
    table = tmp_path / "list.parquet"
    paths, splits = zip(*rows, strict=True)
    parquet.write_table(pa.table({"label": [1, 2], "image": paths, "split": splits}), table)
    wanted = tuple(
        ManifestRow(str(tmp_path / path), split, line) for line, (path, split) in enumerate(rows, 1)
    )
    assert read_manifest(str(text)) == read_manifest(str(table)) == wanted
    assert discover(clean_roots([text])) == discover(clean_roots([table]))


def test_what_a_list_names_in_vain_is_a_failure(tmp_path: Path, photos: Path) -> None:
    manifest = tmp_path / "list.tsv"
    manifest.write_text("path\tlabel\nphotos/gone.jpg\t1\nphotos\t2\nphotos/b.zip!/no.jpg\t3\n")
    found = discover(clean_roots([manifest]))
    assert found.files == ()
    assert [os.path.basename(failure.path) for failure in found.failures] == [
        "gone.jpg", "photos", "no.jpg",
    ]  # fmt: skip


def test_the_name_inside_an_archive_is_taken_as_it_is(tmp_path: Path, painted: Painter) -> None:
    archive = write_zip(tmp_path / "odd.zip", {"../a.jpg": jpeg(painted(1)), "./b//c.jpg": b"x"})
    names = ["../a.jpg", "./b//c.jpg"]
    (tmp_path / "list.csv").write_text("path\n" + "".join(f"./odd.zip!/{n}\n" for n in names))
    found = discover(clean_roots([tmp_path / "list.csv"]))
    assert [file.path for file in found.files] == [f"{archive}!/{name}" for name in names]
    assert clean_roots([f"{archive}!/../a.jpg"]) == (f"{archive}!/../a.jpg",)


def test_links_lead_to_their_files(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "link.jpg").symlink_to(photos / "a.jpg")
    (tmp_path / "list.csv").write_text("path\nlink.jpg\n")
    found = discover(clean_roots([tmp_path / "list.csv"]))
    assert [file.path for file in found.files] == [str(photos / "a.jpg")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("label,size\ncat,1\n", "no column of paths.*it has label, size"),
        ("path,split\na.jpg,train\n,test\n", "row 2 has no path"),
        ("", "no column of paths.*it has none"),
    ],
)
def test_a_list_that_cannot_be_used(tmp_path: Path, text: str, told: str) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_manifest(str(manifest))


def test_a_parquet_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UsageError, match="cannot be read"):
        read_manifest(str(tmp_path / "x.parquet"))
