"""The speed figures: ``python -m benchmarks.speed PART... --photos DIR...``

Parts: camera and set-a (tools in turns, and a loop that only decodes), pairs (CPU time of one
verified pair), few (whole commands on few files), installed (installations by the start script and
by pip, and the first scans after them; asks the package index), memory (standard mode, 1,000 and
10,000 files), again (a second scan against find), growth (1,000 to 100,000 files; memory and disk
with it), start, million (generated fingerprints). ``table`` stands for those from camera to
installed, ``all`` for all. If a part fails, the others are run all the same, and the status is 1.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import races, report
from benchmarks.machine import describe
from benchmarks.measure import Run, measured
from benchmarks.photos import Photo, list_photos
from benchmarks.races import LOOP, Turns, succeeded
from benchmarks.report import Figure
from benchmarks.run import LIMITS, RESULTS, SetSpec
from benchmarks.speed_data import make_camera, make_many
from benchmarks.tools import HERE, NOT_RUNNABLE, TOOLS, WORK, scan_command, scratch
from image_duplicate_finder import compiled

Row = list[str]
Command = list[str | Path]

_TOOLS = (
    "ours-quick", "immaculate-pdq", "czkawka", "image-dedup-ai", "ours-standard",
    "immaculate-sscd_distilled", "fastdup",
)  # fmt: skip
_SMALL_ONLY = ("immaculate-sscd_distilled",)


@dataclass(frozen=True, slots=True)
class Options:
    """What all parts are given.

    ``version`` is that of the checkout before any results were written, ``machine`` as it was
    before the part.
    """

    photos: list[Path]
    repeat: int
    sizes: list[int]
    library: int
    tools: list[str]
    originals: int
    large: int
    whole: int | None
    version: str
    machine: dict[str, Any]
    seed: int = 1

    def list_photos(self) -> list[Photo]:
        """The source photos."""
        return list_photos(self.photos)


def camera(options: Options) -> None:
    """Photos like a camera's: tools in turns with a loop that only reads and decodes."""
    folder = _camera(options)

    def figures(turns: Turns, files: int) -> list[Figure]:
        peers = ", ".join(
            f"{name} {races.ratio(turns, name, LOOP)}" for name in _measured_peers(turns)
        )
        return [
            Figure(
                f"{mode}, {files} photos of 13.5 megapixels: times as long as only decoding",
                wanted,
                races.ratio(turns, f"ours-{mode}", LOOP),
                len(races.to_the_end(turns[f"ours-{mode}"])),
                peers,
                _until_seen(turns, f"ours-{mode}", LOOP),
            )
            for mode, wanted in (("quick", "1.15, faster than peers"), ("standard", "1.35"))
            if {f"ours-{mode}", LOOP} <= turns.keys()
        ]

    _race(options, "1-camera", "Photos like a camera's", folder, figures, leave_out=_SMALL_ONLY)


def set_a(options: Options) -> None:
    """Set A, its second half: tools in turns."""
    folder, _ = _set_a(options)

    def figures(turns: Turns, files: int) -> list[Figure]:
        found = []
        for mode, peer, wanted in (
            ("quick", "immaculate-pdq", "1.1, with verification"),
            ("standard", "immaculate-sscd_distilled", "0.5"),
            ("standard", "fastdup", "0.5"),
        ):
            ours = f"ours-{mode}"
            if not {ours, peer} <= turns.keys():
                continue
            ended = {name: races.to_the_end(turns[name]) for name in (ours, peer)}
            walls = ", ".join(
                f"{name} {report.spread([turn.wall for turn in own])} s"
                for name, own in ended.items()
            )
            found.append(
                Figure(
                    f"{mode}, set A ({files:,} files): times as long as {peer}",
                    wanted,
                    races.ratio(turns, ours, peer),
                    len(ended[ours]),
                    walls,
                    _until_seen(turns, ours, peer),
                )
            )
        return found

    _race(options, "2-set-a", "Set A, 500 x 375 pixels", folder, figures, whole=options.whole)


