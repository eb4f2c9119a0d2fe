"""``idf doctor``: what this installation can do, and whether a library is in order."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import io
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder import __version__
from image_duplicate_finder.cli.options import open_library
from image_duplicate_finder.cli.output import counted, shown
from image_duplicate_finder.cli.progress import reporting
from image_duplicate_finder.errors import DecodeError, UsageError
from image_duplicate_finder.settings import DecodeLimits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from image_duplicate_finder.library import Library

EXIT_PROBLEMS = 1
_SCANS_OF_A_REPORT = 10


@click.command()
@click.option("--verify", is_flag=True, help="Also read and check every file in the backups.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write the details for a bug report to FILE: no paths, no names, no pictures.",
)
@click.pass_context
def doctor_command(context: click.Context, /, verify: bool, report: str | None) -> int:
    """Check which formats this installation can read and which parts work, by trying them.

    Parts for which this system has no package are listed with what that means.

    --verify compares the journal of removals and the backups with the disk.

    --report writes all of this to a file that you can attach to a bug report, with versions,
    settings and statistics of the library. It contains no paths, file names, hashes or pictures;
    it is plain text, so review it before you share it.

    \b
    Examples:
      idf doctor
      idf doctor --verify
      idf doctor --report report.txt

    \b
    Exit status:
      0 everything works   1 something does not work or does not match
    """
    from image_duplicate_finder.executors.processes import available_cores

    click.echo(f"ImageDuplicateFinder {__version__}, Python {platform.python_version()}")
    click.echo(f"{platform.platform()}, {available_cores()} cores")
    with open_library(context) as library:
        click.echo(f"Library: {shown(str(library.folder))}")
        checks = [*_printed("Formats", check_formats()), *_printed("Parts", check_parts())]
        in_order = _backups_agree(library) if verify else True
        if report is not None:
            _write(report, _report(library, checks))
            click.echo(f"\nThe report is in {shown(report)}. Review it before you share it.")
    return (
        0 if in_order and all(check.works or check.left_out for check in checks) else EXIT_PROBLEMS
    )


def _backups_agree(library: Library) -> bool:

    with reporting() as progress:
        report = library.verify_backups(progress)
    click.echo(f"\nBackups: {counted(report.checked, 'file')} checked")
    for problem in report.problems:
        click.echo(f"  {shown(problem)}")
    click.echo("  Problems were found." if report.problems else "  No problems.")
    return not report.problems


def _write(report: str, lines: Iterable[str]) -> None:
    try:
        Path(report).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{report} cannot be written: {error.strerror}.") from error


def _report(library: Library, checks: Sequence[Check]) -> Iterator[str]:
    """The lines of a report: versions and numbers, nothing that tells of anyone's files.

    Sentences that can name a file, those of failures and of scans that ended badly, are left
    out; how often each stage failed is what tells most.
    """
    from image_duplicate_finder.executors.processes import available_cores

    yield f"ImageDuplicateFinder {__version__}"
    yield f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield f"{platform.system()} {platform.release()} {platform.machine()}"
    yield f"{available_cores()} cores, {shutil.disk_usage(library.folder).free >> 20} MiB free"
    yield ""
    yield "What works"
    for check in checks:
        yield f"  {check.name}: {'yes' if check.works else 'left out' if check.left_out else 'no'}"
    yield ""
    yield "Packages"
    for name, version in package_versions():
        yield f"  {name} {version}"
    yield ""
    yield "Scans, the latest first"
    for scan in library.scans()[:_SCANS_OF_A_REPORT]:
        yield (
            f"  {scan.state.value}: {scan.files} files in {len(scan.roots)} folders, "
            f"{scan.decoded} read, {scan.failures} failed, {scan.seconds:.1f} s"
        )
        for name, value in asdict(scan.settings).items():
            yield f"    {name}: {_harmless(value)}"
        stages = Counter(failure.stage for failure in library.failures(scan.id))
        for stage, count in sorted(stages.items()):
            yield f"    failed at {stage}: {count}"
    yield ""
    backups = library.backups()
    there = sum(info.present for info in backups)
    yield f"Backups: {len(backups)}, {there} of them there, {sum(b.files for b in backups)} files"


def _harmless(value: object) -> str:
    """A setting without what could be a path or a name: of those only how many there are."""
    if value is None or isinstance(value, bool | int | float | StrEnum):
        return str(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_harmless(each)}" for name, each in value.items())
    if isinstance(value, str):
        return "set" if value else "not set"
    if isinstance(value, Sequence):
        plain = all(isinstance(each, StrEnum) for each in value)
        return ", ".join(map(str, value)) if plain else f"{len(value)} of them"
    return "set"


def _printed(title: str, checks: Sequence[Check]) -> Sequence[Check]:
    click.echo(f"\n{title}")
    for check in checks:
        verdict = "works" if check.works else "left out" if check.left_out else "DOES NOT WORK"
        detail = f" ({check.detail})" if check.detail else ""
        click.echo(f"  {check.name}: {verdict}{detail}")
    return checks


_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "TIFF",
    "BMP",
    "HEIF",
    "AVIF",
    "JXL",
    "JPEG2000",
    "DDS",
    "PPM",
    "TGA",
    "ICO",
)
"""Formats that Pillow and the other libraries can write, so that reading them can be tried."""

_SIDE = 64
_LARGEST_DIFFERENCE = 16.0
"""Mean difference of grey levels that the lossiest of the formats (GIF) stays below."""

_PARTS = {
    "rawpy": ("camera RAW files", "rawpy"),
    "onnxruntime": ("similar pictures (CNN features)", "onnxruntime"),
    "numba": ("fast candidate search", "numba"),
    "opencv-python-headless": ("keypoints and alignment", "cv2"),
    "send2trash": ("the system's trash", "send2trash"),
    "waitress": ("the web app", "waitress"),
}
"""Distributions that some function needs: what for, and the module to load."""


_OPTIONAL = {
    "JXL": ("pylibjxl", "JPEG XL files are listed as not readable"),
    "HEIF": ("pillow-heif", "HEIC files are listed as not readable"),
    "rawpy": ("rawpy", "camera RAW files are listed as not readable"),
    "onnxruntime": ("onnxruntime", "no similar pictures are found"),
}
"""What the program does without: the package, and what becomes of it."""

_INSTEAD = {"JXL": "pillow-jxl-plugin (GPL-3.0-or-later)"}
"""Packages that can do the same and are not installed by default."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried; ``detail`` is a version, or why it does not work.

    ``left_out`` is for what does not work since this system has no package of it; ``detail``
    then says what that means.
    """

    name: str
    works: bool
    detail: str = ""
    left_out: bool = False


def check_formats() -> list[Check]:
    """Write a small picture in each format and decode it again as a scan would."""
    return [_checked(name, name, partial(_round_trip, name)) for name in _FORMATS]


def check_parts() -> list[Check]:
    """Load each library that does a part of the work."""
    return [
        _checked(distribution, words, partial(_loaded, distribution, module))
        for distribution, (words, module) in _PARTS.items()
    ]


def package_versions() -> list[tuple[str, str]]:
    """Name and version of each package that the program asks for and finds."""
    from packaging.requirements import Requirement

    lines = importlib.metadata.requires("image-duplicate-finder") or []
    names = sorted({Requirement(line).name for line in lines})
    return [(name, importlib.metadata.version(name)) for name in names if _is_installed(name)]


def _checked(key: str, name: str, try_it: Callable[[], str]) -> Check:
    try:
        return Check(name, True, try_it())
    except (ImportError, OSError, ValueError, KeyError, DecodeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    if key not in _OPTIONAL:
        return Check(name, False, reason)
    package, consequence = _OPTIONAL[key]
    if _is_installed(package):
        return Check(name, False, reason)
    instead = f"; {_INSTEAD[key]} can do it" if key in _INSTEAD else ""
    if _is_required(package):
        return Check(name, False, f"{package} is not installed: {consequence}{instead}")
    detail = f"{package} has no package for this system: {consequence}{instead}"
    return Check(name, False, detail, left_out=True)


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _is_required(distribution: str) -> bool:
    """Whether this program asks for the package on this system."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("image-duplicate-finder") or []
    except importlib.metadata.PackageNotFoundError:
        return True
    wanted = [one for one in map(Requirement, lines) if one.name == distribution]
    return any(one.marker is None or one.marker.evaluate({"extra": ""}) for one in wanted)


def _loaded(distribution: str, module: str) -> str:
    importlib.import_module(module)
    return f"{distribution} {importlib.metadata.version(distribution)}"


def _round_trip(name: str) -> str:
    import numpy as np

    from image_duplicate_finder.decode import decode_full

    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE] * (255 // (_SIDE - 1))
    pixels = np.stack([rows, columns, np.full_like(rows, 128)], axis=2).astype(np.uint8)
    decoded = decode_full(_written(pixels, name), limits=DecodeLimits()).pixels
    if decoded.shape != pixels.shape:
        raise ValueError(f"decoded to {decoded.shape}, not {pixels.shape}")
    if np.abs(decoded.astype(int) - pixels).mean() > _LARGEST_DIFFERENCE:
        raise ValueError("decoded to another picture")
    return ""


def _written(pixels: NDArray[np.uint8], name: str) -> bytes:
    from PIL import Image

    if name == "JXL" and importlib.util.find_spec("pylibjxl") is not None:
        import pylibjxl

        return bytes(pylibjxl.encode(pixels, lossless=True))
    if name == "JXL":
        importlib.import_module("pillow_jxl")
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, format=name)
    return written.getvalue()
