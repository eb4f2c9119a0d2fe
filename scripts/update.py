"""Brings a clean git checkout up to date with its upstream (standard library only)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

FETCH_SECONDS = 10.0
"""How long a start may wait for the upstream before it goes on without it."""


def update(checkout: Path) -> str | None:
    """Fast-forward ``checkout`` to its upstream; a sentence about it, or None if nothing moved.

    Nothing happens, silently, where there is no git, no upstream, no connection, where tracked
    files were changed, or where the checkout has commits of its own.
    """
    if shutil.which("git") is None or not (checkout / ".git").exists():
        return None
    if _git(checkout, "status", "--porcelain", "--untracked-files=no") != "":
        return None
    before = _git(checkout, "rev-parse", "HEAD")
    if before is None or _git(checkout, "rev-parse", "--verify", "@{upstream}") is None:
        return None
    if _git(checkout, "fetch", "--quiet", seconds=FETCH_SECONDS) is None:
        return None
    if _git(checkout, "merge", "--ff-only", "--quiet", "@{upstream}") is None:
        return None
    if _git(checkout, "rev-parse", "HEAD") == before:
        return None
    count = _git(checkout, "rev-list", "--count", f"{before}..HEAD")
    return f"Updated to the newest version ({count} {'change' if count == '1' else 'changes'})."


def _git(checkout: Path, *arguments: str, seconds: float = 30.0) -> str | None:
    """What a git command prints, or None if it failed, asked for a password or took too long."""
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": os.environ.get(
            "GIT_SSH_COMMAND", f"ssh -o BatchMode=yes -o ConnectTimeout={FETCH_SECONDS:.0f}"
        ),
    }
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
