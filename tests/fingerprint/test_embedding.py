"""The embedding: pinned outputs of the shipped model, what it tells apart, other models."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.fingerprint.appearance import squeezed
from image_duplicate_finder.fingerprint.embedding import (
    Embedder,
    from_bytes,
    to_bytes,
)
from image_duplicate_finder.fingerprint.specs import calibration
from image_duplicate_finder.model import UNCALIBRATED, Calibration
from image_duplicate_finder.search.vectors import calibrated

Painter = Callable[..., Any]
MODELS = Path(str(files("image_duplicate_finder.fingerprint") / "models"))

PINNED_KEY = "24420ed8c3f5cd26"
PINNED_DIM = 192
PINNED_START = [0.0298, 0.0887, -0.058, -0.0483, 0.1485, 0.1585, 0.1475, 0.0008]
PINNED_MOMENT = 110.508


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """A copy of the shipped model under another name, to be changed."""
    shutil.copy(MODELS / "lite0.onnx", tmp_path / "mine.onnx")
    shutil.copy(MODELS / "lite0.json", tmp_path / "mine.json")
    return tmp_path / "mine.onnx"


def change_card(model: Path, **changes: object) -> None:
    card = json.loads(model.with_suffix(".json").read_text())
    card.update(changes)
    model.with_suffix(".json").write_text(json.dumps(card))


def test_vectors_have_length_one_and_the_stated_shape(embedder: Embedder, painted: Painter) -> None:
    vectors = embedder.embed([painted(1), painted(2, 100, 300), painted(3, 33, 20)])
    assert vectors.shape == (3, embedder.dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_pictures_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_the_batch_does_not_change_the_vectors(embedder: Embedder, painted: Painter) -> None:
    pictures = [painted(seed) for seed in range(20)]
    together = embedder.embed(pictures)
    alone = np.concatenate([embedder.embed([picture]) for picture in pictures])
    assert together == pytest.approx(alone, abs=1e-4)


def test_flat_and_tiny_pictures_have_finite_vectors(embedder: Embedder) -> None:
    pictures = [np.full((50, 60, 3), v, np.uint8) for v in (0, 128, 255)]
    pictures.append(np.zeros((1, 1, 3), np.uint8))
    pictures.append(np.zeros((1, 5000, 3), np.uint8))
    assert np.isfinite(embedder.embed(pictures)).all()


def test_a_view_that_is_not_contiguous_is_taken(embedder: Embedder, painted: Painter) -> None:
    picture = painted(4)
    turned = picture[::-1, ::-1]
    assert embedder.embed([turned]) == pytest.approx(
        embedder.embed([np.ascontiguousarray(turned)]), abs=1e-6
    )


def test_copies_are_similar_by_the_default_thresholds_and_nearer_than_others(
    embedder: Embedder, painted: Painter
) -> None:
    picture = painted(7)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])
    copies = [
        cv2.imdecode(data, cv2.IMREAD_COLOR),
        cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        cv2.convertScaleAbs(picture, alpha=0.9, beta=15),
    ]
    others = [painted(seed) for seed in range(100, 110)]
    vectors = embedder.embed([picture, *copies, *others])
    cosines = calibrated(vectors[1:] @ vectors[0], embedder.card.calibration)
    assert cosines[: len(copies)].min() > 0.875
    assert cosines[len(copies) :].max() < cosines[: len(copies)].min()


def test_unrelated_photos_are_not_similar_by_the_default_thresholds(
    embedder: Embedder, shared_data: Path
) -> None:
    paths = sorted((shared_data / "photos" / "osie").glob("*.jpg"))[::7]
    pictures = [cv2.imread(str(path))[..., ::-1] for path in paths]
    vectors = embedder.embed(pictures)
    raw = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    cosines = calibrated(raw, embedder.card.calibration)
    assert len(vectors) == 100
    assert cosines.max() < 0.875
    assert (cosines > 0.5).mean() < 0.001


def test_half_precision_loses_next_to_nothing(embedder: Embedder, painted: Painter) -> None:
    vectors = embedder.embed([painted(seed) for seed in range(10)])
    stored = [to_bytes(vector) for vector in vectors]
    assert {len(data) for data in stored} == {2 * embedder.dim}
    assert len(stored[0]) <= 512
    back = np.stack([from_bytes(data) for data in stored])
    assert back.dtype == np.float32
    assert back @ back.T == pytest.approx(vectors @ vectors.T, abs=5e-4)


def test_the_key_follows_the_model_and_its_card(embedder: Embedder, other_model: Path) -> None:
    same = Embedder(other_model)
    assert same.key == embedder.key == Embedder().key
    change_card(other_model, colour="BGR")
    assert Embedder(other_model).key != embedder.key


def test_layout_and_colour_order_are_followed(
    embedder: Embedder, other_model: Path, painted: Painter
) -> None:
    picture = painted(11)
    change_card(other_model, colour="BGR")
    swapped = np.ascontiguousarray(picture[..., ::-1])
    assert Embedder(other_model).embed([swapped]) == pytest.approx(embedder.embed([picture]))


def test_without_a_cuda_device_the_cpu_works_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture, painted: Painter, embedder: Embedder
) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine can use CUDA")
    with caplog.at_level(logging.WARNING):
        fallback = Embedder(gpu=True)
    assert not fallback.on_gpu
    assert len(caplog.records) == 1
    assert "CPU" in caplog.text
    assert fallback.embed([painted(1)]) == pytest.approx(embedder.embed([painted(1)]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0}, "width"),
        ({"width": "128"}, "width"),
        ({"height": True}, "height"),
        ({"layout": "CHW"}, "layout"),
        ({"layout": "NHWC"}, "cannot take pictures"),
        ({"width": 96}, "cannot take pictures"),
        ({"colour": "GREY"}, "colour"),
        ({"mean": [1, 2]}, "mean"),
        ({"mean": [1, 2, True]}, "mean"),
        ({"scale": 1}, "scale"),
        ({"scale": [float("nan"), 1, 1]}, "scale"),
        ({"output": "nothing"}, "no output 'nothing'"),
        ({"sise": 3}, "unknown entries: sise"),
        ({"calibration": 2}, "calibration"),
        ({"calibration": {"scale": 2}}, "calibration"),
        ({"calibration": {"scale": 0, "power": 2}}, "scale and power"),
        ({"calibration": {"scale": 1, "power": "2"}}, "scale and power"),
    ],
)
def test_a_wrong_card_is_refused_with_the_reason(
    other_model: Path, changes: dict[str, object], words: str
) -> None:
    change_card(other_model, **changes)
    with pytest.raises(UsageError, match=words) as error:
        Embedder(other_model)
    assert "mine" in str(error.value)


def test_an_incomplete_or_broken_card_is_refused(other_model: Path) -> None:
    card = other_model.with_suffix(".json")
    card.write_text('{"width": 128}')
    with pytest.raises(UsageError, match="lacks colour, height, layout, mean, output, scale"):
        Embedder(other_model)
    card.write_text("{")
    with pytest.raises(UsageError, match="not valid JSON"):
        Embedder(other_model)
    card.write_text("[]")
    with pytest.raises(UsageError, match="one JSON object"):
        Embedder(other_model)
    card.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        Embedder(other_model)


def test_a_file_that_is_no_model_is_refused(other_model: Path) -> None:
    other_model.write_bytes(b"no model")
    with pytest.raises(UsageError, match="not an ONNX model"):
        Embedder(other_model)
    other_model.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        Embedder(other_model)


def gradients() -> np.ndarray:
    """A picture that every version of numpy paints alike: waves on a slope."""
    y, x = np.mgrid[:128, :128]
    red = 2 * x
    green = 127 + 120 * np.sin(x / 9.0) * np.cos(y / 13.0)
    blue = 255 - 2 * y + 30 * ((x // 16 + y // 16) % 2)
    return np.stack([red, green, blue], axis=2).clip(0, 255).astype(np.uint8)


def test_the_shipped_model_gives_the_pinned_vector(embedder: Embedder) -> None:
    (vector,) = embedder.embed([gradients()])
    assert embedder.key == PINNED_KEY
    assert embedder.dim == PINNED_DIM
    assert vector[:8] == pytest.approx(PINNED_START, abs=2e-3)
    assert float(vector @ np.arange(embedder.dim)) == pytest.approx(PINNED_MOMENT, abs=0.2)


def test_a_model_without_calibration_is_taken_as_it_is(other_model: Path) -> None:
    assert calibration() == Embedder().card.calibration
    assert calibration(other_model) == calibration()
    card = json.loads(other_model.with_suffix(".json").read_text())
    del card["calibration"]
    plain = other_model.with_name("plain.onnx")
    plain.with_suffix(".json").write_text(json.dumps(card))
    assert calibration(plain) == UNCALIBRATED
    card["calibration"] = {"scale": 1.5, "power": 3}
    changed = other_model.with_name("changed.onnx")
    changed.with_suffix(".json").write_text(json.dumps(card))
    assert calibration(changed) == Calibration(1.5, 3.0)


@pytest.mark.parametrize(
    ("width", "height"), [(128, 128), (500, 375), (2000, 1300), (300, 1200), (140, 900)]
)
def test_squeezing_is_close_to_averaging_over_areas(
    painted: Painter, width: int, height: int
) -> None:
    picture = painted(21, width, height)
    small = squeezed(picture, 128, 128).astype(int)
    plain = cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA).astype(int)
    assert small.shape == (128, 128, 3)
    assert np.abs(small - plain).mean() < 3
