"""The speed figures: ``python -m benchmarks.speed PART... --photos DIR...``

Parts: limit (scans against only decoding), peers, again (a second scan against find),
growth (1,000 to 100,000 files; memory and disk with it), start,
million (generated fingerprints), few (whole commands on few files), installed (an installation of
the start script; asks the package index), all.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import report
from benchmarks.machine import describe
from benchmarks.measure import Run, measured
from benchmarks.photos import Photo, list_photos
from benchmarks.run import RESULTS, SetSpec
from benchmarks.speed_data import make_camera, make_many
from benchmarks.tools import HERE, NOT_RUNNABLE, TOOLS, WORK, scan_command

Row = list[str]

_PEERS = (
    "ours-quick", "immaculate-pdq", "czkawka", "image-dedup-ai", "ours-standard",
    "immaculate-sscd_distilled", "fastdup", "immaculate-sscd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """What all parts are given."""

    photos: list[Path]
    repeat: int
    sizes: list[int]
    library: int
    tools: list[str]
    originals: int
    seed: int = 1

    def list_photos(self) -> list[Photo]:
        """The source photos."""
        return list_photos(self.photos)


def limit(options: Options) -> None:
    """Scans against a bare loop that only reads and decodes, in turns."""
    rows = []
    for name, folder in (("like a camera's, 13.5 megapixels", _camera(options)), _set_a(options)):
        walls: dict[str, list[float]] = {"loop": [], "quick": [], "standard": []}
        for _ in range(options.repeat):
            command = [sys.executable, "-m", "benchmarks.decode_loop", folder]
            walls["loop"].append(_ok(measured(command, cwd=HERE.parent)).wall)
            for mode in ("quick", "standard"):
                walls[mode].append(_scan(folder, mode).wall)
        files = sum(1 for _ in folder.rglob("*.jpg"))
        for mode in ("quick", "standard"):
            ratio = median(a / b for a, b in zip(walls[mode], walls["loop"], strict=True))
            spread = report.spread(walls[mode]), report.spread(walls["loop"])
            rows.append([name, str(files), mode, *spread, f"{ratio:.2f}"])
    _save(
        "1-limit",
        "Scans against only reading and decoding",
        f"Whole processes in turns, {options.repeat} rounds, cold library, warm page cache.",
        ["files", "count", "mode", "scan s", "decode loop s", "ratio (median)"],
        rows,
    )


def peers(options: Options) -> None:
    """Wall time against peers on photos like a camera's and on set A, in turns."""
    for tool in options.tools:
        TOOLS[tool].install()
    rows = []
    for name, folder in (("camera", _camera(options)), _set_a(options)):
        walls: dict[str, list[float]] = {tool: [] for tool in options.tools}
        cpus: dict[str, list[float]] = {tool: [] for tool in options.tools}
        for _ in range(options.repeat):
            for tool in options.tools:
                run, _reported = TOOLS[tool].scan(folder, 3600, 0)
                walls[tool].append(_ok(run).wall)
                cpus[tool].append(run.cpu)
        files = sum(1 for _ in folder.rglob("*.jpg"))
        for tool in options.tools:
            cost = f"{1000 * median(cpus[tool]) / files:.1f}"
            rows.append([name, str(files), tool, report.spread(walls[tool]), cost])
    _save(
        "2-peers",
        "Whole processes",
        f"{options.repeat} rounds in turns, cold library.",
        ["files", "count", "tool", "wall s", "CPU ms/file"],
        rows,
    )


def _camera(options: Options) -> Path:
    return _folder("camera-160", lambda out: make_camera(options.list_photos(), out, options.seed))


def _set_a(options: Options) -> tuple[str, Path]:
    folder, _ = SetSpec("a", options.seed, None, options.originals, 0).make(options.photos)
    return "set A, 500x375", folder


def again(options: Options) -> None:
    """A second scan of an unchanged folder against ``find`` with stat."""
    count = max(options.sizes)
    folder = _many(options, count)
    rows = []
    with tempfile.TemporaryDirectory(dir=WORK) as scratch:
        _scan(folder, "quick", Path(scratch))
        find = ["find", folder, "-type", "f", "-printf", "%s %T@ %i\n"]
        again = scan_command(Path(scratch) / "library", folder, "quick")
        finds, seconds = [], []
        for _ in range(options.repeat):
            finds.append(_ok(measured(find)).wall)
            seconds.append(_ok(measured([*again, "--quiet"])).wall)
    bound = 3 * median(finds) + 1
    rows.append([f"{count:,}", report.spread(seconds), report.spread(finds), f"{bound:.2f}"])
    _save(
        "3-again",
        "Second scan of an unchanged folder",
        f"Quick mode, {options.repeat} rounds in turns.",
        ["files", "second scan s", "find s", "wanted at most s (3 x find + 1)"],
        rows,
    )


