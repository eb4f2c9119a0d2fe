"""Licences of everything the program depends on: docs/licences.md, NOTICE and the About page.

    python -m tools.licences           # writes the three
    python -m tools.licences --check   # 1 if they are not up to date

A package's own metadata are read where it is installed; the shared libraries in its wheel are
found in its list of files. What neither can tell is written down here.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
NOTICE = ROOT / "NOTICE"
TABLE = ROOT / "src" / "image_duplicate_finder" / "web" / "licences.json"

_SAID_PLAINLY = {
    "blinker": "MIT",
    "coloredlogs": "MIT",
    "flatbuffers": "Apache-2.0",
    "humanfriendly": "MIT",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "markdown-it-py": "MIT",
    "mdurl": "MIT",
    "mpmath": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "onnxruntime": "MIT",
    "opencv-python-headless": "Apache-2.0",
    "pathspec": "MPL-2.0",
    "protobuf": "BSD-3-Clause",
    "rich": "MIT",
    "sympy": "BSD-3-Clause",
    "waitress": "ZPL-2.1",
}
"""SPDX names for packages whose own metadata have none."""

_LINKED_IN = {
    "llvmlite": ("LLVM (Apache-2.0 WITH LLVM-exception)",),
    "pylibjxl": (
        "libjxl (BSD-3-Clause)",
        "Brotli (MIT)",
        "Highway (Apache-2.0 OR BSD-3-Clause)",
        "libjpeg-turbo (IJG AND BSD-3-Clause)",
    ),
    "rawpy": ("LibRaw (LGPL-2.1-only OR CDDL-1.0)",),
}
"""Foreign code inside a package's own module, which no list of files shows."""

_FFMPEG = "FFmpeg (LGPL-2.1-or-later)"
_GCC = "GCC runtime (GPL-3.0-or-later WITH GCC-exception-3.1)"
_OPENBLAS = "OpenBLAS (BSD-3-Clause)"
_OPENSSL = "OpenSSL 1.1 (OpenSSL)"
_WEBP = "libwebp (BSD-3-Clause)"
_SHARED = {
    "libXau": "libXau (MIT)",
    "libaom": "libaom (BSD-2-Clause)",
    "libavcodec": _FFMPEG,
    "libavformat": _FFMPEG,
    "libavif": "libavif (BSD-2-Clause)",
    "libavutil": _FFMPEG,
    "libbrotlicommon": "Brotli (MIT)",
    "libbrotlidec": "Brotli (MIT)",
    "libcrypto": _OPENSSL,
    "libde265": "libde265 (LGPL-3.0-or-later)",
    "libdrm": "libdrm (MIT)",
    "libfreetype": "FreeType (FTL)",
    "libgfortran": _GCC,
    "libgomp": _GCC,
    "libharfbuzz": "HarfBuzz (MIT)",
    "libheif": "libheif (LGPL-3.0-or-later)",
    "libjasper": "JasPer (JasPer-2.0)",
    "libjpeg": "libjpeg-turbo (IJG AND BSD-3-Clause)",
    "liblcms2": "Little CMS (MIT)",
    "liblzma": "XZ Utils (0BSD)",
    "libopenblaso": _OPENBLAS,
    "libopenblasp": _OPENBLAS,
    "libopenjp2": "OpenJPEG (BSD-2-Clause)",
    "libpng16": "libpng (libpng-2.0)",
    "libquadmath": "libquadmath (LGPL-2.1-or-later)",
    "libscipy_openblas64_": _OPENBLAS,
    "libsharpyuv": _WEBP,
    "libssl": _OPENSSL,
    "libswresample": _FFMPEG,
    "libswscale": _FFMPEG,
    "libtiff": "LibTIFF (libtiff)",
    "libvpx": "libvpx (BSD-3-Clause)",
    "libwebp": _WEBP,
    "libwebpdemux": _WEBP,
    "libwebpmux": _WEBP,
    "libx265": "x265 (GPL-2.0-or-later)",
    "libxcb": "libxcb (X11)",
    "libzstd": "Zstandard (BSD-3-Clause)",
}
"""Shared libraries in wheels for Linux; those for other systems contain the same."""

