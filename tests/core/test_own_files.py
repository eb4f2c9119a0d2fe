"""The program's own folders: never pictures, private, and emptied of nothing but its own."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from image_duplicate_finder import Library, Mode, ScanSettings
from image_duplicate_finder.discover import clean_roots, discover
from image_duplicate_finder.own_files import (
    MARKER_NAME,
    cache_folder,
    is_cache,
    make_cache_folder,
    secure_library,
    temporary_folder,
)
from image_duplicate_finder.settings import BackupMode
from image_duplicate_finder.web import Access, create_app
from image_duplicate_finder.web.pictures import PictureCache
from tests.conftest import Painter

QUICK = ScanSettings(mode=Mode.QUICK, jobs=1)
posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


def save(painted: Painter, path: Path, seed: int, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(painted(seed, width=320, height=240)).save(path, **options)
    return path


def found(*roots: Path, hidden: bool = False) -> set[str]:
    return {file.path for file in discover(clean_roots(roots), hidden=hidden).files}


def look_at_everything(folder: Path) -> None:
    """Open each picture of the first scan in the web app, small and in full."""
    with Library.open(folder) as library:
        access = Access(port=5999)
        client = create_app(library, access).test_client()
        address = "http://127.0.0.1:5999"
        client.get(f"/enter/{access.token}", base_url=address)
        for number in range(1, 10):
            for kind in ("full", "thumbnail/640"):
                client.get(f"/scans/1/images/{number}/{kind}", base_url=address)


def unmark(folder: Path) -> None:
    """As an earlier version left it."""
    for marker in folder.rglob(MARKER_NAME):
        marker.unlink()


def cached(folder: Path) -> list[Path]:
    return [
        path
        for name in ("views", "thumbnails")
        for path in (folder / name).rglob("*")
        if path.is_file() and path.name != MARKER_NAME
    ]


@pytest.fixture(params=["marked", "unmarked"])
def home(request: pytest.FixtureRequest, tmp_path: Path, painted: Painter) -> Path:
    """A home folder with pictures and a library that has shown them; marked caches or old ones."""
    home = tmp_path / "home"
    for seed in range(3):
        save(painted, home / "Pictures" / f"{seed}.jpg", seed, quality=95)
    with Library.open(home / "AppData") as library:
        library.scan([home / "Pictures"], QUICK)
    look_at_everything(home / "AppData")
    assert len(cached(home / "AppData")) == 6
    if request.param == "unmarked":
        unmark(home / "AppData")
    return home


def test_what_the_program_shows_is_no_picture(home: Path, tmp_path: Path) -> None:
    """Not in its place, in a copy, in a copy of a part, through links or in an archive."""
    pictures = {str(home / "Pictures" / f"{seed}.jpg") for seed in range(3)}
    assert found(home) == pictures
    shutil.copytree(home / "AppData", home / "Pictures" / "2024")
    shutil.copytree(home / "AppData" / "views", home / "Pictures" / "photos of mine")
    shard = cached(home / "AppData")[0].parent
    shutil.copytree(shard, home / "Pictures" / shard.name)
    (home / "Pictures" / "link").symlink_to(home / "AppData")
    assert found(home) == pictures
    assert found(home, home / "Pictures" / "link", home / "AppData" / "views") == pictures
    assert found(cached(home / "AppData")[0].parent) == set()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in home.rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(home))
    assert {name.rpartition("!/")[2] for name in found(tmp_path / "all.zip")} == {
        f"Pictures/{seed}.jpg" for seed in range(3)
    }


def test_a_folder_of_the_program_that_is_named_says_why_it_is_passed_over(home: Path) -> None:
    with Library.open(home / "AppData"):
        pass  # old caches are marked when their library is opened
    for root in (home / "AppData" / "views", cached(home / "AppData")[0]):
        discovery = discover(clean_roots([root]))
        assert discovery.files == ()
        assert "belongs to the program" in discovery.failures[0].message
    listed = home / "list.csv"
    listed.write_text(f"path\n{cached(home / 'AppData')[0]}\n{home / 'Pictures' / '0.jpg'}\n")
    assert found(listed) == {str(home / "Pictures" / "0.jpg")}


def test_an_original_never_goes_for_what_the_page_shows(home: Path) -> None:
    """Also where an earlier version had already grouped the two."""
    originals = {path.read_bytes() for path in (home / "Pictures").iterdir()}
    shown = [path for path in cached(home / "AppData") if path.parent.parent.name == "views"]
    disguised = home / "as an earlier version saw them"
    for path in shown:
        target = disguised / path.parent.name / f"{path.name}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    with Library.open(home / "AppData") as library:
        settings = ScanSettings(mode=Mode.QUICK, jobs=1, protected=(str(disguised),))
        scan = library.scan([home / "Pictures", disguised], settings)
        plan = library.plan(scan.id)
        assert {Path(item.evidence.keeper.path).parent.parent for item in plan.items} == {disguised}
        make_cache_folder(home / "ours")
        for part in disguised.iterdir():
            shutil.copy2(home / "ours" / MARKER_NAME, part / MARKER_NAME)
        report = library.apply(plan, mode=BackupMode.REMOVED)
        assert report.done == ()
        assert all("this program made it" in each.message for each in report.skipped)
    assert originals == {path.read_bytes() for path in (home / "Pictures").glob("*.jpg")}


def test_pictures_of_a_person_in_folders_with_our_names_are_like_any_other(
    tmp_path: Path, painted: Painter
) -> None:
    library = tmp_path / "library"
    mine = [
        save(painted, library / "views" / "24" / "holiday.png", 1),
        save(painted, library / "thumbnails" / "small.png", 2),
        save(painted, library / "in the library itself.png", 3),
        save(painted, tmp_path / "views" / "ab" / "cdef.png", 4),
        save(painted, tmp_path / "odd" / "marker of somebody.png", 5),
    ]
    (tmp_path / "odd" / MARKER_NAME).write_text("not our signature")
    before = {path: path.read_bytes() for path in mine}
    with Library.open(library) as opened:
        opened.scan([tmp_path], QUICK)
    look_at_everything(library)
    assert {path: path.read_bytes() for path in mine} == before
    assert found(tmp_path) == set(map(str, mine))
    assert is_cache(library / "views-2") and is_cache(library / "thumbnails-2")
    assert not is_cache(library / "views")
    with Library.open(library) as opened:
        again = opened.scan([tmp_path], QUICK)
        assert again.files == 5


KEYS = [f"{number:02x}{'0' * 62}_640_1.jpg" for number in range(9)]


def fill(cache: PictureCache, size: int = 100) -> None:
    for key in KEYS:
        cache.get(key, lambda: b"x" * size)


def strangers(folder: Path) -> list[Path]:
    """Files of a person within a cache, older than all else."""
    outside = folder.parent / "elsewhere"
    outside.mkdir()
    (outside / KEYS[0]).write_bytes(b"m" * 500)
    paths = [
        folder / KEYS[0][:2] / "holiday.tif",
        folder / KEYS[0][:2] / f"{KEYS[0]}.tif"[2:],
        folder / KEYS[1][:2] / KEYS[0],
        folder / "holiday.jpg",
        folder / "2024" / "summer.jpg",
        folder / KEYS[0][:2] / "deep" / KEYS[0],
    ]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"m" * 500)
        os.utime(path, (1, 1))
    (folder / "zz").symlink_to(outside)
    (folder / KEYS[0][:2] / f"{KEYS[0][:2]}{'1' * 62}_full_1").symlink_to(outside / KEYS[0])
    return [*paths, outside / KEYS[0]]


def test_a_cache_deletes_nothing_but_what_it_made(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    cache = PictureCache(folder, max_bytes=100_000)
    fill(cache)
    kept = strangers(folder)
    small = PictureCache(folder, max_bytes=300)
    small.get(f"ff{'0' * 62}_640_1.jpg", lambda: b"x" * 100)
    assert all(path.exists() for path in kept)
    assert sum(cache.find(key) is not None for key in KEYS) <= 2


def test_a_folder_that_lost_its_marker_or_never_had_one_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    fill(PictureCache(folder, max_bytes=100_000))
    (folder / MARKER_NAME).unlink()
    small = PictureCache(folder, max_bytes=300)
    assert small.get(f"ff{'0' * 62}_640_1.jpg", lambda: b"made") == b"made"
    assert all((folder / key[:2] / key).exists() for key in KEYS)
    assert not (folder / "ff").exists(), "what is not ours gets nothing new either"


def test_only_caches_that_evidently_are_ours_are_marked(tmp_path: Path) -> None:
    def old(name: str, *more: str) -> Path:
        library = tmp_path / name
        for key in [*KEYS, *(f"{'a' * 64}_full_1", f"{'b' * 24}_{'c' * 24}_{'d' * 12}_aligned_2")]:
            path = library / "views" / key[:2] / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        for each in more:
            path = library / "views" / each
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"m")
        secure_library(library)
        return library

    ours = old("ours")
    assert is_cache(ours / "views") and is_cache(ours / "views" / "aa")
    assert cache_folder(ours, "views") == ours / "views"
    for name, stranger in (
        ("a", "holiday.jpg"),
        ("b", "24/holiday.tif"),
        ("c", f"24/{KEYS[0]}"),
        ("d", f"aa/{'a' * 64}_full_1.tif"),
        ("e", f"aa/more/{'a' * 64}_full_1"),
    ):
        library = old(name, stranger)
        assert not is_cache(library / "views"), stranger
        assert cache_folder(library, "views") == library / "views-2"
    empty = tmp_path / "empty" / "views"
    empty.mkdir(parents=True)
    secure_library(tmp_path / "empty")
    assert not is_cache(empty)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "views").symlink_to(tmp_path / "a" / "views")
    secure_library(linked)
    assert cache_folder(linked, "views") == linked / "views-2"


def test_pictures_in_memory_are_met_by_no_other_scan(tmp_path: Path, painted: Painter) -> None:
    with temporary_folder("pictures") as folder:
        inside = save(painted, Path(folder) / "0.png", 1)
        assert found(Path(folder)) == set()
        assert found(Path(folder).parent) & {str(inside)} == set()
        assert found(inside) == {str(inside.resolve())}
    shutil.copy(save(painted, tmp_path / ".idf-moving-12.png", 1), tmp_path / ".idf-moving-13")
    assert found(tmp_path, hidden=True) == set()


@pytest.fixture(params=[0o022, 0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def open_to_others(top: Path) -> list[str]:
    """Paths that others can reach: not those below a folder that they cannot enter."""
    found = []
    for folder, names, files in os.walk(top):
        for name in [*names, *files]:
            path = Path(folder, name)
            if path.lstat().st_mode & 0o077 and not path.is_symlink():
                found.append(str(path))
        names[:] = [name for name in names if Path(folder, name).lstat().st_mode & 0o077]
    return found


@posix
@pytest.mark.usefixtures("umask")
def test_everything_of_a_library_is_private_from_its_creation(
    tmp_path: Path, painted: Painter
) -> None:
    folder = tmp_path / "data" / "image-duplicate-finder" / "library"
    for name in ("a.png", "a copy.png"):
        save(painted, tmp_path / "photos" / name, 1)
    with Library.open(folder) as library:
        scan = library.scan([tmp_path / "photos"], QUICK)
        names = {path.name for path in folder.iterdir()}
        assert {"library.sqlite", "library.sqlite-wal", "library.sqlite-shm"} <= names
        report = library.apply(library.plan(scan.id), mode=BackupMode.REMOVED)
        assert len(report.done) == 1, report
        assert open_to_others(tmp_path / "data") == []
        with library._lock.acquire("a test"):
            assert open_to_others(folder) == []
            assert all(path.lstat().st_mode & 0o077 == 0 for path in [folder, *folder.rglob("*")])
    look_at_everything(folder)
    assert all(path.lstat().st_mode & 0o077 == 0 for path in [folder, *folder.rglob("*")])
    (backup,) = tmp_path.rglob("manifest.jsonl")
    assert backup.parent.stat().st_mode & 0o077 == 0
    assert backup.parent.parent.stat().st_mode & 0o022 == 0


@posix
def test_an_open_library_is_closed_to_others_and_nothing_else_is(
    tmp_path: Path, painted: Painter
) -> None:
    save(painted, tmp_path / "photos" / "a.png", 1)

    def library(folder: Path) -> Path:
        with Library.open(folder) as opened:
            opened.scan([tmp_path / "photos"], QUICK)
        look_at_everything(folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        return folder

    own, shared = library(tmp_path / "own"), library(tmp_path / "Pictures")
    mine = save(painted, shared / "mine.png", 2)
    mine.chmod(0o644)
    for folder in (own, shared):
        Library.open(folder).close()
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert open_to_others(own) == []
    assert stat.S_IMODE(shared.stat().st_mode) == 0o777, "others are to see what lies in it"
    assert open_to_others(shared) == [str(mine)]


@posix
def test_workers_write_nothing_that_others_can_read(tmp_path: Path) -> None:
    code = (
        "import os\nfrom image_duplicate_finder.executors import child\n"
        "os.umask(0)\n"
        "child.run(lambda requests, answers: open(requests.read().decode(), 'w').close())\n"
    )
    path = tmp_path / "made by a worker"
    subprocess.run([sys.executable, "-c", code], input=str(path).encode(), check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
