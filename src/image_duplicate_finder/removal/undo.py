"""Undo: every file back with its name, times, permissions and attributes, nothing replaced."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.removal import checks, fs, look, moves
from image_duplicate_finder.removal.actions import leaves_something, method_of
from image_duplicate_finder.removal.apply import BATCH, as_refused, folders_of, sync
from image_duplicate_finder.removal.backup import MANIFEST_NAME, RunBackup
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.links import is_ours
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.methods import taken
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.plan import Reason, Refusal
from image_duplicate_finder.removal.records import BackupFolder, Item, State
from image_duplicate_finder.removal.volumes import Same, Volume, recorded_for, same, volume_of
from image_duplicate_finder.settings import RemovalAction

RESTORABLE = (State.MOVED, State.TRASHED, State.MISSING)
"""Missing ones too: the drive that they are on may be connected again."""

Copies = Callable[[bytes], Iterable[str]]
"""Which files may have just this content."""

_COPIES_TOLD = 3
_KEEPERS_ASKED = 50


def no_copies(_content: bytes) -> Iterable[str]:
    """:data:`Copies` where there is no library to ask."""
    return ()


class Places:
    """Whether the places that files came from are still on the volumes that they were on."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._standing: dict[tuple[int, Volume], bool] = {}

    def check(self, item: Item) -> None:
        """Raise Refused where ``item.path`` would lead to another volume; OSError.

        So an unmounted drive's mount point stays empty, and another drive stays as it is.
        """
        folder = fs.realpath(os.path.dirname(item.path))
        if item.adopted and folder != os.path.dirname(item.path):
            raise Refused(Reason.LINK, f"A link now leads from {item.path} to {folder}.")
        backups = self._journal.backups(item.run)
        volumes = [volume for backup in backups for volume in backup.volumes]
        if not volumes:  # of a version that did not write them down
            roots = [backup.root for backup in backups if is_inside(item.path, backup.root)]
            if look.status(folder) is None and all(look.status(r) is None for r in roots):
                raise self._away(item, folder)
            return
        then = recorded_for(os.path.join(folder, "."), volumes) or volumes[0]
        answer = same(then, volume_of(folder))
        if answer == Same.NO or (answer == Same.UNKNOWN and not self._stand(item, then)):
            raise self._away(item, then.mount)

    @staticmethod
    def _away(item: Item, where: str) -> Refused:
        return Refused(
            Reason.DRIVE,
            f"The drive that it came from is not at {where} now. Connect it there and try again; "
            f"until then it stays in the backup as {item.stored}.",
        )

    def _stand(self, item: Item, volume: Volume) -> bool:
        """Where the system cannot tell: whether what was kept on the volume stands there."""
        key = item.run, volume
        if key not in self._standing:
            kept = {
                other.keeper: other.keeper_content
                for other in self._journal.items(item.run)
                if other.keeper is not None
                and other.keeper_content is not None
                and is_inside(other.keeper, volume.mount)
            }
            asked = list(islice(kept.items(), _KEEPERS_ASKED))
            self._standing[key] = any(look.holds(path, content) for path, content in asked)
        return self._standing[key]


def damaged_rows(journal: Journal, run: int) -> list[Refusal]:
    """What cannot be put back because the journal's row of it is damaged."""
    return [
        Refusal(
            row.path,
            Reason.DAMAGED,
            f"Its row in the journal (number {row.id}) is damaged, so it was left alone. The "
            "manifest of the backup may still know it: take the backup over with idf adopt.",
        )
        for row in journal.damaged(run)
    ]


