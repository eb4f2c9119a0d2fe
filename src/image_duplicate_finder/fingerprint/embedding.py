"""Embeddings: one short vector per picture, close for pictures that look alike.

A convolutional network runs through ONNX Runtime on the CPU, or on a CUDA device where asked.
The model in the package is described in ``models/MODEL_CARD.md``; any other ONNX file works
with a small JSON file of the same name beside it (see :class:`.specs.ModelCard`). Vectors of
different models are never mixed: :attr:`Embedder.key` names the model and its preprocessing.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.errors import DecodeError, FailureStage, UsageError
from image_duplicate_finder.fingerprint.appearance import squeezed
from image_duplicate_finder.fingerprint.specs import (
    ModelCard,
    built_in_model,
    model_key,
    read_card,
    read_model,
    read_model_card,
)
from image_duplicate_finder.messages import FailureReason, Problem

Image = NDArray[np.uint8]
Vectors = NDArray[np.float32]

STORED_DTYPE = np.dtype("<f2")
"""Vectors are kept in half precision: two bytes per value, cosines off by less than 0.0005."""

_TINY = np.finfo(np.float32).tiny
_CHUNK = 4  # pictures per run: more gain nothing on one CPU thread and cost memory
_GPU_CHUNK = 64
_FATAL = 4  # ONNX Runtime's number of the severity

_log = logging.getLogger(__name__)


class Embedder:
    """Turns upright pictures into L2-normalised vectors.

    ``key`` identifies the model file and its preprocessing, ``dim`` is the vectors' length.
    """

    def __init__(self, model: Path | None = None, *, gpu: bool = False) -> None:
        """Load ``model`` (an ONNX file with its JSON beside it), or the one in the package.

        With ``gpu``, ONNX Runtime's CUDA provider is used where there is one; otherwise one
        warning is logged and the CPU does the work. Raises :class:`UsageError` with the reason
        when the files cannot be used.
        """
        path = model if model is not None else built_in_model()
        card_bytes = read_card(path)
        model_bytes = read_model(path)
        self.card = read_model_card(card_bytes, path.with_suffix(".json"))
        self.key = model_key(model_bytes, card_bytes)
        self._session, self.on_gpu = _open_session(model_bytes, path, gpu)
        self._input = _only_input(self._session, path)
        self.dim = _checked_length(self._session, self._input, self.card, path)

    def embed(self, batch: Sequence[Image]) -> Vectors:
        """The vectors (N, ``dim``) of ``batch``: RGB uint8 pictures (H, W, 3), any sizes.

        Each picture as a whole is squeezed to the model's input, whatever its shape. A picture
        that the network answers with zeros only gets a vector of zeros.
        """
        width, height = self.card.width, self.card.height
        return self.embed_squeezed([squeezed(image, width, height) for image in batch])

    def embed_squeezed(self, batch: Sequence[Image]) -> Vectors:
        """As :meth:`embed`, for pictures that were squeezed to the model's size before.

        Raises DecodeError (stage ``model``) for pictures that the network fails on.
        """
        chunk = _GPU_CHUNK if self.on_gpu else _CHUNK
        parts = [self._run(batch[i : i + chunk]) for i in range(0, len(batch), chunk)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def _run(self, batch: Sequence[Image]) -> Vectors:
        pixels = np.stack([_normalised(image, self.card) for image in batch])
        try:
            (raw,) = self._session.run([self.card.output], {self._input: pixels})
            vectors: Vectors = np.array(raw, np.float32).reshape(len(batch), self.dim)
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            message = FailureReason.MODEL(reason=_first_line(error))
            raise DecodeError(message, stage=FailureStage.MODEL) from error
        if not np.isfinite(vectors).all():
            message = FailureReason.MODEL_NUMBERS()
            raise DecodeError(message, stage=FailureStage.MODEL)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.maximum(lengths, _TINY)
        return vectors


def to_bytes(vector: Vectors) -> bytes:
    """One vector (d,) in its stored form: half precision, 2 bytes per value."""
    return vector.astype(STORED_DTYPE).tobytes()


def from_bytes(data: bytes) -> Vectors:
    """What :func:`to_bytes` wrote, as float32 (d,)."""
    return np.frombuffer(data, STORED_DTYPE).astype(np.float32)


def _normalised(small: Image, card: ModelCard) -> NDArray[np.float32]:
    if card.colour == "BGR":
        small = small[..., ::-1]
    axes, shape = ((2, 0, 1), (3, 1, 1)) if card.layout == "NCHW" else ((0, 1, 2), (1, 1, 3))
    pixels = np.ascontiguousarray(small.transpose(axes)).astype(np.float32)
    pixels -= np.array(card.mean, np.float32).reshape(shape)
    pixels *= np.array(card.scale, np.float32).reshape(shape)
    return pixels


def _open_session(model: bytes, path: Path, gpu: bool) -> tuple[Any, bool]:
    import onnxruntime

    # The variables that this package sets do not concern the events of Windows.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # One worker process per core shares the machine already: more threads, or threads that
    # spin while they wait, would only take time from the other workers.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # What stops a model from running is raised; what is only logged would be a second line.
    options.log_severity_level = _FATAL
    onnxruntime.set_default_logger_severity(_FATAL)
    providers = ["CPUExecutionProvider"]
    if gpu and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it misses
            onnxruntime.preload_dlls()
        providers.insert(0, "CUDAExecutionProvider")
    try:
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # as above
        message = Problem.MODEL_NOT_ONNX(path=str(path), reason=_first_line(error))
        raise UsageError(message) from error
    on_gpu = "CUDAExecutionProvider" in session.get_providers()
    if gpu and not on_gpu:
        _log.warning(
            "No CUDA device can be used (driver, CUDA libraries and onnxruntime-gpu are needed): "
            "embeddings are computed on the CPU."
        )
    return session, on_gpu


def _only_input(session: Any, path: Path) -> str:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)":
        raise UsageError(Problem.MODEL_INPUT(path=str(path)))
    return str(inputs[0].name)


def _checked_length(session: Any, name: str, card: ModelCard, path: Path) -> int:
    """The vectors' length, found by running blank pictures: shapes in files may be open.

    Batches of all sizes that a scan may ask for in turn, as some models take one size only.
    """
    outputs = [output.name for output in session.get_outputs()]
    if card.output not in outputs:
        raise UsageError(
            Problem.MODEL_OUTPUT(path=str(path), name=repr(card.output), names=", ".join(outputs))
        )
    blank = _normalised(np.full((card.height, card.width, 3), 128, np.uint8), card)
    lengths = set()
    for count in (1, 2, _CHUNK):
        try:
            (raw,) = session.run([card.output], {name: np.stack([blank] * count)})
            vectors = np.asarray(raw, np.float32)
        except Exception as error:  # as above
            raise UsageError(
                Problem.MODEL_BATCH(path=str(path), count=count, reason=_first_line(error))
            ) from error
        length = vectors.size // count
        if (
            vectors.shape[:1] != (count,)
            or not length
            or length != max(vectors.shape[1:], default=0)
        ):
            raise UsageError(
                Problem.MODEL_SHAPE(
                    name=repr(card.output), path=str(path), shape=str(vectors.shape), count=count
                )
            )
        if not np.isfinite(vectors).all():
            raise UsageError(Problem.MODEL_NO_NUMBERS(path=str(path)))
        lengths.add(length)
    if len(lengths) != 1:
        raise UsageError(Problem.MODEL_LENGTHS(path=str(path), lengths=str(sorted(lengths))))
    return lengths.pop()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
