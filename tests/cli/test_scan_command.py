"""``idf scan`` and ``idf groups``: the JSON contract, the summary and the exit statuses."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.commands import Idf, refused, save_jpeg

MEMBER_FIELDS = {
    "path": str,
    "width": int,
    "height": int,
    "bytes": int,
    "relation": str,
    "transform": (list, type(None)),
    "mirrored": bool,
    "overlap": float,
    "score": float,
    "selected": bool,
    "lacks": list,
    "facts": dict,
}
# What stands only where it was measured.
MEASURED = ("witness", "detail", "differences")
KEEPER_FIELDS = {
    "path": str,
    "width": int,
    "height": int,
    "bytes": int,
    "reasons": list,
    "facts": dict,
}
FIELDS = {
    "version": int,
    "roots": list,
    "mode": str,
    "settings": dict,
    "files": int,
    "seconds": float,
    "groups": list,
    "failures": list,
}


def _has_exactly(values: dict[str, Any], fields: dict[str, Any]) -> None:
    assert list(values) == list(fields)
    for name, kind in fields.items():
        assert isinstance(values[name], kind), name


def _names(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Keeper's name to the names of its members with their relations."""
    return {
        Path(group["keeper"]["path"]).name: {
            Path(member["path"]).name: member["relation"] for member in group["members"]
        }
        for group in document["groups"]
    }


def test_json_is_the_contract_and_alone_on_standard_output(idf_process: Idf, album: Path) -> None:
    done = idf_process("scan", "album", "--mode", "quick", "--json", "-")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    _has_exactly(document, FIELDS)
    assert document["version"] == 1
    assert document["mode"] == "quick"
    assert document["roots"] == [str(album)]
    assert document["files"] == 7
    assert [group["id"] for group in document["groups"]] == [1, 2]
    for group in document["groups"]:
        assert list(group) == ["id", "kind", "keeper", "members"]
        assert group["kind"] == "duplicates"
        _has_exactly(group["keeper"], KEEPER_FIELDS)
        assert group["keeper"]["reasons"]
        for member in group["members"]:
            _has_exactly(
                {name: value for name, value in member.items() if name not in MEASURED},
                MEMBER_FIELDS,
            )
            assert Path(member["path"]).is_absolute()
            assert member["bytes"] == Path(member["path"]).stat().st_size
    assert _names(document) == {
        "a.jpg": {"a copy.jpg": "byte_identical", "a small.jpg": "resized"},
        "b.jpg": {"b mirrored.jpg": "rotated"},
    }
    mirrored = document["groups"][1]["members"][0]
    assert mirrored["mirrored"]
    assert (mirrored["width"], mirrored["height"]) == (480, 360)
    (failure,) = document["failures"]
    assert list(failure) == ["path", "stage", "message"]
    assert failure["path"] == str(album / "damaged.jpg")


def test_same_result_again_from_the_library_and_from_nothing(
    idf: Idf, album: Path, library_dir: Path, tmp_path: Path
) -> None:
    def document(*options: str) -> dict[str, Any]:
        result = json.loads(idf(*options, "scan", album, "--mode", "quick", "--json", "-").stdout)
        del result["seconds"]
        return result

    first = document()
    assert document() == first
    # The last --library counts; an empty one has to find everything anew.
    assert document("--library", str(tmp_path / "another")) == first


def test_json_to_a_file_leaves_the_summary(idf: Idf, album: Path, tmp_path: Path) -> None:
    done = idf("scan", album, "--mode", "quick", "--json", "result.json")
    assert done.returncode == 0
    assert "2 groups of duplicates" in done.stdout
    assert "damaged.jpg" in done.stdout
    assert len(json.loads((tmp_path / "result.json").read_text())["groups"]) == 2
    assert not list(tmp_path.glob(".*.tmp"))


def test_plain_lines_of_progress_without_a_terminal(idf_process: Idf, album: Path) -> None:
    told = idf_process("scan", album, "--mode", "quick").stderr
    assert "Reading pictures: 7 of 7, 1 failed" in told.splitlines()
    assert "\x1b" not in told
    assert idf_process("scan", album, "--mode", "quick", "--quiet").stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_keep_their_bytes(
    idf: Idf, tmp_path: Path, painted: Callable[..., NDArray[np.uint8]]
) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    name = b"caf\xe9\n\xff.jpg"
    save_jpeg(folder / "first.jpg", painted(4))
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(
        (folder / "first.jpg").read_bytes()
    )
    document = json.loads(idf("scan", folder, "--mode", "quick", "--json", "-").stdout)
    (group,) = document["groups"]
    (odd,) = [
        file for file in (group["keeper"], *group["members"]) if not file["path"].isprintable()
    ]
    assert base64.b64decode(odd["path_bytes"]) == os.fsencode(folder) + b"/" + name
    assert os.fsencode(odd["path"]) == os.fsencode(folder) + b"/" + name
    shown = idf("groups").stdout
    assert "caf\\xe9\\x0a\\xff.jpg" in shown