@dataclass(slots=True)
class Restoration:
    """One undo of a run, wholly or in part.

    ``rename`` gives new names where one is taken; ``copies`` tells which files the library
    knows to have a content.
    """

    journal: Journal
    backups: Sequence[BackupFolder]
    rename: bool = False
    copies: Copies = no_copies
    done: list[Item] = field(default_factory=list)
    skipped: list[Refusal] = field(default_factory=list)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(self.journal)

    def restore(self, items: Sequence[Item], progress: Progress, cancel: CancelToken) -> bool:
        """Put items back, the last removed first; returns False when stopped before the end.

        ``items`` are whole units, in the order of their ids.
        """
        ordered = sorted(items, key=lambda item: (-item.unit, -item.id))
        units = [list(found) for _, found in groupby(ordered, key=lambda item: item.unit)]
        worked = 0
        for start in range(0, len(units), BATCH):
            if cancel.cancelled:
                return False
            batch = units[start : start + BATCH]
            self._restore_batch(batch)
            worked += sum(len(unit) for unit in batch)
            progress(
                Step(
                    "restore",
                    worked,
                    len(items),
                    current=batch[-1][-1].path,
                    failures=len(self.skipped),
                )
            )
        return True

    def _restore_batch(self, units: Sequence[list[Item]]) -> None:
        prepared = [ready for unit in units if (ready := self._prepare(unit))]
        if not prepared:
            return
        self.journal.update_items(
            replace(item, state=State.UNDOING) for unit in prepared for item in unit
        )
        outcomes = [self._put_back(unit) for unit in prepared]
        items = [item for unit in outcomes for item in unit]
        restored = [item for item in items if item.state == State.RESTORED]
        with contextlib.suppress(OSError):  # then a power cut may undo the undo; nothing is lost
            sync(f for f in folders_of(restored) if look.status(f) is not None)
        self.journal.update_items(items)
        self._tell_manifests(restored)
        self.done += restored

    def _prepare(self, unit: list[Item]) -> list[Item] | None:
        """The unit with its destinations, or None when it cannot go back (noted)."""
        try:
            return [self._with_destination(item) for item in unit]
        except (Refused, OSError) as error:
            refused = as_refused(error)
            self.skipped += [Refusal(i.path, refused.reason, refused.message) for i in unit]
            return None

    def _with_destination(self, item: Item) -> Item:
        place = item.path
        self.places.check(item)
        if look.status(place) is not None and not (leaves_something(item) and is_ours(item, place)):
            if not self.rename:
                raise taken(place)
            place = moves.free_name(place)
        if item.state != State.TRASHED:
            self._check_stored(item)
        bits = 0o755 if item.adopted else 0o7777
        self._make_folder(os.path.dirname(place), os.path.dirname(item.stored), bits)
        return replace(item, destination=place)

    def _check_stored(self, item: Item) -> None:
        """As :func:`check_stored`; of a damaged file it is told where its bytes are whole."""
        try:
            check_stored(item)
        except Refused as refused:
            if refused.reason != Reason.DAMAGED:
                raise
            raise Refused(refused.reason, f"{refused.message} {self._instead(item)}") from refused

    def _instead(self, item: Item) -> str:
        """Where a person finds what a damaged file held. Every file named was just read."""
        others = [item.keeper] if item.keeper and item.keeper_content == item.content else []
        others += [
            other.stored
            for other in self.journal.items(states=(State.MOVED,))
            if other.content == item.content and other.stored != item.stored
        ]
        others += [path for path in self.copies(item.content) if path != item.path]
        whole: list[str] = []
        for path in dict.fromkeys(others):
            with contextlib.suppress(OSError):
                if len(whole) < _COPIES_TOLD and look.holds(path, item.content):
                    whole.append(path)
        if whole:
            return f"The same bytes are whole in: {', '.join(whole)}"
        with contextlib.suppress(Refused, OSError):
            if item.keeper and item.keeper_content:
                checks.check_keeper(item.keeper, item.keeper_content, None)
                return f"The picture that was kept instead is whole: {item.keeper}"
        return "No other copy of it is known here; look for one in another backup of yours."

    def _make_folder(self, folder: str, mirror: str, bits: int) -> None:
        """Make a folder that is gone again, with the permissions that its mirror kept."""
        missing = []
        while look.status(folder) is None:
            missing.append((folder, mirror))
            folder, mirror = os.path.dirname(folder), os.path.dirname(mirror)
        kept = {backup.folder for backup in self.backups}
        for path, like in reversed(missing):
            fs.mkdir(path)
            found = look.status(like)
            if found is not None and any(like.startswith(f"{k}{os.sep}") for k in kept):
                fs.chmod(path, found.st_mode & bits)

    def _put_back(self, unit: list[Item]) -> list[Item]:
        """Put one unit back, or leave all of it where it was."""
        try:
            for item in unit:
                put_back_with_folder_time(item)
        except (Refused, OSError) as error:
            outcome = settle_unit(unit)
            refused = as_refused(error)
            self.skipped += [
                Refusal(i.path, refused.reason, refused.message)
                for i in outcome
                if i.state != State.RESTORED
            ]
            return outcome
        return [replace(item, state=State.RESTORED) for item in unit]

    def _tell_manifests(self, items: Sequence[Item]) -> None:
        for backup in self.backups:
            inside = [i for i in items if i.stored.startswith(backup.folder + os.sep)]
            manifest = os.path.join(backup.folder, MANIFEST_NAME)
            with contextlib.suppress(OSError):  # the journal knows; the manifest is for people
                if inside and look.status(manifest) is not None:
                    RunBackup(backup).record("restored", inside)