def _race(
    options: Options,
    name: str,
    title: str,
    folder: Path,
    figures: Callable[[Turns, int], list[Figure]],
    *,
    whole: int | None = None,
    leave_out: Sequence[str] = (),
) -> None:
    """Race all tools over ``folder`` and save after every round, so that nothing can be lost."""
    files = sum(1 for _ in folder.rglob("*.jpg"))
    versions: dict[str, str] = {}
    failed: list[str] = []
    part = "" if whole is None else f" ({whole} for whole scans of this program)"

    def save(turns: Turns) -> None:
        _save(
            options,
            name,
            title,
            f"{files:,} files. Whole processes in turns, {max(map(len, turns.values()))} rounds"
            f"{part}, cold library, warm page cache. Groups are seen when nine tenths of the files "
            "that are in groups in the end are shown in groups; CPU time and memory are those of "
            "all processes.",
            races.COLUMNS,
            races.rows(turns, files),
            figures(turns, files),
            files=files,
            versions=versions,
            turns={
                tool: [
                    {"seen_s": each.seen, "wall_s": each.wall if each.ended else None}
                    for each in own
                ]
                for tool, own in turns.items()
            },
        )

    for tool in [tool for tool in options.tools if tool not in leave_out]:
        try:
            TOOLS[tool].install()
            versions[tool] = TOOLS[tool].version()
        except (RuntimeError, subprocess.CalledProcessError) as error:
            failed.append(f"{tool}: {error}")
    failed += races.race([LOOP, *versions], folder, options.repeat, save, whole)
    if failed:
        raise RuntimeError("\n".join(failed))


def _until_seen(turns: Turns, ours: str, other: str) -> str:
    ratio = races.ratio(turns, ours, other, seen=True)
    return f"until groups are seen {ratio}, {len(turns[ours])} rounds"


def _measured_peers(turns: Turns) -> list[str]:
    return [name for name in turns if name != LOOP and not name.startswith("ours-")]


def pairs(options: Options) -> None:
    """What the verification of one pair costs."""
    folder, truth = _set_a(options)
    with scratch() as place:
        out = place / "out.json"
        command: Command = [sys.executable, "-m", "benchmarks.verifying", folder, truth, out]
        succeeded(measured(command, cwd=HERE.parent))
        found = json.loads(out.read_text())
    rows, figures = [], []
    for mode, what, wanted in (
        ("quick", "of one frame", 0.3),
        ("standard", "by keypoints alone", 0.8),
    ):
        costs, count = found[mode]["ms"], f"{found[mode]['pairs']} ({found[mode]['matches']})"
        rows.append([f"{what}, {mode}", count, report.spread(costs)])
        name = f"verification of one pair {what}, CPU ms"
        figures.append(Figure(name, f"{wanted}", report.spread(costs), len(costs)))
    _save(
        options,
        "9-pairs",
        "CPU time of one verified pair",
        "True pairs of set A: mirrored, upside down and squeezed; cropped and turned by 25 "
        "degrees. One core, decoding of the stored fingerprints included.",
        ["pairs", "count (matches)", "CPU ms"],
        rows,
        figures,
    )


def _camera(options: Options) -> Path:
    def make(out: Path) -> None:
        make_camera(options.list_photos(), out, options.seed, options.large)

    return _folder(f"camera-{options.large}", make)


def _set_a(options: Options) -> tuple[Path, Path]:
    """The folder of set A and that of its truth."""
    spec = SetSpec("a", options.seed, "second", options.originals, 0)
    folder, _ = spec.make(options.photos)
    return folder, WORK / "truth" / spec.id