_HEAD = """\
# Licences

The program itself is under the MIT licence (`LICENSE`). It depends on the packages below, which are
installed separately and are not part of it. `python -m tools.licences` writes this page; a test
compares it with what is installed.

**One package contains GPL code.** The wheels of `pillow-heif`, which reads HEIC, contain the
encoder x265 (GPL-2.0-or-later). The program never encodes HEIC. If you distribute the program
together with its packages, you must comply with the GPL for that library, or leave the package
out (`pip uninstall pillow-heif`): HEIC files are then listed as not readable, and everything else
works. Its decode-only sister `pi-heif` does not contain x265, but version 1.4.0 crashes on a file
of our format tests, so it is no replacement.

JPEG XL is read by `pylibjxl` (BSD). Where that has no wheel (Linux on ARM), JPEG XL files are not
read unless you install the extra `jxl-gpl`, whose reader is under the GPL-3.0-or-later.

| package | licence | its wheel contains |
|---|---|---|
"""

_TAIL = """
The package includes htmx (0BSD) and OpenSeadragon (BSD-3-Clause), which the web pages use, with
their licences. The built-in models are EfficientNet-Lite0 and, for the faces in a survey,
MediaPipe's BlazeFace (both Apache-2.0).
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A package with its licence (SPDX), and what else its wheel contains, each with licence."""

    name: str
    licence: str
    contains: tuple[str, ...]


def locked() -> list[str]:
    """The names in requirements/run.txt."""
    lines = (ROOT / "requirements" / "run.txt").read_text().splitlines()
    return sorted({line.partition("==")[0] for line in lines})


def entry_of(name: str) -> Entry:
    """What is known of a package. Raises KeyError where its licence or a library is not."""
    contains = set(_LINKED_IN.get(name, ()))
    try:
        meta = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:  # needed on another system only
        return Entry(name, _SAID_PLAINLY[name], ())
    for file in importlib.metadata.files(name) or ():
        if ".libs/" in file.as_posix() and file.name.startswith("lib"):
            contains.add(_SHARED[re.split(r"-|\.so", file.name)[0]])
    said = meta.get("License-Expression", None) or _SAID_PLAINLY.get(name) or meta["License"]
    return Entry(name, said, tuple(sorted(contains, key=str.lower)))


def written() -> dict[Path, str]:
    """The three files as they should be."""
    entries = [entry_of(name) for name in locked()]
    rows = [f"| {e.name} | {e.licence} | {', '.join(e.contains) or '–'} |" for e in entries]
    notice = [
        "ImageDuplicateFinder",
        "MIT licence, see LICENSE.",
        "",
        "The package contains:",
        "- EfficientNet-Lite0, Apache License 2.0, Copyright 2020 Google LLC",
        "  (src/image_duplicate_finder/fingerprint/models/NOTICE)",
        "- BlazeFace, Apache License 2.0, Copyright 2019 to 2022 The MediaPipe Authors",
        "  (src/image_duplicate_finder/web/models/NOTICE)",
        "- htmx, 0BSD (src/image_duplicate_finder/web/static/vendor/htmx.org/LICENSE)",
        "- OpenSeadragon, BSD-3-Clause, Copyright CodePlex Foundation and OpenSeadragon",
        "  contributors (src/image_duplicate_finder/web/static/vendor/openseadragon/LICENSE)",
        "",
        "It is installed together with these packages, each under its own licence:",
    ]
    for entry in entries:
        notice.append(f"- {entry.name}: {entry.licence}")
        if entry.contains:
            notice.append(f"  its wheel contains {', '.join(entry.contains)}")
    table = {each.name: {"licence": each.licence, "contains": each.contains} for each in entries}
    return {
        PAGE: _HEAD + "\n".join(rows) + "\n" + _TAIL,
        NOTICE: "\n".join(notice) + "\n",
        TABLE: json.dumps(table, indent=1) + "\n",
    }


def main() -> int:
    """Write the files, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    differ = False
    for path, text in written().items():
        if check:
            differ |= not path.exists() or path.read_text(encoding="utf-8") != text
        else:
            path.write_text(text, encoding="utf-8")
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
