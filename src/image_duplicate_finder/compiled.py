"""Compiled loops, made once on a machine and, where it can be, before anyone waits for them.

Numba compiles a loop when it is first called, and keeps the result beside the sources or in the
user's cache. On a new installation that would be in the middle of the first scan, in every
worker at once. :func:`prepare` has one process for each part do it, and one program at a time.
What these miss is compiled when it is called, as ever.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from image_duplicate_finder.errors import Interrupted
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.own_files import locked, make_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_duplicate_finder.fingerprint.keypoints import Keypoints

PARTS = ("keypoints", "words", "verify", "looks", "neighbours")
"""What is compiled side by side. Only scans of many pictures need the last of them."""

_MODULE = "image_duplicate_finder.compiled"
_running: dict[str, subprocess.Popen[bytes]] = {}
_guard = threading.Lock()
_stopped = threading.Event()


def is_prepared(*parts: str) -> bool:
    """Whether these parts, or all, were compiled on this machine: a look at a few small files."""
    return set(parts or PARTS).isdisjoint(_missing())


def prepare(*needed: str) -> None:
    """Have all parts compiled that are not yet, and wait for those ``needed`` (all if none named).

    Raises Interrupted after :func:`stop`, if any are needed, and nothing else: a loop that cannot
    be compiled or kept now is compiled where it is needed, and what is wrong is said there.
    """
    if not (missing := _missing()):
        return
    for part in missing:
        with _guard, contextlib.suppress(OSError):
            if part not in _running:
                _running[part] = subprocess.Popen(
                    [sys.executable, "-m", _MODULE, part],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                )
    for part in needed:
        wait_for(part)
    if not needed:
        for process in _running.values():
            process.wait()


def wait_for(part: str) -> None:
    """Return once a part is compiled, if :func:`prepare` began it in this process.

    Raises Interrupted after :func:`stop`: what is not compiled would now be compiled here.
    """
    if part in _running:
        _running[part].wait()
        if _stopped.is_set():
            raise Interrupted(Problem.STOPPED())


def stop() -> None:
    """End what :func:`prepare` began, in a program that was asked to end. Safe in a handler."""
    _stopped.set()
    for process in list(_running.values()):
        process.terminate()


def load(*parts: str) -> None:
    """Load compiled parts into this process; those that are not compiled yet are left out.

    As with :func:`prepare`, what is wrong is said where a loop is needed.
    """
    missing = _missing()
    for part in parts:
        if part not in missing:
            with contextlib.suppress(Exception):
                _PARTS[part]()


def _missing() -> list[str]:
    try:
        return [part for part in PARTS if not stamp_of(part).exists()]
    except OSError:
        return []


def stamp_of(part: str) -> Path:
    """The file that is there once a part is compiled, named for what the result depends on."""
    return _folder() / f"compiled-{_digest()}-{part}"


@functools.cache
def _digest() -> str:
    """Of the loops' sources, the compiler and the machine; none changes while a process runs."""
    sources = sorted(Path(__file__).parent.glob("*/*kernels.py"))
    made_from = [
        *(f"{file} {(stat := file.stat()).st_size} {stat.st_mtime_ns}" for file in sources),
        *(name for package in ("numba", "llvmlite", "numpy") for name in _versions_of(package)),
        # A home folder may be shared by machines that have unlike processors.
        *(sys.version, platform.machine(), platform.node()),
    ]
    return hashlib.blake2b("\n".join(made_from).encode(), digest_size=8).hexdigest()


def _versions_of(package: str) -> Iterator[str]:
    """What names its version: ``importlib.metadata`` would take longer than all else here."""
    if (spec := importlib.util.find_spec(package)) is None or spec.origin is None:
        raise FileNotFoundError(package)
    init = Path(spec.origin)
    yield f"{init.stat().st_size} {init.stat().st_mtime_ns}"
    yield from sorted(found.name for found in init.parent.parent.glob(f"{package}-*info"))


def _folder() -> Path:
    """Beside what Numba keeps, so that who deletes the one deletes the other."""
    if (named := os.environ.get("NUMBA_CACHE_DIR")) is not None:
        return Path(named)
    beside = Path(__file__).parent / "__pycache__"
    if os.access(beside if beside.exists() else beside.parent, os.W_OK):
        return beside
    import platformdirs

    return platformdirs.user_cache_path("image-duplicate-finder", appauthor=False)


