"""Fixtures that all tests share: the optional photo folder, libraries, and painted pictures."""

from __future__ import annotations

import gc
import multiprocessing.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from image_duplicate_finder.executors import child
from tests import stem
from tests.painting import paint_photo

TESTS = Path(__file__).resolve().parent
SHARED_DATA = TESTS.parents[1] / "shared" / "data"

LONGEST_FILES = (
    "browser/test_review_page.py",
    "setup/test_fresh_checkout.py",
    "browser/test_pages.py",
    "removal/test_removal_campaign.py",
    "core/test_ray.py",
    "web/test_strangers.py",
    "decode/test_decode_scan.py",
    "benchmarks/test_benchmark_quality.py",
    "browser/test_decide_page.py",
    "cli/test_documented_commands.py",
    "browser/test_compare_page.py",
    "browser/test_first_run.py",
    "core/test_passing_faults.py",
    "verify/test_closer.py",
    "setup/test_windows_start.py",
    "removal/test_removal_races.py",
    "removal/test_removal_scan_properties.py",
    "core/test_scan.py",
    "packages/test_built_packages.py",
    "decode/test_decode_oracle.py",
    "decode/test_decode_formats.py",
    "cli/test_scan_limits.py",
    "cli/test_stopping.py",
    "cli/test_removal.py",
    "core/test_judging.py",
    "web/test_hostile_names.py",
)
"""They run first, so that none of them is left alone at the end when files are run in parallel."""

# How long an example takes says how busy the machine is.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")

Painter = Callable[..., NDArray[np.uint8]]


def pytest_collection_finish() -> None:
    """What is loaded by now stays: no collection need look at it, nor a forked child copy it."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file the order stays."""
    place = {TESTS / name: number for number, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for what the tests and the programs that they start put where temporary files
    belong: also killed ones leave nothing for good. Its name is short, for sockets in it."""
    tmp_path_factory.getbasetemp()  # pytest's own folder stays where it is
    multiprocessing.util.get_temp_dir()  # and so does this, which is removed later than the other
    with pytest.MonkeyPatch.context() as patch:
        folder = tempfile.mkdtemp(prefix="idf-tests-")
        patch.setenv("TMPDIR", folder)
        # Where nobody names a library: not that of whoever runs the tests.
        patch.setenv("XDG_DATA_HOME", os.path.join(folder, "data"))
        # Else each of the hundreds of programs that are started compiles its modules anew.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        # Else Ray's workers give way to whatever the machine does, here to all other tests.
        patch.setenv("RAY_worker_niceness", "0")
        patch.setattr(tempfile, "tempdir", folder)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos and odd files beside the repository.

    Tests that need it are skipped where it is absent, but never on CI: there a missing folder
    would silently turn most of the evidence off.
    """
    if not SHARED_DATA.is_dir():
        assert not os.environ.get("CI"), f"{SHARED_DATA} is missing, and CI must not skip tests."
        pytest.skip(f"{SHARED_DATA} is not on this machine")
    return SHARED_DATA


@pytest.fixture
def library_dir(tmp_path: Path) -> Path:
    """An empty folder for a library of its own."""
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session", autouse=True)
def _ready_workers() -> Iterator[None]:
    """Scans in this process have workers that need not load anything, see :mod:`tests.stem`."""
    with pytest.MonkeyPatch.context() as patch:
        if stem.POSSIBLE:
            stem.prepare()
            patch.setattr(child, "start", stem.start)
        yield


@pytest.fixture
def real_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that start as in the program: for tests of how they start, live and end."""
    monkeypatch.setattr(child, "start", stem.real_start)


@pytest.fixture(scope="session")
def painted() -> Painter:
    """:func:`paint_photo`: ``painted(seed, width=480, height=360)``."""
    return paint_photo
