"""EfficientNet-Lite0 as an ONNX graph: convolutions, pooling, projection.

The network is that of Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional
Neural Networks" (2019), in its Lite0 form (ReLU6, no squeeze-and-excitation). The graph is
written node by node, so that the same weights always give the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]

STAGES = (
    # repeats, channels, expansion, kernel, stride of the first block
    (1, 16, 1, 3, 1),
    (2, 24, 6, 3, 2),
    (2, 40, 6, 5, 2),
    (3, 80, 6, 3, 2),
    (3, 112, 6, 5, 1),
    (4, 192, 6, 5, 2),
    (1, 320, 6, 3, 1),
)
BATCH_NORM_EPSILON = 1e-3
OPSET = 17
IR_VERSION = 8  # read by ONNX Runtime 1.14 and later


@dataclass(frozen=True, slots=True)
class Projection:
    """The learned last step: ``(features - centre) @ matrix``, then L2 normalisation.

    ``centre`` has shape (features,), ``matrix`` (features, dimensions).
    """

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]


def build(
    weights: Weights, size: int, taps: Sequence[int], projection: Projection | None
) -> onnx.ModelProto:
    """The graph from ``pixels`` (N, 3, size, size) to an output of one row per picture.

    ``taps`` are numbers of blocks (0 to 15); of each, the mean and the standard deviation over
    the places of its map are taken, each L2-normalised. Nothing behind the last tap is built.
    Without ``projection`` the output ``features`` is these joined; with it ``embedding``.
    """
    writer = _Writer()
    maps = _blocks(writer, weights, last=max(taps))
    parts = [part for tap in taps for part in _pooled(writer, maps[tap])]
    joined = writer.node("Concat", *parts, axis=1)
    name, length = "features", 2 * sum(_channels(tap) for tap in taps)
    output = writer.unit_rows(joined)
    if projection is not None:
        centred = writer.node("Sub", output, writer.constant(projection.centre, np.float32))
        matrix = writer.constant(projection.matrix)
        output = writer.unit_rows(writer.node("MatMul", centred, matrix))
        name, length = "embedding", projection.matrix.shape[1]
    writer.nodes.append(helper.make_node("Identity", [output], [name]))
    graph = helper.make_graph(
        writer.nodes,
        "efficientnet_lite0_embedding",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", length])],
        writer.initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _channels(block: int) -> int:
    return [channels for repeats, channels, *_ in STAGES for _ in range(repeats)][block]


class _Writer:
    """Collects nodes and constants under running numbers."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._zero = self.constant(np.zeros((), np.float32), np.float32)
        self._six = self.constant(np.full((), 6, np.float32), np.float32)
        self._tiny = self.constant(np.full((), 1e-6, np.float32), np.float32)

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: NDArray[np.floating], dtype: type[np.floating] = np.float16) -> str:
        """Stored as ``dtype``, used as 32-bit floats: half precision only halves the file."""
        name = f"constant_{len(self.initializers)}"
        stored = np.ascontiguousarray(values, dtype)
        self.initializers.append(numpy_helper.from_array(stored, name))
        if stored.dtype == np.float32:
            return name
        return self.node("Cast", name, to=TensorProto.FLOAT)

    def relu6(self, x: str) -> str:
        return self.node("Clip", x, self._zero, self._six)

    def unit_rows(self, x: str) -> str:
        length = self.node("ReduceL2", x, axes=[1], keepdims=1)
        return self.node("Div", x, self.node("Max", length, self._tiny))

    def variance_root(self, x: str, mean: str) -> str:
        squares = self.node("ReduceMean", self.node("Mul", x, x), axes=[2, 3], keepdims=0)
        variance = self.node("Sub", squares, self.node("Mul", mean, mean))
        return self.node("Sqrt", self.node("Max", variance, self._zero))


def _blocks(writer: _Writer, weights: Weights, last: int) -> list[str]:
    """The outputs of blocks 0 to ``last``."""
    x = _convolution(writer, weights, "pixels", "_conv_stem", "_bn0", stride=2)
    x = writer.relu6(x)
    outputs: list[str] = []
    channels = 32
    for repeats, out, expansion, _kernel, first_stride in STAGES:
        for repeat in range(repeats):
            if len(outputs) > last:
                return outputs
            prefix, before = f"_blocks.{len(outputs)}.", x
            if expansion != 1:
                x = _convolution(writer, weights, x, f"{prefix}_expand_conv", f"{prefix}_bn0")
                x = writer.relu6(x)
            x = _convolution(
                writer,
                weights,
                x,
                f"{prefix}_depthwise_conv",
                f"{prefix}_bn1",
                stride=first_stride if repeat == 0 else 1,
                groups=channels * expansion,
            )
            x = writer.relu6(x)
            x = _convolution(writer, weights, x, f"{prefix}_project_conv", f"{prefix}_bn2")
            if repeat:
                x = writer.node("Add", x, before)
            outputs.append(x)
            channels = out
    return outputs


def _convolution(
    writer: _Writer,
    weights: Weights,
    x: str,
    name: str,
    norm: str,
    *,
    stride: int = 1,
    groups: int = 1,
) -> str:
    """A convolution with the batch normalisation behind it folded in."""
    factor = weights[f"{norm}.weight"] / np.sqrt(
        weights[f"{norm}.running_var"] + BATCH_NORM_EPSILON
    )
    kernel = weights[f"{name}.weight"] * factor[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * factor
    return writer.node(
        "Conv",
        x,
        writer.constant(kernel),
        writer.constant(bias),
        auto_pad="SAME_UPPER",
        kernel_shape=list(kernel.shape[2:]),
        strides=[stride, stride],
        group=groups,
    )


def _pooled(writer: _Writer, x: str) -> tuple[str, str]:
    mean = writer.node("ReduceMean", x, axes=[2, 3], keepdims=0)
    return writer.unit_rows(mean), writer.unit_rows(writer.variance_root(x, mean))
