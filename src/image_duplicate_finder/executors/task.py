"""The work of a child process: fingerprint a file, look closely at pictures, verify pairs."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_duplicate_finder.decode import decode_full
from image_duplicate_finder.errors import DecodeError, FailureStage, lacks_permission
from image_duplicate_finder.executors.messages import (
    Answer,
    FileTask,
    LookAnswer,
    Looked,
    LookTask,
    Recognised,
)
from image_duplicate_finder.fingerprint.compute import content_hash, fingerprint
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.messages import FailureReason, Message
from image_duplicate_finder.model import ContentPair, Failure, Fingerprinted, Look, Match, Seen
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import read

if TYPE_CHECKING:  # loaded where it is needed: children that read files do without
    from image_duplicate_finder.verify.pair import EncodedVerifyInput, VerifyInput
    from image_duplicate_finder.verify.prepared import Prepared


@dataclass(frozen=True, slots=True)
class VerifyTask:
    """Pairs of contents to verify, and what verification looks at of each content.

    Pairs without inputs are passed over.
    """

    pairs: Sequence[ContentPair]
    inputs: Mapping[int, EncodedVerifyInput]
    thorough: bool

    def parts(self, size: int) -> Iterator[VerifyTask]:
        """Tasks of ``size`` pairs, each with the inputs that it needs and no others."""
        for start in range(0, len(self.pairs), size):
            pairs = self.pairs[start : start + size]
            ids = {id for pair in pairs for id in pair}
            inputs = {id: self.inputs[id] for id in ids if id in self.inputs}
            yield VerifyTask(pairs, inputs, self.thorough)


_MEGABYTE = 1024 * 1024


def run_task(task: FileTask, specs: Specs) -> Answer:
    """Read and fingerprint one file; the stat belongs to the bytes that were read, if any were."""
    limits = specs.limits
    try:
        data, stat = read(task.path, limits)
    except _UNREADABLE as error:
        return _failure(task.path, error, limits), None
    content = content_hash(data)
    if content in task.known:
        return Recognised(task.path, stat, content), stat
    try:
        info, fingerprints = fingerprint(data, specs)
    except _UNREADABLE as error:
        return _failure(task.path, error, limits), stat
    return Fingerprinted(task.path, stat, content, info, fingerprints), stat


def run_look(task: LookTask, limits: DecodeLimits) -> LookAnswer:
    """Look closely at one picture and its partners; each is decoded once, if not kept already."""
    from image_duplicate_finder.verify.closer import closer_look
    from image_duplicate_finder.verify.prepared import prepare

    looks: dict[bytes, Look | None] = {}
    seen: dict[bytes, Seen] = {}

    def prepared(path: str, content: bytes, kept: str | None) -> Prepared:
        if kept and (earlier := _load(kept)) is not None:
            return earlier
        data, _ = read(path, limits)
        if content_hash(data) != content:
            raise DecodeError(FailureReason.CHANGED_IN_SCAN(), stage=FailureStage.CHANGED)
        ready = prepare(decode_full(data, limits=limits))
        seen[content] = Seen(ready.alpha_used, ready.colourful, ready.bits_used)
        if kept:
            _save(ready, kept)
        return ready

    try:
        picture = prepared(task.path, task.content, task.kept)
    except _UNREADABLE as error:
        return _failure(task.path, error, limits), None
    failures = []
    for partner in task.partners:
        try:
            other = prepared(partner.path, partner.content, partner.kept)
            looks[partner.content] = closer_look(picture, other, partner.match)
        except _UNREADABLE as error:
            failures.append(_failure(partner.path, error, limits))
    return Looked(task.path, task.content, looks, seen, tuple(failures)), None


def _save(ready: Prepared, path: str) -> None:
    """Keep a decoded picture for other looks, whole or not at all: it saves time, no more."""
    unfinished = f"{path}.{os.getpid()}"
    with suppress(OSError, MemoryError):
        with open(unfinished, "wb") as file:
            pickle.dump(ready, file, pickle.HIGHEST_PROTOCOL)
        os.replace(unfinished, path)
        return
    with suppress(OSError):
        os.remove(unfinished)


def _load(path: str) -> Prepared | None:
    """A picture that another look has kept; None if there is none."""
    with suppress(OSError, EOFError, pickle.UnpicklingError), open(path, "rb") as file:
        kept: Prepared = pickle.load(file)
        return kept
    return None


def verify_pairs(task: VerifyTask) -> list[Match]:
    """The matches among the pairs of a task, in their order, on one core."""
    from image_duplicate_finder.verify.pair import verify

    decoded: dict[int, VerifyInput] = {}

    def input_of(id: int) -> VerifyInput:
        if id not in decoded:
            decoded[id] = task.inputs[id].decoded()
        return decoded[id]

    found = (
        verify(input_of(a), input_of(b), thorough=task.thorough)
        for a, b in task.pairs
        if a in task.inputs and b in task.inputs
    )
    return [match for match in found if match is not None]


_UNREADABLE = DecodeError, OSError, MemoryError


def _failure(path: str, error: Exception, limits: DecodeLimits) -> Failure:
    if isinstance(error, DecodeError):
        return Failure(path, error.stage, error.message)
    if isinstance(error, OSError):
        return Failure(path, FailureStage.READ, _reason(error))
    limit = limits.memory // _MEGABYTE
    return Failure(path, FailureStage.MEMORY, FailureReason.MEMORY_OF_FILE(limit=limit))


def _reason(error: OSError) -> Message:
    if lacks_permission(error):
        return FailureReason.NO_PERMISSION_FILE()
    if isinstance(error, FileNotFoundError):
        return FailureReason.VANISHED()
    return FailureReason.SYSTEM_FILE(reason=error.strerror or str(error))
