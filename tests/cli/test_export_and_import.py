"""``idf export`` and ``idf import``: what is written, and what an edited table does."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from pyarrow import parquet

from image_duplicate_finder import Library
from image_duplicate_finder.exports.tables import plain
from tests.cli.commands import Idf
from tests.conftest import Painter
from tests.sources.holders import jpeg, write_zip

Table = list[dict[str, str]]


@pytest.fixture
def scanned(idf: Idf, album: Path) -> Path:
    """The album of two groups (three copies, two preselected or more) after a scan."""
    done = idf("scan", album, "--mode", "quick", "--quiet")
    assert done.returncode == 0, done.stderr
    return album


@pytest.fixture
def exported(idf: Idf, scanned: Path, tmp_path: Path) -> Table:
    assert idf("export", "-o", "groups.csv").returncode == 0
    with (tmp_path / "groups.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, table: Table, delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys(), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)
    return path


def by_name(table: Table) -> dict[str, dict[str, str]]:
    return {os.path.basename(row["path"]): row for row in table}


def test_the_table_says_what_the_groups_do(exported: Table, scanned: Path) -> None:
    rows = by_name(exported)
    assert rows.keys() == {"a.jpg", "a copy.jpg", "a small.jpg", "b.jpg", "b mirrored.jpg"}
    assert rows["a.jpg"]["choice"] == "keep"
    assert rows["a copy.jpg"]["choice"] == "remove"
    assert rows["a small.jpg"]["relation"] == "resized"


def test_parquet_holds_what_csv_does(
    idf: Idf, exported: Table, tmp_path: Path, scanned: Path
) -> None:
    assert idf("export", "--format", "parquet", "-o", "groups.parquet").returncode == 0
    table = parquet.read_table(tmp_path / "groups.parquet")
    assert table.column_names == list(exported[0])
    assert table.column("path").to_pylist() == [row["path"] for row in exported]
    assert str(table.schema.field("score").type) == "double"
    assert table.column("selected").to_pylist() == [
        None if row["selected"] == "" else row["selected"] == "1" for row in exported
    ]


def test_json_is_that_of_a_scan_and_the_page_stands_alone(
    idf: Idf, scanned: Path, tmp_path: Path
) -> None:
    assert idf("export", "--format", "json", "-o", "groups.json").returncode == 0
    assert idf("groups", "--json", "again.json").returncode == 0
    first, second = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("groups", "again"))
    assert first == second
    assert idf("export", "--format", "html", "-o", "report.html").returncode == 0
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 5
    assert "http://" not in page and "<script" not in page


def test_lists_part_the_files_of_all_groups(idf: Idf, exported: Table) -> None:
    delete = idf("export", "--format", "delete-list").stdout.splitlines()
    keep = idf("export", "--format", "keep-list").stdout.splitlines()
    assert set(delete) == {row["path"] for row in exported if row["choice"] == "remove"}
    assert set(keep) == {row["path"] for row in exported} - set(delete)
    ended = idf("export", "--format", "delete-list", "--null").stdout
    assert ended.split("\0") == [*delete, ""]


def test_a_list_names_what_could_go_from_an_archive(
    idf: Idf, tmp_path: Path, painted: Painter
) -> None:
    photo = painted(1)
    write_zip(tmp_path / "x.zip", {"a.jpg": jpeg(photo, 95), "b.jpg": jpeg(photo, 60)})
    assert idf("scan", "x.zip", "--mode", "quick", "--quiet").returncode == 0
    assert idf("export", "--format", "delete-list").stdout == f"{tmp_path}/x.zip!/b.jpg\n"
    planned = idf("plan")
    assert planned.returncode == 0
    assert (tmp_path / "x.zip").exists()


def test_a_name_with_a_line_break_needs_the_other_form(
    idf: Idf, tmp_path: Path, painted: Painter
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ("a.jpg", "b\nc.jpg"):
        (folder / name).write_bytes(jpeg(painted(1)))
    assert idf("scan", folder, "--mode", "quick", "--quiet").returncode == 0
    refusal = idf("export", "--format", "delete-list", "-o", "list.txt")
    assert refusal.returncode == 2
    assert "idf export --null" in refusal.stderr
    assert not (tmp_path / "list.txt").exists()
    assert idf("export", "--format", "delete-list", "-0").stdout == f"{folder}/b\nc.jpg\0"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_an_edited_table_is_carried_out(
    idf: Idf, exported: Table, tmp_path: Path, library_dir: Path, delimiter: str
) -> None:
    rows = by_name(exported)
    rows["a.jpg"]["choice"] = "remove"
    rows["a copy.jpg"]["choice"] = "keep"
    rows["a small.jpg"]["choice"] = "leave"
    rows["b mirrored.jpg"]["choice"] = "not_duplicate"
    done = idf("import", write(tmp_path / "edited.csv", exported, delimiter))
    assert done.returncode == 0, done.stderr
    with Library.open(library_dir) as library:
        (group,) = library.all_groups(library.latest_scan().id)
        assert os.path.basename(group.keeper.path) == "a copy.jpg"
        assert {os.path.basename(m.file.path): m.selected for m in group.members} == {
            "a.jpg": True,
            "a small.jpg": False,
        }
        assert len(library.dismissed()) == 1
    assert "2 groups changed: 1 new keeper" in done.stdout


def test_a_table_as_it_was_exported_changes_nothing(
    idf: Idf, exported: Table, tmp_path: Path
) -> None:
    done = idf("import", "groups.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 groups changed")


def _misspelt(rows: dict[str, dict[str, str]]) -> None:
    rows["a small.jpg"]["choice"] = "delete"


def _two_keepers(rows: dict[str, dict[str, str]]) -> None:
    rows["a copy.jpg"]["choice"] = "keep"


def _no_keeper(rows: dict[str, dict[str, str]]) -> None:
    rows["b.jpg"]["choice"] = "remove"


def _unknown(rows: dict[str, dict[str, str]]) -> None:
    rows["b.jpg"]["path"] = "/nowhere/x.jpg"


def _mixed(rows: dict[str, dict[str, str]]) -> None:
    rows["b mirrored.jpg"]["group"] = rows["a.jpg"]["group"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_misspelt, "the choice 'delete' is none of keep, remove, leave, not_duplicate"),
        (_two_keepers, "the group has another keeper in line"),
        (_no_keeper, "b.jpg is the keeper of its group"),
        (_unknown, "no group of the scan has /nowhere/x.jpg in it"),
        (_mixed, "together with the other files of its group"),
    ],
)
def test_a_table_with_a_fault_changes_nothing(
    idf: Idf,
    exported: Table,
    tmp_path: Path,
    spoil: Callable[[dict[str, dict[str, str]]], None],
    told: str,
) -> None:
    rows = by_name(exported)
    # One good change, which must not be carried out by itself.
    rows["a copy.jpg"]["choice"] = "leave"
    spoil(rows)
    done = idf("import", write(tmp_path / "edited.csv", exported))
    assert done.returncode == 2
    assert told in done.stderr
    assert "line " in done.stderr
    assert idf("export").stdout == (tmp_path / "groups.csv").read_text()


def test_a_table_without_the_columns(idf: Idf, scanned: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("path,label\na.jpg,cat\n")
    done = idf("import", "x.csv")
    assert done.returncode == 2
    assert "no column group and no column choice" in done.stderr


def test_names_and_metadata_start_no_formula_and_come_back(
    idf: Idf, tmp_path: Path, painted: Painter
) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    exif = Image.Exif()
    exif[271], exif[272] = '=HYPERLINK("http://example.org","x")', "\uff1d1+1"
    picture = Image.fromarray(painted(1, 160, 120))
    for name in ("a.jpg", ";=1+1 copy.jpg", "'=2 copy.jpg", ";'-3 copy.jpg"):
        picture.save(folder / name, exif=exif)
    assert idf("scan", folder, "--mode", "quick", "--quiet").returncode == 0
    assert idf("export", "-o", "groups.csv").returncode == 0
    with (tmp_path / "groups.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    cells = [cell for row in table for cell in row.values()]
    assert any("HYPERLINK" in cell for cell in cells)
    for part in (part for cell in cells for part in cell.split(";")):
        assert not part.startswith(("=", "+", "-", "@", "\uff1d")), part
    assert all(row["width"] == "160" for row in table)
    for row in table:
        row["choice"] = "remove" if row["path"].endswith("copy.jpg") else "keep"
    told = idf("import", write(tmp_path / "edited.csv", table))
    assert told.returncode == 0, told.stderr
    plan = json.loads(idf("plan", "--json", "-").stdout)
    assert {Path(item["file"]["path"]).name for item in plan["items"]} == {
        ";=1+1 copy.jpg",
        "'=2 copy.jpg",
        ";'-3 copy.jpg",
    }
    for row in table:  # as a table of an earlier version has it
        row["path"], row["choice"] = plain(row["path"]), "leave"
    table[0]["choice"] = "keep"
    assert idf("import", write(tmp_path / "older.csv", table)).returncode == 0
    assert json.loads(idf("plan", "--json", "-").stdout)["items"] == []
