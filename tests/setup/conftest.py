"""A checkout as a new user gets it: what git would hold of the working tree, cloned."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.setup.checkouts import REPOSITORY, git

sys.path.insert(0, str(REPOSITORY / "scripts"))


@pytest.fixture(scope="session")
def manifests() -> ModuleType:
    """packaging/manifests.py; a package of another project has the name of its folder."""
    spec = importlib.util.spec_from_file_location(
        "manifests", REPOSITORY / "packaging" / "manifests.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one commit: the working tree without what git ignores."""
    folder = tmp_path_factory.mktemp("upstream")
    listed = subprocess.run(
        ["git", "-C", REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.split(b"\0")):
        source = REPOSITORY / os.fsdecode(name)
        if source.is_file():  # listed files can have been removed from the working tree
            target = folder / os.fsdecode(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "The working tree")
    return folder


@pytest.fixture
def checkout(upstream: Path, tmp_path: Path) -> Path:
    """A fresh clone that may be changed."""
    folder = tmp_path / "a clone with spaces"
    git(tmp_path, "clone", "--quiet", str(upstream), str(folder))
    return folder