def again(options: Options) -> None:
    """A second scan of an unchanged folder against ``find`` with stat."""
    count = max(options.sizes)
    folder = _many(options, count)
    rows = []
    with scratch() as place:
        _scan(folder, "quick", place)
        find: Command = ["find", folder, "-type", "f", "-printf", "%s %T@ %i\n"]
        again = scan_command(place / "library", folder, "quick")
        finds, seconds = [], []
        for _ in range(options.repeat):
            finds.append(succeeded(measured(find)).wall)
            seconds.append(succeeded(measured([*again, "--quiet"])).wall)
    bound = 3 * median(finds) + 1
    rows.append([f"{count:,}", report.spread(seconds), report.spread(finds), f"{bound:.2f}"])
    _save(
        options,
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
            with scratch() as place:
                run, stages = _staged_scan(folder, mode, place, count)
                disk = sum(p.stat().st_size for p in (place / "library").rglob("*"))
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
        options,
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
    helps = [succeeded(measured([idf, "--help"])).wall for _ in range(max(5, options.repeat))]
    webs = [web_ready_seconds() for _ in range(max(5, options.repeat))]
    folder = _many(options, min(10_000, max(options.sizes)))
    groups = first_groups_seconds(folder)
    _save(
        options,
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
    figure = dict(rows)
    figures = [
        Figure(
            f"{options.library:,} pictures: candidates, verification, groups",
            "600 s, 4 GiB",
            f"{figure['all, wall']}, {figure['peak memory']}",
            1,
        )
    ]
    _save(
        options,
        "6-million",
        f"A library of {options.library:,} pictures",
        about,
        columns,
        rows,
        figures,
    )


def few(options: Options) -> None:
    """Whole commands on few files."""
    compiled.prepare()
    idf = Path(sys.executable).parent / "idf"
    rows, figures = [], []

    def add(what: str, wanted: str, *command: object) -> None:
        walls = []
        for _ in range(max(5, options.repeat)):
            with scratch() as fresh:
                words = [str(word).replace("FRESH", str(fresh)) for word in command]
                walls.append(succeeded(measured(words)).wall)
        rows.append([what, report.spread(walls), wanted])
        if wanted:
            figures.append(Figure(f"{what}, whole process, s", wanted, rows[-1][1], len(walls)))

    with scratch() as place:
        known = place / "library"
        ten, forty = (_some_photos(options, place, count) for count in (10, 40))
        succeeded(measured([str(idf), "--library", str(known), "scan", str(forty)]))
        scan = (idf, "--library", "FRESH/library", "scan")
        one, other = sorted(ten.iterdir())[:2]
        # `compare` says by its status that the two are different pictures.
        add("`idf compare`", "1", "sh", "-c", f"'{idf}' compare '{one}' '{other}' || [ $? = 1 ]")
        add("`idf find`, among 40 pictures", "1", idf, "--library", known, "find", one)
        add("`idf scan`, 10 pictures", "1", *scan, ten)
        add("`idf scan`, 40 pictures", "", *scan, forty)
    _save(
        options,
        "7-few",
        "Few files",
        "Whole commands, warm page cache.",
        ["what", "seconds", "wanted at most"],
        rows,
        figures,
    )


def _some_photos(options: Options, place: Path, count: int) -> Path:
    """A new folder with ``count`` of the source photos."""
    photos = [photo.path for photo in options.list_photos()]
    folder = place / str(count)
    folder.mkdir()
    for photo in photos[:: len(photos) // count][:count]:
        shutil.copy(photo, folder)
    return folder


def installed(options: Options) -> None:
    """What the start script installs, in MB (1,000,000 bytes) on the disk, by package; and the
    first scans after its installation and after one by pip alone."""
    from benchmarks.speed_start import (
        first_and_second_seconds,
        installed_by_pip,
        installed_by_script,
    )

    with scratch() as place:
        script = installed_by_script(place)
        _save_sizes(options, place / "clone" / ".venv")
        forty = _some_photos(options, place, 40)
        rows, figures = [], []
        for way, (python, places) in (
            ("the start script", script),
            ("pip alone", installed_by_pip(place)),
        ):
            first, second = first_and_second_seconds(python, places, forty, rounds=3)
            ratios = report.spread([a / b for a, b in zip(first, second, strict=True)])
            rows.append([way, report.spread(first), report.spread(second), ratios])
            what = f"first scan after an installation by {way}: times as long as the second"
            seconds = f"{rows[-1][1]} s and {rows[-1][2]} s"
            figures.append(Figure(what, "3", ratios, len(first), note=seconds))
    _save(
        options,
        "8-first",
        "First scan after an installation",
        "40 pictures, standard mode, warm page cache; 3 rounds, each from the state right after "
        "the installation.",
        ["installed by", "first scan s", "second scan s", "first / second"],
        rows,
        figures,
    )


def _save_sizes(options: Options, environment: Path) -> None:
    (packages,) = environment.glob("[Ll]ib/**/site-packages")
    sizes: Counter[str] = Counter()
    for folder in packages.iterdir():
        name = folder.name.split(".")[0].split("-")[0].lower()
        sizes[_OWNERS.get(name, name)] += _on_disk(folder)
    whole = _on_disk(environment)
    named = [(name, size) for name, size in sizes.most_common() if size >= 5_000_000]
    rows = [["the environment", f"{whole / 1e6:.0f}"]]
    rows += [[name, f"{size / 1e6:.0f}"] for name, size in named]
    rows.append(["all others", f"{(whole - sum(size for _, size in named)) / 1e6:.0f}"])
    figures = [Figure("installed size of the default installation, MB", "550", rows[0][1], 1)]
    about = f"Python {platform.python_version()}, after compiling."
    _save(options, "8-installed", "Installation", about, ["what", "MB"], rows, figures)


def memory(options: Options) -> None:
    """Memory of all processes in standard mode, at the two smallest sizes."""
    rows: list[Row] = []
    for count in sorted(options.sizes)[:2]:
        folder = _many(options, count)
        run = _scan(folder, "standard")
        peak = f"{run.memory / 2**20:.0f}"
        rows.append([f"{count:,}", f"{run.wall:.1f}", f"{1000 * run.cpu / count:.1f}", peak])
    (fewest, *_, least), (most, *_, peak) = rows[0], rows[-1]
    what = f"{most} files, standard, all processes, MiB"
    figures = [Figure(what, "500", peak, 1, note=f"{least} MiB with {fewest} files")]
    _save(
        options,
        "4-memory",
        "Memory",
        "Standard mode on small JPEGs (200 pixels) in families of 10; one run each, cold library. "
        "The peak is that of all processes together.",
        ["files", "wall s", "CPU ms/file", "peak MiB"],
        rows,
        figures,
    )


_OWNERS = {
    "cv2": "opencv-python-headless",
    "opencv_python_headless": "opencv-python-headless",
    "pil": "pillow",
}


def _on_disk(place: Path) -> int:
    files = [place, *place.rglob("*")]
    return sum(file.lstat().st_blocks * 512 for file in files)


PARTS: dict[str, Callable[[Options], None]] = {
    "camera": camera, "set-a": set_a, "few": few, "pairs": pairs, "installed": installed,
    "memory": memory, "again": again, "growth": growth, "start": start, "million": million,
}  # fmt: skip
TABLE = ("camera", "set-a", "few", "pairs", "installed")
"""What fits into half an hour on two cores, the most wanted first."""


def _scan(folder: Path, mode: str, kept: Path | None = None) -> Run:
    """One scan by the command line, with a library in ``kept`` or an empty one."""
    with scratch() as fresh:
        place = kept or fresh
        command = scan_command(place / "library", folder, mode, place / "out.json")
        return succeeded(measured([*command, "--quiet"]))


def _staged_scan(folder: Path, mode: str, place: Path, count: int) -> tuple[Run, str]:
    """One scan with an empty library, and the CPU time per file of its stages."""
    out = place / "stages.json"
    command: Command = [
        sys.executable,
        "-m",
        "benchmarks.stages",
        folder,
        mode,
        place / "library",
        out,
    ]
    run = succeeded(measured(command, cwd=HERE.parent, timeout=7200))
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


def _save(
    options: Options,
    name: str,
    title: str,
    about: str,
    columns: Row,
    rows: list[Row],
    figures: Sequence[Figure] = (),
    **more: object,
) -> None:
    values: dict[str, Any] = {
        "title": title,
        "about": about,
        "machine": options.machine,
        "version": options.version,
        **more,
        "figures": [asdict(figure) for figure in figures],
        "columns": columns,
        "rows": rows,
    }
    path = RESULTS / "speed" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(" | ".join(row), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run the parts and write the report; 1 if a part failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "table", "all"])
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--library", type=int, default=1_000_000, help="pictures of 'million'")
    parser.add_argument("--tools", default=",".join(_TOOLS), help="tools of camera and set-a")
    parser.add_argument(
        "--originals", type=int, default=LIMITS["a"], help="photos of set A, before halving"
    )
    parser.add_argument("--large", type=int, default=160, help="photos like a camera's")
    parser.add_argument(
        "--whole", type=int, help="rounds of set-a in which our scans run to the end"
    )
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    given = parser.parse_args(arguments)
    options = Options(
        given.photos,
        given.repeat,
        given.sizes,
        given.library,
        given.tools.split(","),
        given.originals,
        given.large,
        given.whole,
        TOOLS["ours-quick"].version(),
        describe(),
    )
    parts = [
        name
        for part in given.parts
        for name in {"all": tuple(PARTS), "table": TABLE}.get(part, (part,))
    ]
    failed = False
    for name in parts:
        started = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            PARTS[name](replace(options, machine=describe()))
        except RuntimeError as error:
            print(f"{name}: {error}", flush=True)
            failed = True
        print(f"== {name} took {(time.monotonic() - started) / 60:.1f} min", flush=True)
    report.write(RESULTS, given.out, NOT_RUNNABLE)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