def _compile(part: str) -> None:
    """In a process of its own: compile one part, unless another process did so meanwhile."""
    # Numba makes millions of objects that stay: looking for garbage is 8% of the time else.
    gc.set_threshold(20_000, 20, 100)
    if part == "neighbours" and hasattr(os, "nice"):
        os.nice(10)
    stamp = stamp_of(part)
    make_folder(stamp.parent)
    with locked(stamp.parent / f"compiling-{part}.lock"):
        if not stamp.exists():
            _PARTS[part]()
            stamp.touch()


def _keypoints() -> None:
    from image_duplicate_finder.fingerprint import keypoints

    keypoints.warm_up()


def _words() -> None:
    from image_duplicate_finder.search.visual_words import VisualWordIndex

    index = VisualWordIndex()
    for content in range(4):
        index.add(content, _random_points(content // 2))
    index.candidates()


def _neighbours() -> None:
    import numpy as np

    from image_duplicate_finder.search.hamming import near_pairs
    from image_duplicate_finder.search.vectors import Cells

    random = np.random.default_rng(0)
    near_pairs(random.integers(0, 256, (600, 8, 32), np.uint8))
    vectors = random.normal(size=(60, 16)).astype(np.float32)
    Cells(vectors, 30).nearest(np.arange(60), 3, -1.0)


def _verify() -> None:
    from dataclasses import replace

    import cv2
    import numpy as np

    from image_duplicate_finder.fingerprint import perceptual
    from image_duplicate_finder.fingerprint.appearance import decode_proof, encode_proof
    from image_duplicate_finder.verify.pair import VerifyInput, verify

    def side(content: int, grey: NDArray[np.uint8], points: Keypoints) -> VerifyInput:
        height, width = grey.shape
        small = decode_proof(encode_proof(grey))
        return VerifyInput(content, width, height, perceptual.encode(grey), points, small)

    coarse = np.random.default_rng(0).integers(0, 256, (24, 32)).astype(np.float32)
    smooth = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)
    picture: NDArray[np.uint8] = np.clip(smooth, 0, 255).astype(np.uint8)
    points = _random_points(1)
    crop = replace(
        points,
        height=154,
        x=(points.x - 25) * np.float32(320 / 260),
        y=(points.y - 19) * np.float32(320 / 260),
        scale=points.scale * np.float32(320 / 260),
    )
    whole = side(1, picture, points)
    verify(whole, side(2, picture[30:230, 40:300], crop))
    verify(whole, side(3, picture // 2 + 60, points))


def _looks() -> None:
    from dataclasses import replace

    import cv2
    import numpy as np

    from image_duplicate_finder.model import Match, Relation
    from image_duplicate_finder.verify.closer import closer_look
    from image_duplicate_finder.verify.prepared import Prepared

    coarse = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    small: NDArray[np.uint8] = np.clip(smooth, 0, 255).astype(np.uint8)
    whole = Prepared(160, 120, small, np.ascontiguousarray(small[..., 0]), steps=(8,) * 64)
    shift = (1.0, 0.02, -20.5), (0.0, 1.0, -10.5)
    cut = cv2.warpAffine(small, np.array(shift), (130, 100)).astype(np.uint8)
    crop = replace(whole, width=130, height=100, small=cut, luma=cut[..., 0].copy())
    turn = (-1.0, 0.0, 159.0), (0.0, 1.0, 0.0)
    mirrored = replace(whole, small=small[:, ::-1].copy(), luma=whole.luma[:, ::-1].copy())
    closer_look(whole, whole, Match(1, 2, Relation.REENCODED))
    closer_look(whole, mirrored, Match(1, 4, Relation.ROTATED, turn, mirrored=True))
    closer_look(whole, crop, Match(1, 3, Relation.CROPPED, shift))


def _random_points(seed: int) -> Keypoints:
    """Keypoints of no picture: what compiled loops do with them does not matter."""
    import numpy as np

    from image_duplicate_finder.fingerprint.keypoints import Keypoints

    random, count = np.random.default_rng(seed), 120
    across, down = (random.uniform(0, 150, count).astype(np.float32) for _ in range(2))
    scale, angle = (random.uniform(1, 6, count).astype(np.float32) for _ in range(2))
    codes = random.integers(0, 256, (count, 16), np.uint8)
    flags = random.integers(0, 16, count).astype(np.uint8)
    return Keypoints(200, 150, across, down, scale, angle, codes, flags)


_PARTS = {
    "keypoints": _keypoints,
    "words": _words,
    "verify": _verify,
    "looks": _looks,
    "neighbours": _neighbours,
}

if __name__ == "__main__":
    if sys.argv[1:]:
        _compile(sys.argv[1])
    else:
        prepare()
