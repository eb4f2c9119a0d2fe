"""One table of formats: it agrees with itself, and no other module keeps a list of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_duplicate_finder
from image_duplicate_finder.decode.sniff import sniff
from image_duplicate_finder.formats import (
    CAMERA_EXTENSIONS,
    FEW_COLOUR_FORMATS,
    FORMATS,
    LIVE_EXTENSIONS,
    LOSSLESS_FORMATS,
    PICTURE_EXTENSIONS,
    RAW_EXTENSIONS,
    RAW_FORMATS,
    Format,
)
from image_duplicate_finder.keeping import format_class

PACKAGE = Path(image_duplicate_finder.__file__).parent
# The table itself; and which formats the libraries of an installation can write, to try them.
LISTS = {PACKAGE / "formats.py", PACKAGE / "cli" / "doctor.py"}
NAMES = frozenset(each.name for each in FORMATS)


def test_the_table_agrees_with_itself() -> None:
    assert len(NAMES) == len(FORMATS)
    extensions = [extension for each in FORMATS for extension in each.extensions]
    assert len(set(extensions)) == len(extensions)
    assert LIVE_EXTENSIONS < CAMERA_EXTENSIONS < PICTURE_EXTENSIONS
    assert not RAW_EXTENSIONS & CAMERA_EXTENSIONS
    assert {"crw", "nrw", "rwl", "3fr", "iiq"} <= RAW_EXTENSIONS
    assert not RAW_FORMATS & (LOSSLESS_FORMATS | FEW_COLOUR_FORMATS)


def _files(each: Format) -> Iterator[bytes]:
    """The shortest files that are known to be of a format."""
    for signature in each.signatures:
        yield signature + bytes(40)
    for brand in each.brands:
        yield b"\0\0\0\x18ftyp" + brand.ljust(4) + bytes(4) + brand.ljust(4) + bytes(40)
    for maker in each.makers:
        name = f"{maker} CORPORATION\0".encode()
        # One directory: the maker, and a photometric interpretation of a sensor's mosaic.
        make = b"\x0f\x01\x02\0" + len(name).to_bytes(4, "little") + (38).to_bytes(4, "little")
        mosaic = b"\x06\x01\x03\0\x01\0\0\0" + (32803).to_bytes(4, "little")
        yield b"II*\0\x08\0\0\0\x02\0" + mosaic + make + bytes(4) + name


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_what_the_table_says_of_content_is_recognised(each: Format) -> None:
    for data in _files(each):
        assert sniff(data) == each.name


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_keeping_knows_the_same_formats(each: Format) -> None:
    for lossless in (False, True):
        rank = format_class(each.name, lossless)
        assert (rank == 3) == each.raw
        assert (rank == 0) == each.few_colours


def _texts(node: ast.AST) -> Iterator[str]:
    """The texts in one collection: a set, list or tuple, keys of a dict, a text that is split."""
    parts: list[ast.expr | None] = []
    if isinstance(node, ast.Set | ast.List | ast.Tuple):
        parts = list(node.elts)
    elif isinstance(node, ast.Dict):
        parts = list(node.keys)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        words = node.value.split()
        # A sentence that names formats is no list of them.
        if all(word.isalnum() and len(word) <= 8 for word in words):
            yield from words
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _docstrings(tree: ast.Module) -> set[int]:
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_other_module_lists_formats(path: Path) -> None:
    """RAW families nowhere else; other formats only where decoders are unlike each other."""
    if path in LISTS:
        return
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = _docstrings(tree)
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        texts = {text.lstrip(".") for text in _texts(node)}
        raw = {text for text in texts if text in RAW_FORMATS or text.lower() in RAW_EXTENSIONS}
        assert len(raw - {"RAW", "raw"}) < 2, f"line {getattr(node, 'lineno', 0)}: {sorted(raw)}"
        if path.parent.name != "decode":
            known = {text for text in texts if text in NAMES}
            assert len(known) < 2, f"line {getattr(node, 'lineno', 0)}: {sorted(known)}"