def growth(options: Options) -> None:
    """CPU, memory and disk per file at growing numbers of files, with the stages' times."""
    rows = []
    for mode in ("quick", "standard"):
        for count in options.sizes:
            folder = _many(options, count)
            with tempfile.TemporaryDirectory(dir=WORK) as scratch:
                run, stages = _staged_scan(folder, mode, Path(scratch), count)
                disk = sum(p.stat().st_size for p in Path(scratch, "library").rglob("*"))
            rows.append(
                [
                    f"{mode}, {count:,}",
                    f"{run.wall:.1f}",
                    f"{1000 * run.cpu / count:.2f}",
                    f"{run.memory / 2**20:.0f}",
                    f"{disk / count:.0f}",
                    stages,
                ]
            )
    _save(
        "4-growth",
        "Growth",
        "Small JPEGs (200 pixels), families of 10; one run each, cold library.",
        [
            "mode, files",
            "wall s",
            "CPU ms/file",
            "peak MiB",
            "library bytes/file",
            "CPU ms/file of stages (wall)",
        ],
        rows,
    )


def start(options: Options) -> None:
    """Time to the first sign of life of the command line and of the web app."""
    from benchmarks.speed_start import first_groups_seconds, web_ready_seconds

    idf = Path(sys.executable).parent / "idf"
    helps = [_ok(measured([idf, "--help"])).wall for _ in range(max(5, options.repeat))]
    webs = [web_ready_seconds() for _ in range(max(5, options.repeat))]
    folder = _many(options, min(10_000, max(options.sizes)))
    groups = first_groups_seconds(folder)
    _save(
        "5-start",
        "Start",
        "Warm page cache.",
        ["what", "seconds", "wanted at most"],
        [
            ["`idf --help`", report.spread(helps), "0.25"],
            ["web app ready", report.spread(webs), "1.5"],
            ["first groups after Start, 10,000 files", f"{groups:.1f}", "10"],
        ],
    )


def million(options: Options) -> None:
    """Candidates, verification and groups for a library of generated fingerprints."""
    from benchmarks.million import run as run_million

    columns, rows, about = run_million(options.list_photos(), options.seed, options.library)
    _save("6-million", f"A library of {options.library:,} pictures", about, columns, rows)


