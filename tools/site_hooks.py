"""Hooks of MkDocs: pages that lie beside ``docs/``, with links that hold in both places.

README.md is the site's front page, and the architecture, the changes and the results of the
benchmarks are pages too. On disk (and wherever the repository is read) their links are relative to
the repository; here they are turned to where the pages stand on the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
FRONT = "README.md"
BESIDE = (
    FRONT,
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "benchmarks/RESULTS.md",
    "src/image_duplicate_finder/fingerprint/models/MODEL_CARD.md",
)
"""Pages that do not lie in ``docs/``, relative to the repository."""

_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")

_ROLE = re.compile(r":[a-z]+:<code>~?(?:[\w.]+\.)?(?P<name>\w+)</code>")
"""A reference of a docstring, :meth:`Library.scan`, as it comes out in HTML."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    from mkdocs.structure.files import File

    for path in BESIDE:
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, _on_site(path), content=text))
    return files


def on_page_markdown(
    markdown: str,
    page: Page,
    config: MkDocsConfig,  # noqa: ARG001
    files: Files,  # noqa: ARG001
) -> str:
    """Turn the links of a page to where their targets stand on the site."""
    own = page.file.src_uri
    return _LINK.sub(lambda link: _turned(link, own), markdown)


def on_page_content(
    html: str,
    page: Page,  # noqa: ARG001
    config: MkDocsConfig,  # noqa: ARG001
    files: Files,  # noqa: ARG001
) -> str:
    """Show the references of docstrings as names."""
    return _ROLE.sub(r"<code>\g<name></code>", html)


def _turned(link: re.Match[str], own: str) -> str:
    folder = posixpath.dirname(_in_repository(own))
    target = posixpath.normpath(posixpath.join(folder, link["target"]))
    turned = posixpath.relpath(_on_site(target), posixpath.dirname(own) or ".")
    return turned + (link["anchor"] or "")


def _on_site(path: str) -> str:
    """Where a file of the repository stands on the site."""
    if path == FRONT:
        return "index.md"
    return path.removeprefix("docs/") if path.startswith("docs/") else f"project/{path}"


def _in_repository(page: str) -> str:
    """Where a page of the site lies in the repository."""
    if page == "index.md":
        return FRONT
    return page.removeprefix("project/") if page.startswith("project/") else f"docs/{page}"
