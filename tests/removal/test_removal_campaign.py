"""The short form of the campaigns of docs/safety.md; the long form is

python -m tests.removal.campaign --kills 300
"""

from __future__ import annotations

import errno
import random
import zlib
from pathlib import Path

import pytest

from tests.removal.campaign import (
    SCENARIOS,
    Scenario,
    cut_the_power,
    fail_at_each_call,
    impossible,
    kill_at_each_call,
    kill_at_random,
    stop_the_journal,
)
from tests.removal.faulty import ERRORS

KILLS = 4
STATES = 12


@pytest.fixture(params=SCENARIOS, ids=lambda scenario: scenario.name)
def scenario(request: pytest.FixtureRequest, quick_path: Path) -> Scenario:
    chosen: Scenario = request.param
    if reason := impossible(chosen, quick_path):
        pytest.skip(reason)
    return chosen


def offset(scenario: Scenario, every: int) -> int:
    """Which calls of ``every`` are tried: others in each scenario, the same in each run."""
    return zlib.crc32(scenario.name.encode()) % every


def test_killed_at_random_instants(scenario: Scenario, quick_path: Path) -> None:
    rng = random.Random(zlib.crc32(scenario.name.encode()))
    assert kill_at_random(scenario, quick_path, KILLS, rng) == KILLS


def test_killed_at_journal_steps_and_calls(scenario: Scenario, quick_path: Path) -> None:
    assert kill_at_each_call(scenario, quick_path, only=("commit",)) >= 4
    every = 67
    assert kill_at_each_call(
        scenario, quick_path, every=every, offset=offset(scenario, every)
    ) > 0  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: errno.errorcode[error])
def test_calls_that_fail(scenario: Scenario, quick_path: Path, error: int) -> None:
    every = 89
    first = (offset(scenario, every) + error) % every
    assert fail_at_each_call(scenario, quick_path, error, every=every, offset=first) > 0


def test_a_drive_that_vanishes(scenario: Scenario, quick_path: Path) -> None:
    every = 53
    assert fail_at_each_call(
        scenario, quick_path, errno.EIO, onwards=True, every=every, offset=offset(scenario, every)
    ) > 0  # fmt: skip


def test_power_cuts(scenario: Scenario, quick_path: Path) -> None:
    rng = random.Random(zlib.crc32(scenario.name.encode()))
    assert cut_the_power(scenario, quick_path, rng, states=STATES) == STATES


def test_writes_of_the_journal_that_fail(scenario: Scenario, quick_path: Path) -> None:
    every = 7
    stop_the_journal(scenario, quick_path, every=every, offset=offset(scenario, every))
