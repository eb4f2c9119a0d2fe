"""Power cuts: what may be on the disk when the machine stops, and whether anything is lost then.

SIGKILL leaves to the disk all that was written. A power cut does not: what no fsync waited for
may be missing, come in another order, or be there in part. :class:`Recorder` writes down each
call of ``removal.fs`` and each commit of the journal; :func:`crash` makes from the first of them
a state of the disk that POSIX allows:

- the entries of a folder are sure once the folder was synced; before that each change may be
  there or not, whatever the order;
- a rename is atomic: the old name does not go without the new one coming; changes of one name
  keep their order;
- the bytes and attributes of a file are sure once it was synced; before that the bytes may be
  missing, or end anywhere;
- the journal is as of its last commit, which SQLite synced.

The state is laid out at the very paths, and then the program starts.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat as stat_bits
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image_duplicate_finder.removal import fs
from image_duplicate_finder.removal.journal import FILE_NAME, Journal
from tests.removal.scene import trash_of


@dataclass(eq=False)
class Node:
    """A file, link or folder. ``writes`` are the calls that changed it, with what it was then."""

    kind: str
    writes: list[tuple[int, Content]] = field(default_factory=list)
    syncs: list[int] = field(default_factory=list)

    def at(self, call: int) -> Content:
        """What it holds after a call, if all of it came to the disk."""
        return [content for number, content in self.writes if number <= call][-1]

    def durable(self, call: int) -> Content | None:
        """What it holds for sure after a call; None for a new file that nothing waited for."""
        synced = max((number for number in self.syncs if number <= call), default=-1)
        sure = [content for number, content in self.writes if number <= synced]
        return sure[-1] if sure else None


@dataclass(frozen=True)
class Content:
    """Bytes (or the aim of a link) and attributes of a node."""

    data: bytes
    mode: int
    times: tuple[int, int]
    xattrs: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, path: str) -> Content:
        """As it stands on the disk."""
        status = os.lstat(path)
        data = b""
        if stat_bits.S_ISLNK(status.st_mode):
            data = os.fsencode(os.readlink(path))
        elif stat_bits.S_ISREG(status.st_mode):
            data = Path(path).read_bytes()
        names = os.listxattr(path, follow_symlinks=False)
        return cls(
            data,
            stat_bits.S_IMODE(status.st_mode),
            (status.st_atime_ns, status.st_mtime_ns),
            tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names),
        )


@dataclass
class Entry:
    """A change of a folder's entries: a name comes (``node``) or goes (None).

    ``needs`` is the change without which this one cannot be on the disk.
    """

    call: int
    path: str
    node: Node | None
    needs: Entry | None = None


class Recorder:
    """Writes down what happens to the files below ``tops`` from now on."""

    def __init__(self, tops: list[Path], journal: Path, can: Path) -> None:
        self.tops, self.journal, self.can = tops, journal, can
        self.calls: list[str] = []
        self.names: dict[str, Node] = {}
        self.entries: list[Entry] = []
        self.folder_syncs: list[tuple[int, str]] = []
        self.commits: list[tuple[int, bytes]] = []
        self._open: dict[int, str] = {}
        for top in tops:
            for folder, folders, names in os.walk(top):
                for name in folders + names:
                    self._see(os.path.join(folder, name))
        self.first = list(self.entries)
        file = journal / FILE_NAME
        self.commits.append((-1, file.read_bytes() if file.exists() else b""))

    @property
    def now(self) -> int:
        """The number of the last call."""
        return len(self.calls) - 1

    def _mine(self, path: str) -> bool:
        inside = any(path.startswith(f"{top}{os.sep}") for top in self.tops)
        return inside and not path.startswith(f"{self.journal}{os.sep}")

    def _see(self, path: str) -> None:
        """A name that came."""
        if not self._mine(path) or path == str(self.journal):
            return
        mode = os.lstat(path).st_mode
        kind = (
            "link" if stat_bits.S_ISLNK(mode) else "folder" if stat_bits.S_ISDIR(mode) else "file"
        )
        node = Node(kind, [(self.now, Content.of(path))], [self.now] if self.now < 0 else [])
        self._enter(path, node)

    def _enter(self, path: str, node: Node | None, needs: Entry | None = None) -> Entry:
        entry = Entry(self.now, path, node, needs)
        self.entries.append(entry)
        if node is None:
            del self.names[path]
        else:
            self.names[path] = node
        return entry

    def _changed(self, path: str) -> None:
        if path in self.names:
            self.names[path].writes.append((self.now, Content.of(path)))

    def call(self, name: str, function: Callable[..., Any], *values: Any) -> Any:
        """Carry out a call of ``fs`` and write down what it did."""
        in_can = set(_files_below(self.can)) if name == "trash" else set()
        descriptor_path = self._open.get(values[0]) if values and name in _BY_NUMBER else None
        result = function(*values)
        self.calls.append(name)
        if name in ("open_new", "open_append", "open_read"):
            self._open[result] = values[0]
            if values[0] not in self.names and name != "open_read":
                self._see(values[0])
        elif name == "close":
            self._open.pop(values[0], None)
        elif name == "write" and descriptor_path:
            self._changed(descriptor_path)
        elif name == "fsync" and descriptor_path in self.names:
            self.names[descriptor_path].syncs.append(self.now)
        elif name == "fsync_path":
            self.folder_syncs.append((self.now, values[0]))
            if values[0] in self.names:
                self.names[values[0]].syncs.append(self.now)
        elif name in ("mkdir", "symlink", "reflink"):
            self._see(values[-1] if name != "mkdir" else values[0])
        elif name == "link":
            self._enter(values[1], self.names[values[0]])
        elif name == "rename" and values[0] in self.names:
            come = self._enter(values[1], self.names[values[0]])
            self._enter(values[0], None, come)
        elif name in ("unlink", "rmdir") and values[0] in self.names:
            self._enter(values[0], None)
        elif name in ("chmod", "set_times", "set_metadata", "set_attribute"):
            self._changed(values[0])
        elif name == "trash":
            self._trashed(values[0], in_can)
        return result

    def _trashed(self, path: str, before: set[str]) -> None:
        """The system's trash renamed the file, and wrote a note of its own about it."""
        node, come = self.names[path], None
        for new in sorted(set(_files_below(self.can)) - before, key=len):
            if os.path.basename(os.path.dirname(new)) == "files" and os.path.isfile(new):
                come = self._enter(new, node)
            else:
                self._see(new)
        assert come is not None, "the trash did not take it"
        self._enter(path, None, come)

    def commit(self, journal: Journal, original: Callable[[Journal], None]) -> None:
        """Carry out a commit and keep what the journal says from then on."""
        original(journal)
        self.calls.append("commit")
        self.commits.append((self.now, journal._db.serialize()))


