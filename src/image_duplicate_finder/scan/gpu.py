"""Embeddings on a GPU: workers squeeze the pictures, this process runs the network in batches.

A GPU wants many pictures at once and one process that holds the network; the workers go on
decoding meanwhile. 150 KB for a squeezed picture is what crosses between the processes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from image_duplicate_finder.executors.messages import Answer
from image_duplicate_finder.fingerprint import embedding
from image_duplicate_finder.fingerprint.specs import Specs, can_embed
from image_duplicate_finder.model import Fingerprint, Fingerprinted
from image_duplicate_finder.settings import Mode, ScanSettings

_log = logging.getLogger(__name__)


class BatchedEmbeddings:
    """Puts the vector in the place of every squeezed picture that workers answered with."""

    def __init__(self, embedder: embedding.Embedder, specs: Specs) -> None:
        self._embedder = embedder
        self._name, self._version = specs.embedding()
        self.specs = replace(specs, squeeze_only=True)

    @classmethod
    def open(cls, settings: ScanSettings) -> BatchedEmbeddings | None:
        """What ``settings`` ask for; None where no GPU is wanted or none can be used.

        In the latter case, and where no network can be run at all, one warning says so.
        """
        specs = Specs.of(settings)
        if settings.mode is Mode.QUICK:
            return None
        if not can_embed():
            _log.warning("Look-alikes are left out: onnxruntime is not installed (`idf doctor`).")
            return None
        if not settings.gpu:
            return None
        embedder = embedding.Embedder(specs.model_path(), gpu=True)
        return cls(embedder, specs) if embedder.on_gpu else None

    def complete(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers with vectors, in their order."""
        shape = (self._embedder.card.height, self._embedder.card.width, 3)
        squeezed = {
            place: np.frombuffer(fingerprint.data, np.uint8).reshape(shape)
            for place, (result, _) in enumerate(answers)
            if isinstance(result, Fingerprinted)
            for fingerprint in result.fingerprints
            if fingerprint.name == self._name
        }
        vectors = self._embedder.embed_squeezed(list(squeezed.values()))
        done = list(answers)
        for place, vector in zip(squeezed, vectors, strict=True):
            result, stat = done[place]
            assert isinstance(result, Fingerprinted)
            learned = Fingerprint(self._name, self._version, embedding.to_bytes(vector))
            fingerprints = tuple(
                learned if each.name == self._name else each for each in result.fingerprints
            )
            done[place] = (replace(result, fingerprints=fingerprints), stat)
        return done
