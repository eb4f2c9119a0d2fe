"""A scan on a Ray cluster gives what a scan on this machine gives, pair for pair."""

from __future__ import annotations

import math
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image

from benchmarks.engines import Outcome, outcome
from image_duplicate_finder import CancelToken, Engine, Failure, Library, Mode, ScanSettings
from image_duplicate_finder.documents import scan_document
from image_duplicate_finder.errors import IdfError, Interrupted, UsageError
from image_duplicate_finder.progress import Step
from image_duplicate_finder.results import ScanState
from tests.conftest import Painter

WORKERS = 3
RAY = ScanSettings(engine=Engine.RAY)

# Ray names the processes after the tasks that they are busy with.
READ = ("ray::_read_part",)
MATCH_WORDS = ("ray::_divide", "ray::_build", "ray::_look_up", "ray::_score")
VERIFY = ("ray::_verify_pairs",)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, painted: Painter) -> Path:
    """Families of copies of many kinds, photos without a copy, and files that are no pictures."""
    folder = tmp_path_factory.mktemp("photos")

    def save(picture: np.ndarray[Any, Any], name: str, **options: Any) -> None:
        Image.fromarray(picture).save(folder / name, **options)

    for seed in range(10):
        photo = painted(700 + seed)
        save(photo, f"{seed}.png")
        save(photo, f"{seed} sent.jpg", quality=70)
        save(np.ascontiguousarray(photo[50:330, 80:420, :][:, ::-1]), f"{seed} crop.jpg")
        back = painted(800 + seed)
        back[80:278, 150:414] = cv2.resize(photo, (264, 198), interpolation=cv2.INTER_AREA)
        save(back, f"{seed} pasted.jpg", quality=90)
    (folder / "0 copy.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    (folder / "empty.png").write_bytes(b"")
    return folder


def found(library: Path, photos: Path, settings: ScanSettings) -> tuple[Outcome, list[Failure]]:
    """What a scan gave, in words that do not depend on the library's numbers."""
    with Library.open(library) as opened:
        scan = opened.scan([photos], settings)
        failures = opened.failures(scan.id)
        document = scan_document(scan, opened.all_groups(scan.id), failures)
    return outcome(library, document), failures


@dataclass(frozen=True)
class Cluster:
    """Where a running cluster answers, and the process that all its others come from."""

    address: str
    head: psutil.Process


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster that runs already, with a token that it asks for.

    Ray reads the token once in a process, so all tests use this one cluster.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield from _running_cluster()


def _running_cluster() -> Iterator[Cluster]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--num-cpus={WORKERS}", f"--port={port}", "--include-dashboard=false"]
    head = subprocess.Popen(
        [Path(sys.executable).with_name("ray"), "start", "--head", "--block", *options],
        env={
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert head.stdout
        told = ""
        while "Ray runtime started" not in told:
            line = head.stdout.readline()
            assert line, told
            told += line
        yield Cluster(f"127.0.0.1:{port}", psutil.Process(head.pid))
    finally:
        # With its head all processes of a cluster end.
        head.terminate()
        head.communicate()


@contextmanager
def killing(cluster: Cluster, *kinds: tuple[str, ...]) -> Iterator[set[tuple[str, ...]]]:
    """SIGKILL, for each kind of tasks, one of the cluster's processes that is busy with one."""
    killed: set[tuple[str, ...]] = set()
    over = threading.Event()

    def hunt() -> None:
        processes: list[psutil.Process] = []
        listed = -math.inf
        while not over.wait(0.005) and len(killed) < len(kinds):
            # A list reads all of the machine's processes, and takes longer than many a task.
            if time.monotonic() > listed + 0.25:
                processes = cluster.head.children(recursive=True)
                listed = time.monotonic()
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    title = " ".join(process.cmdline())
                    for kind in kinds:
                        if kind not in killed and title.startswith(kind):
                            process.kill()
                            killed.add(kind)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        yield killed
    finally:
        over.set()
        hunter.join()


@pytest.mark.slow
def test_a_cluster_that_loses_workers_finds_the_same(
    tmp_path: Path, photos: Path, cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    local, failures = found(tmp_path / "local", photos, ScanSettings(jobs=2))
    assert len(local.groups) >= 8
    assert len(failures) == 2

    parquet = tmp_path / "fingerprints"
    with killing(cluster, READ, MATCH_WORDS, VERIFY) as killed:
        settings = replace(RAY, address=cluster.address, parquet=str(parquet))
        on_ray = found(tmp_path / "ray", photos, settings)
    assert killed == {READ, MATCH_WORDS, VERIFY}
    assert on_ray == (local, failures)
    assert capfd.readouterr().out == "", "results stand on standard output, and nothing else"

    import pyarrow.parquet as pq

    parts = parquet.glob("fingerprints-*.parquet")
    rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    assert sorted(Path(row["path"].decode()) for row in rows) == sorted(photos.iterdir())
    names = {each["name"] for row in rows if row["info"] for each in row["fingerprints"]}
    assert {"perceptual", "proof", "keypoints"} <= names


@pytest.mark.slow
def test_a_stopped_scan_keeps_what_was_read(tmp_path: Path, photos: Path, cluster: Cluster) -> None:
    cancel = CancelToken()
    settings = replace(
        RAY, mode=Mode.QUICK, address=cluster.address, parquet=str(tmp_path / "parquet")
    )
    with Library.open(tmp_path / "library") as library:
        with pytest.raises(Interrupted):
            library.scan(
                [photos],
                settings,
                cancel=cancel,
                progress=lambda step: cancel.cancel() if 0 < step.done < 40 else None,
            )
        stopped = library.latest_scan()
        assert stopped.state is ScanState.STOPPED
        assert stopped.decoded > 0
        again = library.scan([photos], ScanSettings(mode=Mode.QUICK))
        assert again.decoded < again.files - stopped.decoded


@pytest.mark.slow
def test_a_scan_can_be_stopped_while_pairs_are_looked_for(
    tmp_path: Path, photos: Path, cluster: Cluster
) -> None:
    cancel = CancelToken()
    settings = replace(RAY, address=cluster.address, parquet=str(tmp_path / "parquet"))

    def stop(step: Step) -> None:
        if step.stage == "candidates" and step.done:
            cancel.cancel()

    with Library.open(tmp_path / "library") as library:
        with pytest.raises(Interrupted):
            library.scan([photos], settings, cancel=cancel, progress=stop)
        assert library.scan([photos], settings).decoded == 0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="all its machines"):
        ScanSettings(engine=Engine.RAY, address="10.0.0.1:6379")
    with pytest.raises(UsageError, match="engine 'ray' only"):
        ScanSettings(parquet="somewhere")


def test_a_cluster_that_does_not_answer_says_so(tmp_path: Path, photos: Path) -> None:
    settings = replace(RAY, address="127.0.0.1:1", parquet=str(tmp_path / "parquet"))
    with Library.open(tmp_path / "library") as library, pytest.raises(IdfError, match="answers"):
        library.scan([photos], settings)
