"""Fixtures that all tests share: the optional photo folder, libraries, and painted pictures."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from tests.painting import paint_photo

TESTS = Path(__file__).resolve().parent
SHARED_DATA = TESTS.parents[1] / "shared" / "data"

LONGEST_FILES = (
    "core/test_ray.py",
    "decode/test_decode_scan.py",
    "browser/test_review_page.py",
    "browser/test_pages.py",
    "removal/test_removal_campaign.py",
    "setup/test_fresh_checkout.py",
    "benchmarks/test_benchmark_quality.py",
    "cli/test_documented_commands.py",
    "core/test_scan.py",
    "removal/test_removal_scan_properties.py",
    "cli/test_removal.py",
    "packages/test_built_packages.py",
    "core/test_passing_faults.py",
    "browser/test_first_run.py",
    "browser/test_compare_page.py",
    "browser/test_decide_page.py",
)
"""They run first, so that none of them is left alone at the end when files are run in parallel."""

# How long an example takes says how busy the machine is.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")

Painter = Callable[..., NDArray[np.uint8]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file the order stays."""
    place = {TESTS / name: number for number, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for what the tests and the programs that they start put where temporary files
    belong: also killed ones leave nothing for good. Its name is short, for sockets in it."""
    tmp_path_factory.getbasetemp()  # pytest's own folder stays where it is
    with pytest.MonkeyPatch.context() as patch:
        folder = tempfile.mkdtemp(prefix="idf-tests-")
        patch.setenv("TMPDIR", folder)
        # Where nobody names a library: not that of whoever runs the tests.
        patch.setenv("XDG_DATA_HOME", os.path.join(folder, "data"))
        # Else each of the hundreds of programs that are started compiles its modules anew.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
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


@pytest.fixture(scope="session")
def painted() -> Painter:
    """:func:`paint_photo`: ``painted(seed, width=480, height=360)``."""
    return paint_photo
