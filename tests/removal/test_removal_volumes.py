"""Undo writes to the volume that files came from, and to no other."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from image_duplicate_finder.removal import Remover, State
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.probe import Same, Volume, same, volume_of
from tests.removal.support import apply, evidence, plan_for, reasons, write

EXT4 = Volume("/usb", 7, "ext4", "/dev/sdb1", "/", "", 123)


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (EXT4, Same.YES),
        (replace(EXT4, device=8, source="/dev/sdc1"), Same.YES),
        (replace(EXT4, number=124), Same.NO),
        (replace(EXT4, mount="/", number=124), Same.NO),
        (replace(EXT4, kind="vfat"), Same.NO),
        (replace(EXT4, uuid="a"), Same.YES),
        (replace(EXT4, mount="/"), Same.UNKNOWN),  # a bind mount that is away
        (replace(EXT4, inside="/other"), Same.UNKNOWN),
    ],
)
def test_a_volume_is_known_by_its_number(now: Volume, answer: Same) -> None:
    assert same(EXT4, now) == answer


@pytest.mark.parametrize("kind", ["vfat", "xfs", "exfat", "fuseblk"])
def test_a_number_that_follows_the_device_proves_no_other_volume(kind: str) -> None:
    then = replace(EXT4, kind=kind)
    assert same(then, replace(then, number=124, device=8)) == Same.UNKNOWN
    with_uuid = replace(then, uuid="A")
    assert same(with_uuid, replace(with_uuid, number=124, device=8)) == Same.YES
    assert same(with_uuid, replace(with_uuid, uuid="B")) == Same.NO


def test_a_network_share_is_known_by_its_source() -> None:
    share = Volume("/mnt", 40, "nfs4", "nas:/photos", "/")
    assert same(share, replace(share, device=41)) == Same.YES
    assert same(share, replace(share, source="nas:/other", device=41)) == Same.UNKNOWN


def test_the_volume_of_a_place_that_is_not_there_is_that_of_what_is(quick_path: Path) -> None:
    assert volume_of(str(quick_path / "no/such/folder")) == volume_of(str(quick_path))


@pytest.fixture
def mount(quick_path: Path) -> Iterator[Callable[[Path], None]]:
    """Mounts an empty file system in memory at a folder, which needs to be root on Linux."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount")
    with ExitStack() as stack:

        def one(at: Path) -> None:
            at.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", at], capture_output=True)
            if done.returncode:
                pytest.skip("nothing can be mounted here")
            stack.callback(subprocess.run, ["umount", "-l", at], capture_output=True)

        yield one


@pytest.fixture
def away(quick_path: Path, mount: Callable[[Path], None]) -> tuple[Path, Path]:
    """A folder on a drive of its own, and a place elsewhere for backups."""
    mount(quick_path / "usb")
    root = quick_path / "usb/photos"
    for name in ("keep.jpg", "copy.jpg"):
        write(root / name, b"picture")
    (quick_path / "vault").mkdir()
    return root, quick_path / "vault"


@pytest.mark.parametrize(
    "there", ["nothing", "folders", "another drive", "another with the keeper"]
)
@pytest.mark.parametrize("interrupted", [False, True])
def test_nothing_is_hidden_below_an_empty_mount_point(
    away: tuple[Path, Path],
    quick_path: Path,
    mount: Callable[[Path], None],
    there: str,
    interrupted: bool,
) -> None:
    root, vault = away
    remover = Remover(quick_path / "library")
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    report = apply(remover, plan, backup_dir=str(vault))
    (item,) = report.done
    subprocess.run(["umount", quick_path / "usb"], check=True)
    if there.startswith("another"):
        mount(quick_path / "usb")
    if there != "nothing":
        root.mkdir()
    if there == "another with the keeper":
        write(root / "keep.jpg", b"picture")
    before = sorted((quick_path / "usb").rglob("*"))
    if interrupted:  # in the middle of the removal, or of an undo
        for state in (State.INTENT, State.UNDOING):
            with Journal(quick_path / "library") as journal:
                journal.update_items([replace(item, state=state, destination=item.path)])
            assert "Connect the drive" in remover.recover().lines[0]
            assert remover.items(report.run)[0].state == state
    else:
        assert reasons(remover.undo(report.run)) == {"copy.jpg": "drive"}
    assert sorted((quick_path / "usb").rglob("*")) == before
    assert Path(item.stored).read_bytes() == b"picture"


def test_what_lies_on_a_drive_inside_the_root_is_known_too(
    root: Path, quick_path: Path, mount: Callable[[Path], None]
) -> None:
    mount(root / "card")
    write(root / "card/copy.jpg", b"picture")
    remover = Remover(quick_path / "library")
    report = apply(remover, plan_for([evidence(root / "card/copy.jpg", root / "keep.jpg")], root))
    assert report.done
    subprocess.run(["umount", root / "card"], check=True)
    assert reasons(remover.undo(report.run)) == {"copy.jpg": "drive"}
    assert list((root / "card").iterdir()) == []


def test_a_backup_on_a_drive_that_is_away_is_not_counted_as_purged(
    root: Path, quick_path: Path, mount: Callable[[Path], None]
) -> None:
    mount(quick_path / "vault")
    remover = Remover(quick_path / "library")
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    report = apply(remover, plan, backup_dir=str(quick_path / "vault"))
    subprocess.run(["umount", "-l", quick_path / "vault"], check=True)
    assert remover.purge(report.run).purged == 0
    assert remover.items(report.run)[0].state == State.MOVED


def test_a_backup_stands_in_the_root_where_that_is_a_volume(
    away: tuple[Path, Path], quick_path: Path
) -> None:
    root = away[0].parent
    plan = plan_for([evidence(root / "photos/copy.jpg", root / "photos/keep.jpg")], root)
    assert apply(Remover(quick_path / "library"), plan).done
    assert (root / FOLDER_NAME).is_dir() and not (quick_path / FOLDER_NAME).exists()