def check_stored(item: Item) -> None:
    """Raise Refused unless the backup has just the bytes that were removed; OSError."""
    found = look.regular(item.stored)
    if found is None:
        raise Refused(Reason.GONE, f"It is no longer in the backup: {item.stored} is missing.")
    try:
        if look.holds(item.stored, item.content):
            return
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise Refused(
            Reason.DAMAGED, f"Its file in the backup, {item.stored}, cannot be read any more."
        ) from error
    if found.size == item.size and found.mtime_ns == item.metadata["mtime_ns"]:
        raise Refused(
            Reason.DAMAGED,
            f"Its bytes in the backup were damaged (by the disk, since nobody wrote to it), so it "
            f"was not put back: {item.stored}.",
        )
    raise Refused(
        Reason.CHANGED,
        f"It was changed in the backup and stays there as {item.stored}; copy it back by hand if "
        "you want it.",
    )


def put_back_with_folder_time(item: Item) -> None:
    """Bring a file to its destination; its folder gets back the time it had before.

    The folder's time comes back only when nothing else happened in it since the removal.
    Raises Refused and OSError.
    """
    place = item.destination or item.path
    folder = os.path.dirname(place)
    untouched = (
        item.folder_before is not None
        and place == item.path
        and fs.lstat(folder).st_mtime_ns == item.folder_after
    )
    method_of(item).put_back(item, place)
    if untouched and item.folder_before is not None:
        with contextlib.suppress(OSError):  # a nicety that must not fail the undo
            fs.set_times(folder, fs.lstat(folder).st_atime_ns, item.folder_before)


def settle_unit(unit: Sequence[Item]) -> list[Item]:
    """After a failed or interrupted undo: all of a unit restored, or all of it back in store.

    What came back from the system's trash stays in its place, though: its safety line is gone.
    Items keep ``undoing`` when the disk does not answer, for the next start to settle.
    """
    outcome = []
    try:
        wheres = [method_of(i).settle(i, i.destination or i.path) for i in unit]
        if all(where == Where.PLACE for where in wheres):
            return [replace(item, state=State.RESTORED) for item in unit]
        for item, where in zip(unit, wheres, strict=True):
            place = item.destination or item.path
            if where == Where.PLACE and item.action == RemovalAction.TRASH:
                outcome.append(replace(item, state=State.RESTORED))
                continue
            seen = look.regular(place) if where == Where.PLACE else None
            if seen is not None:
                moves.move(place, item.stored, item, seen)
            outcome.append(replace(item, state=_state_in_store(item, where), destination=None))
    except (Refused, OSError) as error:
        return [replace(item, state=State.UNDOING, note=as_refused(error).message) for item in unit]
    return outcome


def _state_in_store(item: Item, where: Where) -> State:
    if item.action == RemovalAction.TRASH and look.status(item.stored) is None:
        return State.TRASHED
    return State.MISSING if where == Where.NOWHERE else State.MOVED
