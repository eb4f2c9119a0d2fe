"""Parts of a cluster's scan come back as they were written, from a folder and from S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from image_duplicate_finder.errors import FailureStage, IdfError
from image_duplicate_finder.executors.messages import Answer, Recognised
from image_duplicate_finder.executors.on_ray.fingerprints import PartFolder
from image_duplicate_finder.messages import FailureReason, plain
from image_duplicate_finder.model import (
    Failure,
    FileStat,
    Fingerprint,
    Fingerprinted,
    ImageInfo,
    Metadata,
)

STAT = FileStat(size=1, mtime_ns=-2, ctime_ns=3, device=4, inode=2**63 + 5, links=2)
INFO = ImageInfo("JPEG", 3, 4, metadata=Metadata(camera="Ä", keywords=("k", "ü")))
ANSWERS: list[Answer] = [
    (Fingerprinted("/a b.jpg", STAT, b"c" * 32, INFO, (Fingerprint("proof", 1, b"\0\xff"),)), STAT),
    (Recognised("/b.jpg", STAT, b"d" * 32), STAT),
    (Failure("/not utf-8 \udcff.jpg", FailureStage.HEADER, plain("It is no picture.")), STAT),
    (Failure("/gone.jpg", FailureStage.READ, FailureReason.VANISHED()), None),
]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder in a bucket that does not exist yet."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"endpoint_override={host}:{port}&scheme=http&allow_bucket_creation=true"
    yield f"s3://bucket/fingerprints?{endpoint}"
    server.stop()


def _round_trip(folder: PartFolder) -> list[Answer]:
    name = folder.new_name("fingerprints")
    folder.write(name, ANSWERS)
    return list(folder.read(name))


def test_a_folder_gives_back_what_was_written(tmp_path: Path) -> None:
    folder = PartFolder.open(str(tmp_path / "new" / "folder"))
    assert _round_trip(folder) == ANSWERS
    assert _round_trip(folder) == ANSWERS
    folder.close()
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 2


def test_object_storage_gives_back_what_was_written(bucket: str) -> None:
    assert _round_trip(PartFolder.open(bucket)) == ANSWERS


def test_a_temporary_folder_goes_again() -> None:
    folder = PartFolder.open(None)
    assert _round_trip(folder) == ANSWERS
    folder.close()
    assert not Path(folder.url).exists()


def test_what_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IdfError, match="Parquet"):
        PartFolder.open(str(tmp_path / "file" / "folder"))
