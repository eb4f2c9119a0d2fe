"""A fault that passes is no property of a file: the next scan has the picture again."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from image_duplicate_finder import DecodeLimits, Library, Mode, ScanSettings
from image_duplicate_finder.decode import decode_small
from image_duplicate_finder.errors import DecodeError, LibraryUnavailable, UsageError
from image_duplicate_finder.executors import processes
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.executors.processes import ProcessExecutor
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.messages import FailureReason
from image_duplicate_finder.model import Failure, FileStat, Fingerprinted
from image_duplicate_finder.scan import intake
from image_duplicate_finder.store import Store
from image_duplicate_finder.store.database import Database
from tests.conftest import Painter
from tests.fingerprint.small_models import DOUBLE, FLOAT16, INT64, MEAN_COLOUR, write_model

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

ODD_DECODER = '''
import os, signal, threading, time
from PIL import Image, ImageFile

def act(how):
    if how == "hang":
        time.sleep(1e9)
    if how == "poll":
        while True:
            time.sleep(0.01)
    if how == "spin":
        while True:
            pass
    if how == "spin in threads":
        for _ in range(3):
            threading.Thread(target=act, args=("spin",), daemon=True).start()
        act("spin")
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "full":
        raise OSError(28, "No space left on device")
    if how == "memory":
        raise MemoryError
    if how == "no thread":
        raise RuntimeError("can't start new thread")
    if how == "no library":
        import a_library_that_is_not_there

class Odd(ImageFile.ImageFile):
    """Any picture behind a line that says what its decoder does, once or always."""
    format = "ODD"
    format_description = "odd"
    def _open(self):
        import io
        how, flag, data = self.fp.read().split(b"\\n", 2)
        how, flag = how.decode().removeprefix("ODD "), flag.decode()
        if not flag or not os.path.exists(flag):
            if flag:
                open(flag, "w").close()
            act(how)
        self.inner = Image.open(io.BytesIO(data)).convert("RGB")
        self._size, self._mode = self.inner.size, "RGB"
    def load(self):
        self.im = self.inner.im
        return super(ImageFile.ImageFile, self).load()

Image.register_open("ODD", Odd, lambda prefix: prefix.startswith(b"ODD "))
'''
"""A format whose decoder misbehaves as its file says; processes load it when they start."""


@pytest.fixture
def odd_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "odd decoder"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(ODD_DECODER)
    monkeypatch.syspath_prepend(str(folder))


def odd_file(path: Path, painted: Painter, how: str, *, once: bool = True) -> Path:
    """A file that does ``how`` to its decoder, the first time or always."""
    held = io.BytesIO()
    Image.fromarray(painted(50, width=160, height=120)).save(held, "PNG")
    flag = str(path.with_suffix(".done.txt")) if once else ""
    path.write_bytes(f"ODD {how}\n{flag}\n".encode() + held.getvalue())
    return path


def save(painted: Painter, path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(painted(seed, width=160, height=120)).save(path)
    return path


def quick(**limits: Any) -> ScanSettings:
    return ScanSettings(mode=Mode.QUICK, limits=DecodeLimits(**limits), jobs=2)


def answers(paths: list[Path], limits: DecodeLimits) -> list[Any]:
    tasks = [FileTask(str(path), path.stat().st_size) for path in paths]
    with ProcessExecutor(Specs(Mode.QUICK, limits=limits), jobs=1) as executor:
        return [answer for answer, _ in executor.map(tasks)]


def workers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "executors.child files" in " ".join(child.cmdline())
    ]


@needs_signals
def test_a_program_that_was_stopped_blames_no_file(tmp_path: Path, painted: Painter) -> None:
    """The whole program stands still for longer than a file may take, again and again."""
    for seed in range(40):
        save(painted, tmp_path / "photos" / f"{seed}.png", seed % 10)
    code = (
        "import sys\n"
        "from image_duplicate_finder import DecodeLimits, Library, Mode, ScanSettings\n"
        "limits = DecodeLimits(seconds=0.5)\n"
        "with Library.open(sys.argv[1]) as library:\n"
        "    scan = library.scan([sys.argv[2]], ScanSettings(mode=Mode.QUICK, limits=limits))\n"
        "    print(scan.files, scan.failures)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "library"), str(tmp_path / "photos")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(4):
        time.sleep(0.4)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(1.2)
            os.killpg(process.pid, signal.SIGCONT)
    said, _ = process.communicate(timeout=240)
    assert said.split() == ["40", "0"]


@needs_signals
@pytest.mark.usefixtures("odd_decoder")
def test_a_worker_that_alone_is_stopped_goes_on_later(tmp_path: Path, painted: Painter) -> None:
    path = odd_file(tmp_path / "odd.picture", painted, "stop")

    def go_on() -> None:
        until = time.monotonic() + 120
        stopped: list[psutil.Process] = []
        while not stopped and time.monotonic() < until:
            time.sleep(0.1)
            stopped = [each for each in workers() if each.status() == psutil.STATUS_STOPPED]
        time.sleep(2)
        for each in stopped:
            each.resume()

    thread = threading.Thread(target=go_on)
    thread.start()
    (answer,) = answers([path], DecodeLimits(seconds=0.5))
    thread.join()
    assert isinstance(answer, Fingerprinted)


@pytest.mark.usefixtures("odd_decoder")
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("hang", "stalled for"),
        ("poll", "stalled for"),
        ("spin", "longer than 0.5 seconds"),
        ("spin in threads", "longer than 0.5 seconds"),
    ],
)
def test_a_decoder_that_never_ends_is_ended(
    tmp_path: Path, painted: Painter, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    monkeypatch.setattr(processes, "WAITING_LIMIT", processes.WaitingLimit(1.0))
    odd = odd_file(tmp_path / "odd.picture", painted, how, once=False)
    good = save(painted, tmp_path / "good.png", 1)
    failure, after = answers([odd, good], DecodeLimits(seconds=0.5))
    assert isinstance(failure, Failure)
    assert (failure.stage, words in failure.message) == ("timeout", True)
    assert isinstance(after, Fingerprinted)


@pytest.mark.usefixtures("odd_decoder")
@pytest.mark.parametrize(
    ("how", "stage"),
    [
        ("hang", "timeout"),
        ("spin", "timeout"),
        ("full", "read"),
        ("memory", "memory"),
        ("no thread", "read"),
        ("no library", "read"),
    ],
)
def test_what_failed_for_a_passing_reason_is_there_in_the_next_scan(
    tmp_path: Path,
    library_dir: Path,
    painted: Painter,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    stage: str,
) -> None:
    monkeypatch.setattr(processes, "WAITING_LIMIT", processes.WaitingLimit(0.5))
    for seed in range(3):
        save(painted, tmp_path / "photos" / f"{seed}.png", seed)
    odd = odd_file(tmp_path / "photos" / "odd.picture", painted, how)
    with Library.open(library_dir) as library:
        first = library.scan([tmp_path / "photos"], quick(seconds=0.5))
        assert [(each.path, each.stage) for each in library.failures(first.id)] == [
            (str(odd), stage)
        ]
        again = library.scan([tmp_path / "photos"], quick(seconds=0.5))
        assert library.failures(again.id) == []
        assert library.files_at(again.id, [str(odd)])


@needs_signals
@pytest.mark.usefixtures("odd_decoder")
def test_a_file_that_always_fails_is_tried_less_and_less_but_never_given_up(
    tmp_path: Path, library_dir: Path, painted: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three scans in a row try it; then it rests for an hour, for two, for four."""
    now = 1_700_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    save(painted, tmp_path / "photos" / "good.png", 1)
    odd = odd_file(tmp_path / "photos" / "odd.picture", painted, "die", once=False)
    tried: list[bool] = []
    started = processes.ProcessExecutor.map

    def counted(self: ProcessExecutor, tasks: Any) -> Any:
        tried.extend(task.suspect for task in tasks if task.path == str(odd))
        return started(self, tasks)

    monkeypatch.setattr(processes.ProcessExecutor, "map", counted)

    def scans(library: Library, count: int) -> None:
        for _ in range(count):
            scan = library.scan([tmp_path / "photos"], quick())
            assert [each.stage for each in library.failures(scan.id)] == ["crash"]

    with Library.open(library_dir) as library:
        scans(library, 5)
        assert tried == [False, True, True]
        now += 3700
        scans(library, 2)
        assert len(tried) == 4
        now += 3700
        scans(library, 1)
        assert len(tried) == 4
        now += 3700
        scans(library, 2)
        assert len(tried) == 5
        now -= 1_000_000
        scans(library, 1)
        assert len(tried) == 6, "a clock that was put back makes nobody wait"
        library.scan([tmp_path / "photos"], quick(seconds=61))
        assert len(tried) == 7, "other limits are worth a try"


