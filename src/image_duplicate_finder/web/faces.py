"""Faces in the pictures of a group, so that a person sees at a glance whose eyes are open.

The detector is BlazeFace, full range (Bazarevsky et al., 2019, Google MediaPipe), as ONNX; see
models/NOTICE. It only says where to look: nothing is decided by it, and whom a face belongs to is
not asked. Heavy to import: pages do so when they are asked.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder import overlay
from image_duplicate_finder.overlay import Matrix, Pixels

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of a picture."""

_INPUT = 192
_CELLS = 48
_SURE = 0.65
_OVERLAP = 0.3
_SMALLEST = 0.015
"""Of the longer side: in less nobody sees eyes."""

_TILE = 0.6
"""Share of each side that a closer look takes: small faces of a group photo are found there."""

_AROUND = 1.7
"""The shown square, in widths of the face as the detector frames it."""

_SAME_PLACE = 0.8
"""Faces nearer to each other than this share of their height are one person's."""

MOST_PEOPLE = 5


def people(pictures: Sequence[Pixels]) -> list[Box]:
    """Squares around the faces in pictures of one frame, from left to right.

    A face that is found in one shot at least is shown from all: one that looks away or blinks is
    found the least and matters the most.
    """
    aspect = pictures[0].shape[1] / pictures[0].shape[0] if pictures else 1.0
    found: list[list[Box]] = []
    for box in (box for pixels in pictures for box in faces(pixels)):
        near = next((each for each in found if _one_place(each, box, aspect)), None)
        if near is None:
            found.append([box])
        else:
            near.append(box)
    often = sorted(found, key=len, reverse=True)[:MOST_PEOPLE]
    squares = [_square(np.median(each, axis=0), aspect) for each in often]
    return sorted(squares, key=lambda box: box[0] + box[2])


def faces(pixels: Pixels) -> list[Box]:
    """The faces in a picture, the surest first."""
    height, width = pixels.shape[:2]
    boxes: list[list[float]] = []
    scores: list[float] = []
    for left, top, across, down in _windows(width, height):
        part = pixels[top : top + down, left : left + across]
        for score, (x, y, w, h) in _detected(part):
            if max(w * across, h * down) < _SMALLEST * max(width, height):
                continue
            boxes.append([left + x * across, top + y * down, w * across, h * down])
            scores.append(score)
    chosen = cv2.dnn.NMSBoxes(boxes, scores, _SURE, _OVERLAP) if boxes else ()
    return [
        (x / width, y / height, (x + w) / width, (y + h) / height)
        for x, y, w, h in (boxes[int(place)] for place in np.asarray(chosen, int).reshape(-1))
    ]


def strip(pixels: Pixels, matrix: Matrix, squares: Sequence[Box], side: int) -> Pixels:
    """The places of the faces in a picture, beside each other, ``side`` pixels each.

    ``matrix`` maps shares of the frame that the squares are in to shares of the picture.
    """
    cells = []
    for left, top, right, bottom in squares:
        place = np.array([[right - left, 0, left], [0, bottom - top, top], [0, 0, 1]])
        cells.append(overlay.align(pixels, matrix @ place, (side, side))[0])
    return np.asarray(np.hstack(cells), np.uint8)


def _windows(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """The whole picture, and four overlapping parts of it."""
    yield 0, 0, width, height
    across, down = max(1, round(width * _TILE)), max(1, round(height * _TILE))
    for top in (0, height - down):
        for left in (0, width - across):
            yield left, top, across, down


@functools.cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = resources.files(__package__).joinpath("models/faces.onnx").read_bytes()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@functools.cache
def _centres() -> NDArray[np.float32]:
    y, x = np.mgrid[0:_CELLS, 0:_CELLS]
    cells = np.stack([(x + 0.5) / _CELLS, (y + 0.5) / _CELLS], axis=-1)
    return cells.reshape(-1, 2).astype(np.float32)


def _detected(pixels: Pixels) -> Iterator[tuple[float, tuple[float, float, float, float]]]:
    """Scores with left, top, width and height as shares of the picture."""
    height, width = pixels.shape[:2]
    scale = _INPUT / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = (_INPUT - inner[0]) // 2, (_INPUT - inner[1]) // 2
    filled = np.zeros((_INPUT, _INPUT, 3), np.float32)
    small = cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA)
    filled[y : y + inner[1], x : x + inner[0]] = small / np.float32(127.5) - np.float32(1)
    boxes, scores = _session().run(None, {"input": filled.transpose(2, 0, 1)[None]})
    sure = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -80, 80)))
    kept = sure > _SURE
    middles, sizes = boxes[0, kept, :2] / _INPUT + _centres()[kept], boxes[0, kept, 2:4] / _INPUT
    share = np.array([_INPUT / inner[0], _INPUT / inner[1]])
    corners = (middles - sizes / 2 - np.array([x, y]) / _INPUT) * share
    for score, corner, size in zip(sure[kept], corners, sizes * share, strict=True):
        yield float(score), (float(corner[0]), float(corner[1]), float(size[0]), float(size[1]))


def _one_place(known: Sequence[Box], box: Box, aspect: float) -> bool:
    mine = np.median(known, axis=0)
    across = (mine[0] + mine[2] - box[0] - box[2]) / 2 * aspect
    down = (mine[1] + mine[3] - box[1] - box[3]) / 2
    return bool(np.hypot(across, down) < _SAME_PLACE * max(mine[3] - mine[1], box[3] - box[1]))


def _square(box: NDArray[np.float64], aspect: float) -> Box:
    x, y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    half = _AROUND * max(float(box[2] - box[0]) * aspect, float(box[3] - box[1])) / 2
    return x - half / aspect, y - half, x + half / aspect, y + half
