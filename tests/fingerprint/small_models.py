"""Tiny ONNX models, written byte by byte: what a network of a person's own may be like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

Shape = Sequence[int | str]
FLOAT, INT64, FLOAT16, DOUBLE = 1, 7, 10, 11
SIDE = 8


def _field(number: int, value: bytes | str | int) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _value(name: str, kind: int, shape: Shape | None) -> bytes:
    tensor = _field(1, kind)
    if shape is not None:
        dims = (_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
        tensor += _field(2, b"".join(dims))
    return _field(1, name) + _field(2, _field(1, tensor))


def write_model(
    path: Path,
    nodes: Sequence[tuple[str, Sequence[str], str]],
    *,
    inputs: Sequence[str] = ("pixels",),
    kind: int = FLOAT,
    batch: int | str = "n",
    output_kind: int = FLOAT,
    mean: float = 128.0,
) -> Path:
    """A model of ``nodes`` (operator, inputs, output); the last one's output is the vector.

    Pictures of 8 by 8 pixels enter, as the JSON beside it says.
    """
    graph = b"".join(
        _field(1, b"".join(_field(1, i) for i in needs) + _field(2, gives) + _field(4, operator))
        for operator, needs, gives in nodes
    )
    graph += _field(2, "small")
    shape = (batch, 3, SIDE, SIDE)
    graph += b"".join(_field(11, _value(name, kind, shape)) for name in inputs)
    graph += _field(12, _value(nodes[-1][2], output_kind, None))
    opset = _field(1, "") + _field(2, 13)
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, opset))
    card = {
        "width": SIDE,
        "height": SIDE,
        "layout": "NCHW",
        "colour": "RGB",
        "mean": [mean] * 3,
        "scale": [0.01] * 3,
        "output": nodes[-1][2],
    }
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


MEAN_COLOUR = [("GlobalAveragePool", ["pixels"], "mean"), ("Flatten", ["mean"], "vector")]
"""A network that fits."""
