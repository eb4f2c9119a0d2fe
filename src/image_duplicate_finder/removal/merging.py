"""Applying a plan's merges: keepers take over what they lack, before anything is removed.

Each is journalled, kept in the backup as it was, read again afterwards, and undone with the run.
Where it fails, the files that it should have taken over from stay.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace

from blake3 import blake3

from image_duplicate_finder.companions import Folder, split
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import FileStat, Relation
from image_duplicate_finder.progress import CancelToken
from image_duplicate_finder.removal import fs, look, moves
from image_duplicate_finder.removal.actions import method_of
from image_duplicate_finder.removal.apply import Backups, as_refused, folders_of, give_back, sync
from image_duplicate_finder.removal.checks import Checks, Matches, check_keeper
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.merge import write_beside
from image_duplicate_finder.removal.plan import Merge, Plan, PlanFile, PlanItem, Reason, Refusal
from image_duplicate_finder.removal.records import MERGED, WRITTEN, Item, State
from image_duplicate_finder.settings import DecodeLimits, RemovalAction


class Merging:
    """The merges of one run. ``plan`` is what is to be removed after them."""

    def __init__(self, plan: Plan, run: int, journal: Journal, backups: Backups) -> None:
        self.plan = plan
        self._run, self._journal, self._backups = run, journal, backups
        self._units = max((item.unit for item in plan.items), default=-1) + 1
        self.done: list[Item] = []
        self.skipped: list[Refusal] = []

    def apply(self, checks: Checks, cancel: CancelToken) -> None:
        """Carry out the merges; afterwards ``plan`` names the keepers as they are now."""
        keepers: dict[str, PlanFile] = {}
        refused: dict[str, Refused] = {}
        # What is known of a keeper is told by the removals, which were proved.
        known = {item.evidence.keeper.path: item.evidence.keeper for item in self.plan.items}
        for merge in self.plan.merges:
            if cancel.cancelled:
                break
            if merge.keeper.path not in known:
                continue
            merge = replace(merge, keeper=known[merge.keeper.path])
            try:
                kept = self._merge(merge, checks)
            except (Refused, OSError) as error:
                reason = as_refused(error)
                refused |= dict.fromkeys(merge.sources, reason)
                self.skipped.append(Refusal(merge.keeper.path, reason.reason, reason.message))
            else:
                keepers[merge.keeper.path] = kept
        self._follow(keepers, refused)

    def _follow(self, keepers: dict[str, PlanFile], refused: dict[str, Refused]) -> None:
        units = {item.unit for item in self.plan.items if item.path in refused}
        items: list[PlanItem] = []
        for item in self.plan.items:
            if item.unit in units:
                because = refused.get(item.path)
                message = because.message if because else "It belongs to a file that stays."
                self.skipped.append(
                    Refusal(item.path, Reason.MERGE, f"Its metadata were not taken over: {message}")
                )
                continue
            keeper = keepers.get(item.evidence.keeper.path)
            if keeper is not None and keeper.content != item.evidence.keeper.content:
                relation = item.evidence.relation
                if relation == Relation.BYTE_IDENTICAL:
                    relation = Relation.PIXEL_IDENTICAL
                wish = replace(item.evidence, keeper=keeper, relation=relation)
                item = replace(item, evidence=wish)
            items.append(item)
        self.plan = replace(self.plan, items=tuple(items))

    def _merge(self, merge: Merge, checks: Checks) -> PlanFile:
        """Write what a keeper lacks into it, or into its sidecar; the keeper as it is then."""
        # Decoders take their time to load, and most removals need none.
        from image_duplicate_finder.decode.xmp_writing import sidecar_with, written_into

        keeper = merge.keeper
        checks.place(keeper.path, goes=False)
        check_keeper(keeper.path, keeper.content, None)
        data = _bytes_of(keeper.path)
        if bytes(blake3(data).digest()) != keeper.content:
            raise Refused(Reason.KEEPER_CHANGED, f"{keeper.path} has changed since the scan.")
        try:
            written = written_into(data, merge.additions, DecodeLimits())
        except DecodeError as error:
            raise Refused(Reason.MERGE, f"{keeper.path}: {error}") from error
        if written is not None:
            self._put(keeper.path, data, written)
            content = bytes(blake3(written).digest())
            found = check_keeper(keeper.path, content, None)
            return replace(keeper, stat=found, content=content)
        sidecar = _sidecar_of(keeper.path)
        old = _bytes_of(sidecar) if look.status(sidecar) is not None else None
        more = sidecar_with(old, merge.additions)
        if more is None:
            raise Refused(Reason.MERGE, f"Nothing can be added to its sidecar {sidecar}.")
        self._put(sidecar, old, more)
        return keeper

    def _put(self, path: str, old: bytes | None, new: bytes) -> None:
        """Bring ``new`` to a path where ``old`` stands, or nothing. Raises Refused and OSError."""
        seen = look.regular(path)
        if (seen is None) != (old is None):
            raise Refused(Reason.CHANGED, f"{path} changed while it was being written.")
        content = bytes(blake3(new).digest())
        item = Item(
            id=0,
            run=self._run,
            unit=self._units,
            state=State.INTENT,
            action=RemovalAction.BACKUP,
            path=path,
            stored=self._backups.of(path).place_for(path),
            content=content if old is None else bytes(blake3(old).digest()),
            size=len(new if old is None else old),
            metadata={} if old is None else fs.metadata(path),
            keeper=None if old is None else path,
            keeper_content=None if old is None else content,
            relation=None if old is None else Relation.PIXEL_IDENTICAL,
            kind=WRITTEN if old is None else MERGED,
        )
        self._units += 1
        (item,) = self._journal.add_items([item])
        try:
            self._backups.record("removed", [item])
            sync(self._backups.new_folders())
            self._bring(item, new, seen)
        except (Refused, OSError) as error:
            returned = give_back(item)
            self._journal.update_items([returned])
            with contextlib.suppress(OSError):
                self._backups.record("returned", [returned])
            refused = as_refused(error)
            raise Refused(Reason.MERGE, f"{refused.message} {returned.note}".strip()) from error

    def _bring(self, item: Item, new: bytes, seen: FileStat | None) -> None:
        folder = os.path.dirname(item.path)
        before = fs.lstat(folder).st_mtime_ns
        if item.kind == WRITTEN:
            write_beside(item, new, item.stored)
        write_beside(item, new, moves.link_of(item.path, item))
        method_of(item).remove(item, seen or FileStat.of(fs.lstat(item.stored)))
        item = replace(
            item,
            state=State.MOVED,
            folder_before=before,
            folder_after=fs.lstat(folder).st_mtime_ns,
        )
        if not look.holds(item.path, item.keeper_content or item.content):
            raise Refused(Reason.CHANGED, f"{item.path} changed while it was being written.")
        sync(folders_of([item]))
        self._journal.update_items([item])
        self.done.append(item)


def as_before(items: Iterable[Item], matches: Matches) -> Matches:
    """``matches`` for keepers that took over metadata: their pictures are what they were."""
    before = {
        item.keeper_content: item.content
        for item in items
        if item.kind == MERGED and item.keeper_content is not None
    }

    def still(file: bytes, keeper: bytes) -> bool:
        seen = {keeper}
        while keeper in before and before[keeper] not in seen:
            keeper = before[keeper]
            seen.add(keeper)
        return file in seen or matches(file, keeper)

    return still


def _sidecar_of(path: str) -> str:
    """The XMP sidecar of a picture: the one that it has, or a new one of its whole name."""
    folder, name = os.path.split(path)
    unit = Folder.of(fs.names(folder)).unit(name)
    mine = (*unit.own_sidecars, *(() if unit.stem_sharers else unit.stem_sidecars))
    has = [each for each in mine if split(each)[1] == "xmp"]
    return os.path.join(folder, has[0] if has else f"{name}.xmp")


def _bytes_of(path: str) -> bytes:
    """A file's bytes. Raises OSError."""
    descriptor = fs.open_read(path)
    try:
        pieces = []
        while chunk := fs.read(descriptor):
            pieces.append(chunk)
    finally:
        fs.close(descriptor)
    return b"".join(pieces)
