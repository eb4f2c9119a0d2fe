"""Rule 10: what the system refuses is told, and nothing is lost by it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from image_duplicate_finder.errors import RemovalRefused
from image_duplicate_finder.removal import Remover, look_around
from tests.removal.support import apply, evidence, plan_file, plan_for, tree, write


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_a_folder_that_may_not_be_written_is_told(quick_path: Path) -> None:
    root = quick_path / "photos"
    write(root / "keep.jpg", b"picture")
    write(root / "locked/copy.jpg", b"picture")
    for path in (quick_path, root, root / "locked"):
        os.chmod(path, 0o777)
    os.chmod(root / "locked", 0o555)
    plan = plan_for([evidence(root / "locked/copy.jpg", root / "keep.jpg")], root)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            report = apply(Remover(quick_path / "library"), plan)
            status = 0 if "Permission denied" in report.skipped[0].message else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert (root / "locked/copy.jpg").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small volume")
def test_a_full_disk_loses_nothing(quick_path: Path) -> None:
    library = quick_path / "library"
    library.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(library)]
    if subprocess.run(options, check=False).returncode:
        pytest.skip("this machine allows no mounts")
    try:
        root = quick_path / "photos"
        write(root / "keep.jpg", b"picture")
        for number in range(200):
            write(root / f"c{number}.jpg", b"picture")
        removals = [evidence(root / f"c{n}.jpg", root / "keep.jpg") for n in range(200)]
        plan, before = plan_for(removals, root), tree(root)
        remover = Remover(library)
        remover.recover()
        with open(library / "ballast", "wb") as ballast:
            ballast.write(b"\0" * 850_000)
        with pytest.raises(RemovalRefused, match="Nothing is lost"):
            apply(remover, plan)
        (library / "ballast").unlink()
        remover.recover()
        for run in remover.history():
            remover.undo(run.id)
        after = tree(root)
        assert after.keys() == before.keys()
        assert remover.verify().problems == ()
    finally:
        subprocess.run(["umount", library], check=True)


def test_paths_that_would_become_too_long_have_a_place(root: Path, remover: Remover) -> None:
    folder = str(root)
    while len(folder) < 3850:
        folder += "/" + "d" * 200
    long = write(folder + "/" + "n" * (4090 - len(folder) - 4) + ".jpg", b"picture")
    report = apply(remover, plan_for([evidence(long, root / "keep.jpg")], root))
    assert len(report.done) == 1 and not os.path.lexists(long), report.skipped
    assert "long-paths" in report.done[0].stored
    assert len(remover.undo(report.run).done) == 1 and os.path.exists(long)


def test_look_around_passes_over_folders_that_cannot_be_read(root: Path) -> None:
    removal = evidence(root / "copy.jpg", root / "keep.jpg")
    gone = replace(removal.file, path=str(root / "gone/copy.jpg"))
    around = look_around([replace(removal, file=gone)])
    assert around.folders[str(root / "gone")] == ()
    assert plan_file(root / "keep.jpg").content == removal.keeper.content