def few(options: Options) -> None:
    """Whole commands on few files, and the first scan where no loops are compiled yet."""
    idf = Path(sys.executable).parent / "idf"
    photos = [photo.path for photo in options.list_photos()]
    rows = []

    def add(what: str, limit: str, *command: object, times: int = options.repeat) -> None:
        runs = []
        for _ in range(times):
            with tempfile.TemporaryDirectory(dir=WORK) as fresh:
                words = [str(word).replace("FRESH", fresh) for word in command]
                runs.append(_ok(measured(words)).wall)
        rows.append([what, report.spread(runs), limit])

    with tempfile.TemporaryDirectory(dir=WORK) as place:
        for count in (10, 40):
            folder = Path(place) / str(count)
            folder.mkdir()
            for photo in photos[:: len(photos) // count][:count]:
                shutil.copy(photo, folder)
        ten, forty, known = Path(place) / "10", Path(place) / "40", Path(place) / "library"
        _ok(measured([str(idf), "--library", str(known), "scan", str(forty)]))
        scan = (idf, "--library", "FRESH/library", "scan")
        one, other = sorted(ten.iterdir())[:2]
        # `compare` says by its status that the two are different pictures.
        add("`idf compare`", "1", "sh", "-c", f"'{idf}' compare '{one}' '{other}' || [ $? = 1 ]")
        add("`idf find`, among 40 pictures", "1", idf, "--library", known, "find", one)
        add("`idf scan`, 10 pictures", "1", *scan, ten)
        add("`idf scan`, 40 pictures", "", *scan, forty)
        fresh_loops = ("env", "NUMBA_CACHE_DIR=FRESH", *scan, forty)
        add("the same, loops not compiled yet", "", *fresh_loops, times=1)
    _save(
        "7-few",
        "Few files",
        "Whole commands, warm page cache.",
        ["what", "seconds", "wanted at most"],
        rows,
    )


def installed(_options: Options) -> None:
    """What the start script installs, in MB (1,000,000 bytes) on the disk, by package."""
    with tempfile.TemporaryDirectory(dir=WORK) as place:
        _ok(measured(["git", "clone", "--quiet", str(HERE.parent), f"{place}/clone"]))
        command = [sys.executable, f"{place}/clone/scripts/environment.py", "run"]
        _ok(measured(command, timeout=3600))
        (packages,) = (Path(place) / "clone" / ".venv").glob("[Ll]ib/**/site-packages")
        sizes: Counter[str] = Counter()
        for folder in packages.iterdir():
            name = folder.name.split(".")[0].split("-")[0].lower()
            sizes[_OWNERS.get(name, name)] += _on_disk(folder)
        whole = _on_disk(Path(place) / "clone" / ".venv")
    named = [(name, size) for name, size in sizes.most_common() if size >= 5_000_000]
    rows = [["the environment", f"{whole / 1e6:.0f}"]]
    rows += [[name, f"{size / 1e6:.0f}"] for name, size in named]
    rows.append(["all others", f"{(whole - sum(size for _, size in named)) / 1e6:.0f}"])
    _save("8-installed", "Installation", "Python 3.11, after compiling.", ["what", "MB"], rows)


_OWNERS = {
    "cv2": "opencv-python-headless",
    "opencv_python_headless": "opencv-python-headless",
    "pil": "pillow",
}


def _on_disk(place: Path) -> int:
    files = [place, *place.rglob("*")]
    return sum(file.lstat().st_blocks * 512 for file in files)


PARTS: dict[str, Callable[[Options], None]] = {
    "limit": limit, "peers": peers, "again": again, "growth": growth, "start": start,
    "million": million, "few": few, "installed": installed,
}  # fmt: skip


def _scan(folder: Path, mode: str, scratch: Path | None = None) -> Run:
    """One scan by the command line, with a library in ``scratch`` or an empty one."""
    with tempfile.TemporaryDirectory(dir=WORK) as fresh:
        place = scratch or Path(fresh)
        command = scan_command(place / "library", folder, mode, place / "out.json")
        return _ok(measured([*command, "--quiet"]))


def _staged_scan(folder: Path, mode: str, scratch: Path, count: int) -> tuple[Run, str]:
    """One scan with an empty library, and the CPU time per file of its stages."""
    out = scratch / "stages.json"
    command = [sys.executable, "-m", "benchmarks.stages", folder, mode, scratch / "library", out]
    run = _ok(measured(command, cwd=HERE.parent, timeout=7200))
    costs = json.loads(out.read_text())
    parts = [
        f"{stage} {1000 * cost['cpu_s'] / count:.2f} ms ({cost['wall_s']:.1f} s)"
        for stage, cost in costs.items()
    ]
    return run, ", ".join(parts)


def _many(options: Options, count: int) -> Path:
    def make(out: Path) -> None:
        make_many(options.list_photos(), out, options.seed, count)

    return _folder(f"many-{count}", make)


def _folder(name: str, make: Callable[[Path], None]) -> Path:
    """A made folder; one that was cut short is made anew."""
    folder, marker = WORK / "speed" / name, WORK / "speed" / f"{name}.made"
    if not marker.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)
        marker.touch()
    return folder


def _ok(run: Run) -> Run:
    if run.status != 0:
        raise RuntimeError(f"{' '.join(run.command)} failed ({run.status}): {run.output[-800:]}")
    return run


def _save(name: str, title: str, about: str, columns: Row, rows: list[Row]) -> None:
    values: dict[str, Any] = {
        "title": title,
        "about": about,
        "machine": describe(),
        "version": TOOLS["ours-quick"].version(),
        "columns": columns,
        "rows": rows,
    }
    path = RESULTS / "speed" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(" | ".join(row), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, run the parts and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "all"])
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--library", type=int, default=1_000_000, help="pictures of 'million'")
    parser.add_argument("--tools", default=",".join(_PEERS), help="tools of 'peers'")
    parser.add_argument("--originals", type=int, default=834, help="photos of set A")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    given = parser.parse_args(arguments)
    options = Options(
        given.photos,
        given.repeat,
        given.sizes,
        given.library,
        given.tools.split(","),
        given.originals,
    )
    for name in PARTS if "all" in given.parts else given.parts:
        print(f"== {name}", flush=True)
        PARTS[name](options)
    report.write(RESULTS, given.out, NOT_RUNNABLE)


if __name__ == "__main__":
    main()
