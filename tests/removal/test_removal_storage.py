"""One stored file under two names with two identities: seen by what a change of one does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from image_duplicate_finder.removal import Remover, fs, probe
from image_duplicate_finder.settings import RemovalAction
from tests.removal.support import MEMORY, apply, contents, evidence, plan_for, reasons, write

Mount = Callable[[str, str], Path]


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Mount]:
    """Mounts the folders of a union over each other: ``overlay(lower, upper)`` is the merged one.

    In memory: the temporary folder may itself lie on an overlay, which holds no second one.
    """
    if not hasattr(os, "geteuid") or os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs root to mount")
    base = tmp_path / "volume"
    base.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", base], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    mounted = [base]

    def mount(lower: str, upper: str) -> Path:
        for name in (lower, upper, "work", "merged"):
            (base / name).mkdir(exist_ok=True)
        options = f"lowerdir={base / lower},upperdir={base / upper},workdir={base / 'work'}"
        call = ["mount", "-t", "overlay", "overlay", "-o", options, base / "merged"]
        if subprocess.run(call, capture_output=True).returncode:
            pytest.skip("overlayfs cannot be mounted here")
        mounted.append(base / "merged")
        return base

    try:
        yield mount
    finally:
        for folder in reversed(mounted):
            subprocess.run(["umount", folder], check=False)


@pytest.mark.parametrize("action", ["backup", "trash", "symlink", "across"])
@pytest.mark.parametrize(
    ("file", "keeper"),
    [("upper", "merged"), ("merged", "upper"), ("lower", "merged")],
)
def test_a_file_of_a_union_is_no_copy_of_itself(
    overlay: Mount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    file: str,
    keeper: str,
) -> None:
    base = tmp_path / "volume"
    monkeypatch.setenv("XDG_DATA_HOME", str(base / "data"))
    home = "lower" if "lower" in (file, keeper) else "upper"
    for folder in ("lower", "upper"):
        (base / folder).mkdir()
    write(base / home / "a.jpg", b"a picture")
    write(base / home / "b.jpg", b"another one")
    overlay("lower", "upper")
    for name in ("a.jpg", "b.jpg"):  # as a scan would: all names are known to the kernel
        assert (base / file / name).read_bytes() == (base / keeper / name).read_bytes()
    before = contents(base / home)
    how = RemovalAction.BACKUP if action == "across" else RemovalAction(action)
    removals = [evidence(base / file / name, base / keeper / name) for name in ("a.jpg", "b.jpg")]
    plan = plan_for(removals, [str(base / file), str(base / keeper)], how)
    remover = Remover(tmp_path / "library")
    options = {"backup_dir": str(tmp_path / "elsewhere")} if action == "across" else {}
    (tmp_path / "elsewhere").mkdir()
    report = apply(remover, plan, **options)
    assert report.done == ()
    assert set(reasons(report).values()) == {"same_file"}
    assert contents(base / home) == before
    assert (base / file / "a.jpg").exists() and (base / keeper / "a.jpg").exists()


def test_real_copies_on_the_two_layers_are_copies(overlay: Mount, tmp_path: Path) -> None:
    base = overlay("lower", "upper")
    write(base / "upper" / "a.jpg", b"a picture")
    write(base / "apart" / "a.jpg", b"a picture")
    plan = plan_for(
        [evidence(base / "apart" / "a.jpg", base / "merged" / "a.jpg")],
        [str(base / "apart"), str(base / "merged")],
    )
    assert len(apply(Remover(tmp_path / "library"), plan).done) == 1


def test_a_purge_sees_that_its_keeper_is_the_stored_file(overlay: Mount, tmp_path: Path) -> None:
    """A union is mounted over the keeper's folder after the removal, and shows the backup."""
    base = tmp_path / "volume"
    root = base / "photos"
    write(root / "a.jpg", b"a picture")
    write(base / "merged" / "a.jpg", b"a picture")
    plan = plan_for([evidence(root / "a.jpg", base / "merged" / "a.jpg")], root)
    remover = Remover(tmp_path / "library")
    report = apply(remover, plan)
    assert len(report.done) == 1
    stored = Path(report.done[0].stored)
    (base / "merged" / "a.jpg").unlink()
    overlay("lower", str(stored.parent.relative_to(base)))
    assert (base / "merged" / "a.jpg").read_bytes() == b"a picture"
    purged = remover.purge(report.run)
    assert purged.purged == 0
    assert stored.read_bytes() == b"a picture"


def test_files_of_two_volumes_are_told_apart(tmp_path: Path) -> None:
    one = write(tmp_path / "a.jpg", b"a picture")
    other = write(tmp_path / "b.jpg", b"a picture")
    before = os.lstat(other).st_ctime_ns
    assert probe.touched_together(one, other) is False
    assert os.lstat(other).st_ctime_ns == before
    os.link(one, tmp_path / "c.jpg")
    assert probe.touched_together(one, str(tmp_path / "c.jpg")) is True


def test_a_touch_never_follows_a_link(tmp_path: Path) -> None:
    target = write(tmp_path / "private.jpg", b"a picture")
    os.chmod(target, 0o600)
    os.symlink(target, tmp_path / "link.jpg")
    with pytest.raises(OSError):
        fs.touch(str(tmp_path / "link.jpg"))
    assert os.lstat(target).st_mode & 0o777 == 0o600


@pytest.mark.skipif(not MEMORY.is_dir(), reason="needs a second volume")
def test_without_the_right_to_touch_a_change_at_the_move_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the experiment is not allowed, the keeper must not change while its copy leaves."""
    file, keeper = (write(tmp_path / "in" / n, b"a picture") for n in ("a.jpg", "b.jpg"))
    plan = plan_for([evidence(file, keeper)], tmp_path / "in")
    monkeypatch.setattr(fs, "touch", lambda _path: False)
    real = fs.rename

    def rename(source: str, target: str) -> None:
        real(source, target)
        if source == file:
            os.utime(keeper, ns=(1, os.stat(keeper).st_mtime_ns))

    monkeypatch.setattr(fs, "rename", rename)
    report = apply(Remover(tmp_path / "library"), plan)
    assert report.done == () and reasons(report) == {"a.jpg": "same_file"}
    assert Path(file).read_bytes() == b"a picture"
