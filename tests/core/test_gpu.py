"""The way of pictures to a GPU and back, with the network on the CPU where there is no GPU."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from image_duplicate_finder import Library, ScanSettings
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.executors.processes import ProcessExecutor
from image_duplicate_finder.fingerprint.embedding import Embedder, from_bytes
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.model import Failure, Fingerprinted
from image_duplicate_finder.scan.intake import BatchedEmbeddings
from image_duplicate_finder.settings import Mode
from tests.conftest import Painter


def vector(result: object, specs: Specs) -> np.ndarray:
    assert isinstance(result, Fingerprinted)
    (data,) = (f.data for f in result.fingerprints if f.name == specs.embedding()[0])
    return from_bytes(data)


def test_batched_vectors_equal_those_of_the_workers(tmp_path: Path, painted: Painter) -> None:
    tasks = []
    for number in range(9):
        path = tmp_path / f"{number}.jpg"
        cv2.imwrite(str(path), painted(number, 300 + 10 * number, 240))
        tasks.append(FileTask(str(path), path.stat().st_size))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    tasks.insert(4, FileTask(str(tmp_path / "broken.jpg"), 15))
    specs = Specs(Mode.STANDARD)
    batched = BatchedEmbeddings(Embedder(), specs)
    with ProcessExecutor(specs, jobs=1) as executor:
        alone = list(executor.map(tasks))
    with ProcessExecutor(batched.specs, jobs=1) as executor:
        together = batched.complete(list(executor.map(tasks)))
    assert [result.path for result, _ in together] == [result.path for result, _ in alone]
    assert isinstance(together[4][0], Failure)
    for (one, _), (other, _) in zip(alone, together, strict=True):
        if isinstance(one, Fingerprinted):
            assert vector(other, specs) == pytest.approx(vector(one, specs), abs=1e-3)
            assert isinstance(other, Fingerprinted)
            assert other.fingerprints[:-1] == one.fingerprints[:-1]


def test_a_scan_that_asks_for_a_gpu_goes_on_without_one(
    tmp_path: Path, painted: Painter, caplog: pytest.LogCaptureFixture
) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine can use CUDA")
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.jpg"), painted(1, 400, 300))
    cv2.imwrite(str(folder / "b.png"), painted(1, 400, 300))
    with Library.open(tmp_path / "library") as library, caplog.at_level(logging.WARNING):
        scan = library.scan([folder], ScanSettings(gpu=True))
        assert len(library.all_groups(scan.id)) == 1
    assert [record.message for record in caplog.records if "CPU" in record.message]