_BY_NUMBER = ("write", "fsync")


def _files_below(folder: Path) -> Iterator[str]:
    for above, folders, names in os.walk(folder):
        yield from (os.path.join(above, name) for name in folders + names)
    for part in (folder, *folder.parents):
        if part.exists():
            yield str(part)


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Record within a ``with`` block."""
    from tests.removal.faulty import SEAM

    originals = {name: getattr(fs, name) for name in SEAM}
    commit = Journal.commit
    for name, function in originals.items():

        def wrapped(*values: Any, _name: str = name, _function: Any = function) -> Any:
            return recorder.call(_name, _function, *values)

        setattr(fs, name, wrapped)
    Journal.commit = lambda journal: recorder.commit(journal, commit)  # type: ignore
    try:
        yield recorder
    finally:
        for name, function in originals.items():
            setattr(fs, name, function)
        Journal.commit = commit  # type: ignore


def crash(recorder: Recorder, call: int, rng: random.Random, luck: float) -> None:
    """Lay out a state that the disk may be in after a call; ``luck`` is the share that came."""
    entries = [e for e in recorder.entries if e.call <= call]
    chosen = {id(e) for e in entries if _is_sure(recorder, e, call) or rng.random() < luck}
    later: set[str] = set()
    for entry in reversed(entries):  # what is needed came before
        if id(entry) in chosen or entry.path in later:
            chosen.add(id(entry))
            later.add(entry.path)
            if entry.needs is not None:
                chosen.add(id(entry.needs))
    names: dict[str, Node] = {}
    for entry in entries:
        if id(entry) in chosen:
            if entry.node is None:
                names.pop(entry.path, None)
            else:
                names[entry.path] = entry.node
    _lay_out(recorder, names, call, rng, luck)
    saved = [data for number, data in recorder.commits if number <= call][-1]
    for path in recorder.journal.glob(f"{FILE_NAME}*"):
        path.unlink()
    if saved:
        (recorder.journal / FILE_NAME).write_bytes(saved)


def _is_sure(recorder: Recorder, entry: Entry, call: int) -> bool:
    folder = os.path.dirname(entry.path)
    return entry.call < 0 or any(
        entry.call <= number <= call and path == folder for number, path in recorder.folder_syncs
    )


def _lay_out(
    recorder: Recorder, names: dict[str, Node], call: int, rng: random.Random, luck: float
) -> None:
    for top in recorder.tops:
        for entry in os.scandir(top):
            if entry.path == str(recorder.journal):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
    made: dict[int, str] = {}
    folders: list[tuple[str, Content]] = []
    for path, node in sorted(names.items()):
        if not os.path.isdir(os.path.dirname(path)):
            continue  # its folder did not come
        if id(node) in made:
            os.link(made[id(node)], path, follow_symlinks=False)
            continue
        content, sure = node.at(call), node.durable(call)
        if node.kind == "folder":
            os.mkdir(path)
            folders.append((path, content))
            continue
        if node.kind == "link":
            os.symlink(content.data, path)
            continue
        if content is not sure and rng.random() >= luck:
            known = sure or Content(b"", 0o600, content.times, ())
            grown = content.data[: rng.randint(len(known.data), len(content.data))]
            appended = content.data.startswith(known.data)
            content = Content(
                grown if appended else known.data, known.mode, known.times, known.xattrs
            )
        Path(path).write_bytes(content.data)
        _dress(path, content)
        made[id(node)] = path
    for path, content in reversed(folders):
        _dress(path, content)


def _dress(path: str, content: Content) -> None:
    for name, value in content.xattrs:
        os.setxattr(path, name, value)
    os.chmod(path, content.mode)
    os.utime(path, ns=content.times)


def cut(
    scene_top: Path,
    places: list[Path],
    work: Callable[[], object],
    check: Callable[[], None],
    rng: random.Random,
    states: int | None,
) -> int:
    """Do the work once, then try states after its calls; returns how many were tried.

    ``states`` are chosen at random; None tries each call with nothing, half and all of what was
    not waited for.
    """
    recorder = Recorder(_outermost(places), scene_top / "library", trash_of(scene_top))
    with recording(recorder):
        work()
    calls = range(len(recorder.calls))
    wanted = [(call, luck) for call in calls for luck in (0.0, 0.5, 1.0)]
    if states is not None:
        wanted = [(rng.choice(calls), rng.choice((0.0, 0.3, 0.6, 0.9))) for _ in range(states)]
    for call, luck in wanted:
        seed = rng.random()
        crash(recorder, call, random.Random(seed), luck)
        try:
            check()
        except BaseException as problem:
            name = recorder.calls[call]
            raise AssertionError(
                f"power cut after call {call} ({name}) with luck {luck}, seed {seed}: {problem}"
            ) from problem
    return len(wanted)


def _outermost(places: list[Path]) -> list[Path]:
    return [p for p in dict.fromkeys(places) if not any(o in p.parents for o in places)]
