"""What the verification of one pair costs, in CPU time of one core.

``python -m benchmarks.verifying SET TRUTH OUT.json`` reads pictures of set A and verifies their
true pairs as a scan does, from stored fingerprints: mirrored, upside down and squeezed copies in
quick mode, crops and copies turned by 25 degrees in standard mode. Only keypoints show the latter.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from benchmarks.truth import TruePair, Truth
from image_duplicate_finder.executors.task import VerifyTask, verify_pairs
from image_duplicate_finder.fingerprint.compute import fingerprint
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.scan.verification import verify_input
from image_duplicate_finder.settings import Mode
from image_duplicate_finder.verify.pair import EncodedVerifyInput

ONE_FRAME = ("original/mirror", "original/upside_down", "original/square")
BY_KEYPOINTS = ("original/crop", "original/rotate_25")
PAIRS_OF_A_KIND = 100
ROUNDS = 5
_PAIRS_AT_ONCE = 32


def milliseconds(
    folder: Path, pairs: Sequence[TruePair], mode: Mode, rounds: int = ROUNDS
) -> tuple[list[float], int]:
    """CPU milliseconds of a pair in each round, decoding of fingerprints included, and the matches.

    A first round that compiles or loads loops is not counted.
    """
    names = sorted({name for pair in pairs for name in (pair.a, pair.b)})
    numbers = {name: number for number, name in enumerate(names)}
    inputs = {number: _input(folder / name, number, mode) for name, number in numbers.items()}
    task = VerifyTask(
        [(numbers[pair.a], numbers[pair.b]) for pair in pairs],
        {number: found for number, found in inputs.items() if found is not None},
        thorough=False,
    )
    parts = list(task.parts(_PAIRS_AT_ONCE))
    costs = []
    for _ in range(1 + rounds):
        before = time.process_time()
        matches = sum(len(verify_pairs(part)) for part in parts)
        costs.append(1000 * (time.process_time() - before) / len(pairs))
    return costs[1:], matches


def _input(file: Path, number: int, mode: Mode) -> EncodedVerifyInput | None:
    info, fingerprints = fingerprint(file.read_bytes(), Specs(mode))
    data = {each.name: each.data for each in fingerprints}
    return verify_input(number, (info.width, info.height), data, mode)


def main() -> None:
    """Measure both kinds of pairs."""
    folder, truth_folder, out = map(Path, sys.argv[1:4])
    cv2.setNumThreads(1)
    truth = Truth.load(truth_folder)
    found = {}
    for mode, edits in ((Mode.QUICK, ONE_FRAME), (Mode.STANDARD, BY_KEYPOINTS)):
        pairs = [
            pair
            for edit in edits
            for pair in [each for each in truth.pairs if each.edit == edit][:PAIRS_OF_A_KIND]
        ]
        costs, matches = milliseconds(folder, pairs, mode)
        found[mode.value] = {"pairs": len(pairs), "matches": matches, "ms": costs}
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