def test_tries_are_counted_for_one_state_of_a_file(library_dir: Path) -> None:
    store = Store(library_dir)

    def tries(stage: str, size: int, limits: str = "limits") -> int:
        failure = Failure("/p/a.jpg", stage, FailureReason.VANISHED())
        store.files.put_failures([(failure, FileStat(size, 1, 1, 1, 1))], limits)
        (known,) = store.files.below(["/p"])
        return known.failed_tries

    assert [tries("timeout", 1), tries("crash", 1), tries("memory", 1)] == [1, 2, 3]
    assert [tries("crash", 2), tries("crash", 2), tries("crash", 2, "more")] == [1, 2, 1]
    assert [tries("decode", 2), tries("crash", 2)] == [0, 1]
    assert intake._TRIES_AT_ONCE == 3


def test_what_an_older_version_held_against_files_is_tried_again(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    paths = [save(painted, tmp_path / "photos" / f"{seed}.png", seed) for seed in range(3)]
    with Library.open(library_dir) as library:
        first = library.scan([tmp_path / "photos"], quick())
        assert library.failures(first.id) == []
    store = Store(library_dir)
    with store.atomic() as connection:
        for path, stage in zip(paths, ("timeout", "crash", "memory"), strict=True):
            connection.execute(
                "UPDATE file SET failed_stage = ?, failed_message = 'x', content = NULL"
                " WHERE path = ?",
                (stage, os.fsencode(path)),
            )
    store.close()
    with Library.open(library_dir) as library:
        again = library.scan([tmp_path / "photos"], quick())
        assert library.failures(again.id) == []
        assert len(library.files_at(again.id, [str(path) for path in paths])) == 3


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        OSError("out of memory when reading image file"),
        ValueError("Unable to allocate 3.5 GiB for an array"),
    ],
)
def test_decoders_tell_of_too_little_memory_in_many_words(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    held = io.BytesIO()
    Image.new("RGB", (20, 20)).save(held, "TIFF")
    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.load", fails)
    with pytest.raises(DecodeError) as raised:
        decode_small(held.getvalue(), long_side=64, colour=True, limits=DecodeLimits())
    assert raised.value.stage == "memory"


Nodes = list[tuple[str, list[str], str]]
MODELS: dict[str, tuple[Nodes, dict[str, Any], str]] = {
    "one at a time": (MEAN_COLOUR, {"batch": 1}, "2 at a time"),
    "two at a time": (MEAN_COLOUR, {"batch": 2}, "1 at a time"),
    "two inputs": (
        [("Add", ["pixels", "text"], "sum"), ("Flatten", ["sum"], "vector")],
        {"inputs": ("pixels", "text")},
        "one input",
    ),
    "an output per pixel": ([("Relu", ["pixels"], "vector")], {}, "one vector per picture"),
    "one number for all": ([("ReduceMean", ["pixels"], "vector")], {}, "one vector per picture"),
    "whole numbers in": (
        [("Abs", ["pixels"], "vector")],
        {"kind": INT64, "output_kind": INT64},
        "32-bit floats",
    ),
    "half floats in": (
        [("Abs", ["pixels"], "vector")],
        {"kind": FLOAT16, "output_kind": FLOAT16},
        "32-bit floats",
    ),
    "doubles in": (
        [("Abs", ["pixels"], "vector")],
        {"kind": DOUBLE, "output_kind": DOUBLE},
        "32-bit floats",
    ),
    "no numbers": (
        [*MEAN_COLOUR[:1], ("Flatten", ["mean"], "flat"), ("Log", ["flat"], "vector")],
        {"mean": 200.0},
        "no numbers",
    ),
    "an unknown operator": ([("Dream", ["pixels"], "vector")], {}, "not an ONNX model"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_does_not_fit_stops_the_scan_before_it_starts(
    tmp_path: Path, library_dir: Path, painted: Painter, name: str
) -> None:
    nodes, options, words = MODELS[name]
    model = write_model(tmp_path / "model.onnx", nodes, **options)
    save(painted, tmp_path / "photos" / "a.png", 1)
    settings = ScanSettings(model=str(model), jobs=1)
    with Library.open(library_dir) as library:
        with pytest.raises(UsageError, match=words) as raised:
            library.scan([tmp_path / "photos"], settings)
        assert "model.onnx" in str(raised.value)
        assert library.scans() == []


def test_a_model_that_fits_is_used_and_one_that_fails_later_marks_no_picture(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    save(painted, tmp_path / "photos" / "a.png", 1)
    save(painted, tmp_path / "photos" / "b.png", 2)
    fits = write_model(tmp_path / "fits.onnx", MEAN_COLOUR)
    root: Nodes = [
        *MEAN_COLOUR[:1],
        ("Abs", ["mean"], "size"),
        ("Neg", ["size"], "below"),
        ("Sqrt", ["below"], "root"),
        ("Flatten", ["root"], "vector"),
    ]
    fails = write_model(tmp_path / "fails.onnx", root)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path / "photos"], ScanSettings(model=str(fits), jobs=1))
        assert library.failures(scan.id) == []
    with Library.open(tmp_path / "other library") as library:
        scan = library.scan([tmp_path / "photos"], ScanSettings(model=str(fits), jobs=1))
        assert library.failures(scan.id) == []
    with Library.open(tmp_path / "third library") as library:
        settings = ScanSettings(model=str(fails), jobs=1)
        with pytest.raises(Exception, match="None of the files"):
            library.scan([tmp_path / "photos"], settings)
        assert {each.stage for each in library.failures(1)} == {"model"}
        scan = library.scan([tmp_path / "photos"], ScanSettings(jobs=1))
        assert library.failures(scan.id) == []


def test_a_full_disk_stops_the_scan_and_holds_nothing_against_a_picture(
    tmp_path: Path, library_dir: Path, painted: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself refuses: its database may not grow any more."""
    for seed in range(30):
        save(painted, tmp_path / "photos" / f"{seed}.png", seed)
    connect = Database._connect

    def on_a_full_disk(self: Database) -> Any:
        made = connect(self)
        (pages,) = made.execute("PRAGMA page_count").fetchone()
        made.execute(f"PRAGMA max_page_count = {pages}")
        return made

    Library.open(library_dir).close()
    with monkeypatch.context() as full, Library.open(tmp_path / "other") as other:
        full.setattr(Database, "_connect", on_a_full_disk)
        with (
            Library.open(library_dir) as library,
            pytest.raises(LibraryUnavailable, match="is full") as raised,
        ):
            library.scan([tmp_path / "photos"], quick())
        assert "library.sqlite" in str(raised.value)
        assert other.scan([tmp_path / "photos"], quick()).failures == 0
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path / "photos"], quick())
        assert (scan.files, library.failures(scan.id)) == (30, [])


def test_a_library_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    (tmp_path / "library" / "library.sqlite").mkdir(parents=True)
    with pytest.raises(LibraryUnavailable, match="cannot be read or written to"):
        Library.open(tmp_path / "library")