def test_exit_statuses(idf_process: Idf, album: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "only damaged"
    damaged.mkdir()
    (damaged / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")

    assert idf_process("scan", album, "--mode", "quick").returncode == 0
    assert idf_process("scan", album, "--mode", "quick", "--strict").returncode == 1
    assert idf_process("scan", damaged, "--mode", "quick").returncode == 3


def test_wrong_usage_ends_with_status_2(
    album: Path, library_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ["--library", str(library_dir)]
    for wrong in (
        ["sing"],
        ["scan"],
        ["scan", str(album), "--mode", "slow"],
        ["scan", str(album), "--esimilarity-threshold", "1.5"],
        ["scan", str(album), "--keep", "pixels,beauty"],
        ["scan", str(tmp_path / "not there")],
        ["scan", str(album), "--json", str(tmp_path / "no folder" / "x.json")],
        ["scan", str(album), "--json", str(album)],
        ["groups"],
        ["groups", "--scan", "99"],
        ["plan", "--action", "burn"],
        ["serve", "--port", "99999"],
    ):
        refused([*here, *wrong], capsys)


def test_nothing_readable_still_writes_the_document(idf: Idf, tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    done = idf("scan", tmp_path / "x.jpg", "--mode", "quick", "--json", "-")
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document["groups"] == []
    assert [Path(failure["path"]).name for failure in document["failures"]] == ["x.jpg"]
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_options_of_the_search(idf: Idf, album: Path) -> None:
    def found(*options: str) -> dict[str, dict[str, str]]:
        done = idf("scan", album, "--mode", "quick", "--json", "-", *options)
        assert done.returncode == 0, done.stderr
        return _names(json.loads(done.stdout))

    assert "a small.jpg" not in found("--no-recursive")["a.jpg"]
    assert "a small.jpg" not in found("--exclude", "sub/")["a.jpg"]
    # A protected file is kept, even a smaller one.
    assert set(found("--protect", str(album / "sub"))["a small.jpg"]) == {"a.jpg", "a copy.jpg"}
    assert "a copy.jpg" in found("--keep", "name,pixels")["a.jpg"]


def test_groups_shows_what_is_kept_and_why(idf: Idf, album: Path) -> None:
    idf("scan", album, "--mode", "quick")
    shown = idf("groups").stdout
    assert "Group 1 of 2 (duplicates)" in shown
    keeper = next(line for line in shown.splitlines() if "/a.jpg" in line)
    assert keeper.startswith("  keep ")
    assert "480 x 360 JPEG" in keeper
    copies = [line for line in shown.splitlines() if "a copy.jpg" in line or "a small" in line]
    assert [line.split()[0] for line in copies] == ["remove", "remove"]
    assert "Group 1 of 1" in idf("groups", "--relation", "rotated").stdout
    assert "Group 1 of 1" in idf("groups", "--text", "SMALL").stdout
    assert "Group 1 of 1" in idf("groups", "--below", "album/sub").stdout
    assert idf("groups", "--min-bytes", "99999999").stdout == "No groups.\n"
    assert idf("groups", "--limit", "1").stdout.endswith("More: --offset 1\n")
    assert "Group 2 of 2" in idf("groups", "--limit", "1", "--offset", "1").stdout
    document = json.loads(idf("groups", "--relation", "rotated", "--json", "-").stdout)
    assert list(_names(document)) == ["b.jpg"]


def test_failures_are_listed_with_reasons(idf: Idf, album: Path) -> None:
    idf("scan", album, "--mode", "quick")
    (line,) = idf("failures").stdout.splitlines()
    path, _, reason = line.partition(": ")
    assert path == str(album / "damaged.jpg")
    assert reason


def test_groups_follow_the_thresholds_without_a_new_scan(idf: Idf, album: Path) -> None:
    """The settings that a scan is remembered with change, and no second scan is recorded."""
    idf("scan", "album", "--json", "first.json")
    wanted = ("--esimilarity-threshold", "1", "--csimilarity-threshold", "0.7")
    lenient = json.loads(idf("groups", *wanted, "--json", "-").stdout)
    strict = json.loads(
        idf(
            "groups", "--esimilarity-threshold", "0", "--csimilarity-threshold", "1", "--json", "-"
        ).stdout
    )
    assert lenient["settings"]["esimilarity_threshold"] == 1
    assert strict["settings"]["csimilarity_threshold"] == 1

    def similar(document: dict[str, Any]) -> int:
        return sum(group["kind"] == "similar" for group in document["groups"])

    assert similar(strict) <= similar(lenient)
    assert idf("groups", "--scan", "2").returncode == 2
