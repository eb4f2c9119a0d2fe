"""Object storage: a real S3 server, reached over HTTP by this process and by its workers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from image_duplicate_finder import Library, Mode, ScanSettings, find_duplicates
from image_duplicate_finder.discover import clean_roots, discover
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import read, stat
from tests.conftest import Painter
from tests.sources.holders import jpeg, write_tar

QUICK = ScanSettings(mode=Mode.QUICK)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=_free_port())
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(
    endpoint: str, tmp_path: Path, painted: Painter, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The bucket ``pictures``: a photo, a small and a mirrored copy, another, and a shard."""
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    storage = fsspec.filesystem("s3", skip_instance_cache=True)
    photo = painted(1)
    storage.mkdir("pictures")
    for name, data in {
        "set/a.jpg": jpeg(photo),
        "set/deep/sent.jpg": jpeg(photo, 60),
        "set/other.jpg": jpeg(painted(2)),
        "set/notes.txt": b"no picture",
        "elsewhere/b.jpg": jpeg(painted(3)),
    }.items():
        storage.pipe_file(f"pictures/{name}", data)
    shard = write_tar(tmp_path / "x.tar", {"1.jpg": jpeg(photo[:, ::-1].copy()), "1.cls": b"1"})
    storage.put_file(str(shard), "pictures/shards/000.tar")
    yield storage
    storage.rm("pictures", recursive=True)


def test_a_scan_of_a_bucket(bucket: Any, library_dir: Path) -> None:
    roots = ["s3://pictures/set/", "s3://pictures/shards/000.tar"]
    found = find_duplicates(roots, QUICK, library=library_dir)
    assert found.failures == ()
    assert found.scan.files == 4
    (group,) = found.duplicates
    assert group.keeper.path == "s3://pictures/set/a.jpg"
    assert {member.file.path: member.relation.value for member in group.members} == {
        "s3://pictures/set/deep/sent.jpg": "reencoded",
        "s3://pictures/shards/000.tar!/1.jpg": "rotated",
    }
    assert not any(member.selected or member.file.removable for member in group.members)
    with Library.open(library_dir) as library:
        assert library.plan(found.scan.id).items == ()


def test_unchanged_objects_are_not_read_again(
    bucket: Any, library_dir: Path, painted: Painter
) -> None:
    root = "s3://pictures/set"
    assert find_duplicates(root, QUICK, library=library_dir).scan.decoded == 3
    assert find_duplicates(root, QUICK, library=library_dir).scan.decoded == 0
    bucket.pipe_file("pictures/set/other.jpg", jpeg(painted(9)))
    assert find_duplicates(root, QUICK, library=library_dir).scan.decoded == 1


def test_wildcards_and_no_recursion(bucket: Any) -> None:
    def names(root: str, **options: bool) -> list[str]:
        return [file.path for file in discover(clean_roots([root]), **options).files]

    assert names("s3://pictures/set/*.jpg") == [
        "s3://pictures/set/a.jpg",
        "s3://pictures/set/other.jpg",
    ]
    assert names("s3://pictures/set", recursive=False) == names("s3://pictures/set/*.jpg")
    assert names("s3://pictures/shards/*.tar") == ["s3://pictures/shards/000.tar!/1.jpg"]
    assert names("s3://pictures/set/a.jpg") == ["s3://pictures/set/a.jpg"]


def test_a_manifest_of_objects(bucket: Any, tmp_path: Path, library_dir: Path) -> None:
    names = ["set/a.jpg", "set/gone.jpg", "set/deep/sent.jpg", "shards/000.tar!/1.jpg"]
    manifest = tmp_path / "list.csv"
    manifest.write_text("url\n" + "".join(f"s3://pictures/{name}\n" for name in names))
    found = find_duplicates(manifest, QUICK, library=library_dir)
    assert [failure.path for failure in found.failures] == ["s3://pictures/set/gone.jpg"]
    (group,) = found.duplicates
    assert {group.keeper.path, *(member.file.path for member in group.members)} == {
        f"s3://pictures/{name}" for name in names if "gone" not in name
    }


def test_a_listing_is_never_an_old_one(bucket: Any, painted: Painter) -> None:
    def listed() -> int:
        return len(discover(clean_roots(["s3://pictures/set/*.jpg"])).files)

    assert listed() == 2
    bucket.pipe_file("pictures/set/new.jpg", jpeg(painted(8)))
    assert listed() == 3


def test_other_bytes_of_one_size_in_one_second_are_a_change(bucket: Any) -> None:
    for attempt in range(20):
        stats = []
        for data in (b"%6d one" % attempt, b"%6d two" % attempt):
            bucket.pipe_file("pictures/x.jpg", data)
            stats.append(stat("s3://pictures/x.jpg"))
        first, second = stats
        if first.mtime_ns == second.mtime_ns:
            assert first.size == second.size
            assert not first.unchanged(second)
            return
    raise AssertionError("Never two writes in one second.")


def test_what_is_not_there_is_said_before_the_scan(bucket: Any) -> None:
    with pytest.raises(UsageError, match="s3://pictures/nothing cannot be read"):
        clean_roots(["s3://pictures/nothing"])
    with pytest.raises(UsageError, match="nowhere://x cannot be read"):
        clean_roots(["nowhere://x"])


def test_an_object_that_vanished_is_an_error_of_the_system(bucket: Any) -> None:
    with pytest.raises(OSError, match=r"gone\.jpg"):
        read("s3://pictures/gone.jpg", DecodeLimits())
