"""What the program says, as codes with parameters; they become text where they are shown.

Within the program, a reason or a failure is a :class:`Message`: a code and its parameters. Each
code has an English template, which is also the key of its translations. The command line and JSON
render messages with :func:`english`, the web app in the visitor's language. To add one, add a
member to an enum here (or to another subclass of :class:`Code`) and its translations to the
catalogues.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Code(StrEnum):
    """Something that can be said. ``template`` is English, with ``%(name)s`` for parameters."""

    template: str

    def __new__(cls, value: str, template: str = "") -> Self:
        code = str.__new__(cls, value)
        code._value_ = value
        code.template = template
        return code

    def __call__(self, **parameters: Parameter) -> Message:
        """The message with this code. Raises TypeError unless all parameters are given."""
        if parameters.keys() != self.names:
            raise TypeError(f"{self!r} takes {sorted(self.names)}, not {sorted(parameters)}")
        return Message(self, tuple((name, _bare(value)) for name, value in parameters.items()))

    @property
    def names(self) -> set[str]:
        """The names of its parameters."""
        return set(re.findall(r"%\((\w+)\)s", self.template))


@dataclass(frozen=True, slots=True)
class Message:
    """A code with the values of its parameters; ``str()`` gives the English text."""

    code: Code
    parameters: tuple[tuple[str, Parameter], ...] = ()

    def __str__(self) -> str:
        return english(self)


Parameter = str | int | float | Message
"""A text that is not translated (a path, a format), a number, or a nested message."""


class Plain(Code):
    """Text that is the same in all languages."""

    TEXT = "text", "%(text)s"
    ABOUT = "about", "%(path)s: %(text)s"
    BOTH = "both", "%(first)s %(second)s"


class Stays(Code):
    """Why a file is not removed, not restored or not purged."""

    # By the plan
    READ_ONLY = (
        "stays.read_only",
        "It is in an archive or behind a URL, which this program never changes. `idf export "
        "--format delete-list` lists it.",
    )
    KEEPER_READ_ONLY = (
        "stays.keeper_read_only",
        "Its keeper %(path)s is in an archive or behind a URL, which may change unnoticed. "
        "Choose a keeper in a folder.",
    )
    IN_PACKAGE = (
        "stays.in_package",
        "It is in %(path)s, which belongs to a photo manager; taking files out would damage it. "
        "Delete the picture in that program instead.",
    )
    OUTSIDE = "stays.outside", "It is outside the scanned folders."
    FOLDER_PROTECTED = "stays.folder_protected", "The folder %(folder)s is protected."
    NOT_REMOVABLE = "stays.not_removable", "Nothing is removed from that place."
    NOT_CHOSEN = (
        "stays.not_chosen",
        "It is not in one of the folders that files may be removed from.",
    )
    ONLY_BY_ITSELF = (
        "stays.only_by_itself",
        "It is not a copy of %(path)s. Such a file is removed only when it was selected by "
        "itself, not by a rule.",
    )
    SAME_FILE = "stays.same_file", "It is the same file as %(path)s under another name."
    OTHER_BYTES = (
        "stays.other_bytes",
        "Its bytes differ from those of %(path)s. Scan the folder again.",
    )
    NO_MATCH = (
        "stays.no_match",
        "The library has no verified match between it and %(path)s. Scan again.",
    )
    NOT_SCANNED = "stays.not_scanned", "No scan of this library covers it."
    KEEPER_NOT_SCANNED = (
        "stays.keeper_not_scanned",
        "No scan of this library covers its keeper %(path)s.",
    )
    NOT_AS_PLANNED = (
        "stays.not_as_planned",
        "It or its keeper does not hold what the plan says. Make a new plan.",
    )
    KEEPER_PLANNED = (
        "stays.keeper_planned",
        "Its keeper %(path)s is to be removed, too; keep one of the two.",
    )
    WAS_KEEPER = "stays.was_keeper", "It was kept for another file that this plan removed."
    LINK_OTHER_BYTES = (
        "stays.link_other_bytes",
        "A link shows the keeper's bytes, so only byte-identical files can be replaced with one.",
    )
    LINK_OTHER_VOLUME = (
        "stays.link_other_volume",
        "A link cannot point to %(path)s, which is on another volume.",
    )
    LINK_TARGET = (
        "stays.link_target",
        "The symbolic link %(path)s points to it and would be left dangling. Undo what put the "
        "link there, or delete the link first.",
    )

    # Files that belong to it
    KEEPER_IS_PARTNER = (
        "stays.keeper_is_partner",
        "It and %(path)s are RAW and picture of one shot.",
    )
    PARTNER_STAYS = (
        "stays.partner_stays",
        "It belongs to %(path)s, which stays; RAW and picture of one shot are kept or removed "
        "together.",
    )
    KEEPER_WITHOUT_VIDEO = (
        "stays.keeper_without_video",
        "It is half of a Live Photo with %(path)s, and its keeper has no video.",
    )
    LINK_KEEPS_COMPANIONS = (
        "stays.link_keeps_companions",
        "Files that belong to it stay when a link replaces it.",
    )
    UNIT_CHANGED = (
        "stays.unit_changed",
        "Files that belong to it were added or removed since the plan was made. Make a new plan.",
    )
    COMPANION_CHANGED = (
        "stays.companion_changed",
        "%(path)s, which belongs to it, changed since the plan was made.",
    )
    BELONGS_TO_STAYING = "stays.belongs_to_staying", "It belongs to a file that stays."

    # Where it is
    IN_PROTECTED = "stays.in_protected", "It is in a protected folder."
    NOT_IN_CHOSEN = (
        "stays.not_in_chosen",
        "It is not in one of the folders that files may go from.",
    )
    IN_BACKUP = "stays.in_backup", "It is in a backup."
    MADE_TO_SHOW = "stays.made_to_show", "This program made it to show a picture."

    # What it or its keeper has become
    GONE = "stays.gone", "It is no longer there."
    IRREGULAR = "stays.irregular", "It is no longer a regular file."
    PATH_IRREGULAR = "stays.path_irregular", "%(path)s is no longer a regular file."
    UNREADABLE = "stays.unreadable", "It cannot be read: %(reason)s."
    CHANGED_SINCE_SCAN = "stays.changed_since_scan", "It has changed since the scan."
    CHANGED_SINCE_PLAN = "stays.changed_since_plan", "It changed since the plan was made."
    CHANGED_WHILE_READ = "stays.changed_while_read", "%(path)s changed while it was read."
    KEEPER_GONE = "stays.keeper_gone", "Its keeper %(path)s is no longer there."
    KEEPER_IRREGULAR = (
        "stays.keeper_irregular",
        "Its keeper %(path)s is no longer a regular file.",
    )
    KEEPER_UNREADABLE = (
        "stays.keeper_unreadable",
        "Its keeper %(path)s cannot be read: %(reason)s.",
    )
    KEEPER_CHANGED = "stays.keeper_changed", "Its keeper %(path)s has changed."
    KEEPER_CHANGED_SINCE_SCAN = (
        "stays.keeper_changed_since_scan",
        "Its keeper %(path)s has changed since the scan.",
    )
    KEEPER_IN_BACKUP = "stays.keeper_in_backup", "Its keeper %(path)s is in a backup."
    KEEPER_MADE_TO_SHOW = (
        "stays.keeper_made_to_show",
        "Its keeper %(path)s is not one of your pictures: this program made it.",
    )
    ONE_FILE = "stays.one_file", "It and %(path)s are two names of one file."
    MAYBE_ONE_FILE = (
        "stays.maybe_one_file",
        "%(path)s changed at the moment when it moved, so the two may be one file.",
    )

    # While it leaves
    CHANGED_WHILE_MOVED = (
        "stays.changed_while_moved",
        "It was changed or replaced while it was being moved.",
    )
    REPLACED_WHILE_COPIED = (
        "stays.replaced_while_copied",
        "It was changed or replaced while it was being copied.",
    )
    CHANGED_WHILE_COPIED = "stays.changed_while_copied", "It changed while it was being copied."
    COPY_DIFFERS = (
        "stays.copy_differs",
        "Its copy on the other volume differs. Check that volume.",
    )
    REPLACED_WHILE_REMOVED = (
        "stays.replaced_while_removed",
        "It was replaced while it was being removed.",
    )
    TRASH_UNSAFE = (
        "stays.trash_unsafe",
        "The trash is not safe to use on this volume; remove into the backup instead.",
    )
    TRASH_REFUSED = "stays.trash_refused", "The system's trash did not take it."
    LINK_BACKUP_ELSEWHERE = (
        "stays.link_backup_elsewhere",
        "Its backup is on another volume; choose to remove it instead.",
    )
    NO_LINKS = (
        "stays.no_links",
        "This volume makes no %(action)s to %(path)s (%(reason)s). Nothing was changed.",
    )
    LINKED_KEEPER_CHANGED = (
        "stays.linked_keeper_changed",
        "The keeper %(path)s changed in the meantime.",
    )
    SYSTEM = "stays.system", "The system refused: %(what)s. Nothing was changed."
    BACKUP_NO_FOLDER = (
        "stays.backup_no_folder",
        "%(path)s, where backups go, is not a folder. Rename it, or name another place with "
        "--backup-dir.",
    )
    BACKUP_PROTECTED = (
        "stays.backup_protected",
        "The backup cannot be made in %(folder)s, which is protected: nothing is written there. "
        "Name another place.",
    )

    # While metadata are merged into its keeper
    NOT_MERGED = "stays.not_merged", "Its metadata was not copied: %(reason)s"
    SCANNED_CHANGED = "stays.scanned_changed", "%(path)s has changed since the scan."
    SIDECAR_FULL = "stays.sidecar_full", "Nothing can be added to its sidecar %(path)s."
    CHANGED_WHILE_WRITTEN = (
        "stays.changed_while_written",
        "%(path)s changed while it was being written.",
    )
    NEW_FILE_CHANGED = (
        "stays.new_file_changed",
        "Its new file was changed before it took its place.",
    )
    NEW_COPY_CHANGED = (
        "stays.new_copy_changed",
        "Its copy was changed while it was being written.",
    )
    NEW_CHANGED = "stays.new_changed", "It was changed while it was being written."

    # While it is rolled back or restored
    NOWHERE = "stays.nowhere", "It is neither in its place nor in the backup."
    PLACE_TAKEN = (
        "stays.place_taken",
        "Its place is taken by another file now, so it stays in the backup as %(path)s.",
    )
    NOT_YET_BACK = (
        "stays.not_yet_back",
        "It could not be restored now (%(reason)s); the next start will try again.",
    )
    TAKEN = (
        "stays.taken",
        "Something else is at %(path)s now. It can be restored under a new name.",
    )
    NOT_IN_BACKUP = (
        "stays.not_in_backup",
        "It is no longer in the backup: %(path)s is missing.",
    )
    IN_TRASH = (
        "stays.in_trash",
        "It is in the system's trash; restore it from there by hand.",
    )
    TRASH_DAMAGED = (
        "stays.trash_damaged",
        "Its bytes in the system's trash are not those that were removed: %(path)s. It was not "
        "restored.",
    )
    LINK_LEADS_AWAY = "stays.link_leads_away", "A link now points from %(path)s to %(folder)s."
    DRIVE_AWAY = (
        "stays.drive_away",
        "The drive that it came from is not at %(path)s now. Connect it there and try again; until "
        "then it stays in the backup as %(stored)s.",
    )
    ROW_DAMAGED = (
        "stays.row_damaged",
        "Its row in the journal (number %(number)s) is damaged, so it was left alone. The manifest "
        "of the backup may still know it: take the backup over with idf adopt.",
    )
    BACKUP_UNREADABLE = (
        "stays.backup_unreadable",
        "Its file in the backup, %(path)s, cannot be read any more.",
    )
    BACKUP_DAMAGED = (
        "stays.backup_damaged",
        "Its bytes in the backup were damaged (by the disk, since nobody wrote to it), so it was "
        "not restored: %(path)s.",
    )
    WHOLE_COPIES = "stays.whole_copies", "Intact copies are in: %(copies)s"
    WHOLE_KEEPER = (
        "stays.whole_keeper",
        "The picture that was kept instead is intact: %(keeper)s",
    )
    NO_WHOLE_COPY = (
        "stays.no_whole_copy",
        "No other copy of it is known here; look for one in another backup of yours.",
    )
    BACKUP_CHANGED = (
        "stays.backup_changed",
        "It was changed in the backup and stays there as %(path)s; copy it back by hand if you "
        "want it.",
    )

    # While it is purged
    BACKUP_AWAY = "stays.backup_away", "Its backup is not there now."
    NOT_PUT_THERE = (
        "stays.not_put_there",
        "%(path)s is not the file that was put there; it stays.",
    )
    NO_KEEPER = "stays.no_keeper", "No keeper of it is known; it stays."
    KEEPER_NO_MATCH = (
        "stays.keeper_no_match",
        "This library has no verified match between it and %(path)s, so it may be the last copy; "
        "it stays in the backup.",
    )
    LAST_COPY = (
        "stays.last_copy",
        "%(reason)s So this may be the last copy; it stays in the backup.",
    )
    KEEPER_IS_STORED = "stays.keeper_is_stored", "%(path)s is a name of this same file."
    LAST_VIDEO = (
        "stays.last_video",
        "%(path)s no longer has a video; this may be the last one.",
    )
    ORIGINAL_CHANGED = (
        "stays.original_changed",
        "It has since changed or gone missing; %(path)s may be the last copy, so it stays.",
    )


class Note(Code):
    """What a removal, or the start of the program, did in addition to what was asked."""

    NO_FREE_COPIES = (
        "note.no_free_copies",
        "Copies would take up space on this volume, so none were made.",
    )
    NOT_PRESERVED = "note.not_preserved", "%(count)s files could not be preserved as well."
    NO_BACKUP = "note.no_backup", "%(path)s: no backup can be made there. %(reason)s"
    RECOVERED_RUN = (
        "note.recovered_run",
        "Run %(run)s, started %(when)s, had been interrupted; it is settled.",
    )
    UNREACHABLE = (
        "note.unreachable",
        "%(path)s: neither it nor its backup can be reached. Connect the drive and start again; "
        "until then it stays unsettled.",
    )
    UNTIDY = "note.untidy", "%(path)s: could not be tidied up (%(reason)s)."
    BACK = (
        "note.back",
        "%(path)s: its removal was interrupted; it is back in its place.",
    )
    STORED = "note.stored", "%(path)s: is in the backup as %(stored)s."
    TRASHED = "note.trashed", "%(path)s: is in the system's trash."
    RESTORED = "note.restored", "%(path)s: its restoration was finished (%(place)s)."
    PURGED = "note.purged", "%(path)s: its purge was finished."
    MISSING = (
        "note.missing",
        "%(path)s: is neither in its place nor in the backup; another program must have taken it.",
    )
    UNSETTLED = "note.unsettled", "%(path)s: is not settled yet."
    SCAN_CUT_OFF = (
        "note.scan_cut_off",
        "1 scan was cut off. What was read is kept: scan again to go on.",
    )
    SCANS_CUT_OFF = (
        "note.scans_cut_off",
        "%(count)s scans were cut off. What was read is kept: scan again to go on.",
    )


class BackupProblem(Code):
    """What a check of the journal and the backups found."""

    A_FILE = "backup.a_file", "a file"
    ROW_DAMAGED = (
        "backup.row_damaged",
        "%(path)s: its row in the journal (run %(run)s, number %(number)s) is damaged. The "
        "manifest of its backup may still know it: idf adopt takes it from there.",
    )
    BACKUP_ROW_DAMAGED = (
        "backup.backup_row_damaged",
        "%(path)s: the journal's row of this backup is damaged. The rows of its files are intact.",
    )
    MANIFEST_DAMAGED = (
        "backup.manifest_damaged",
        "%(path)s: its manifest lacks %(count)s of its files; lines of it are damaged. The journal "
        "knows them.",
    )
    UNKNOWN = (
        "backup.unknown",
        "%(path)s: a backup that the journal does not know: another library made it, or the "
        "journal was lost or replaced. To take it over: idf adopt %(path)s",
    )
    LOST_ROW = (
        "backup.lost_row",
        "%(path)s: lies in a backup and its manifest, but the journal lost it. To take it back: "
        "idf adopt %(folder)s",
    )
    STRANGE_FILE = (
        "backup.strange_file",
        "%(path)s: lies in a backup but is not in the journal; another program put it there.",
    )
    UNSETTLED = "backup.unsettled", "%(path)s: unsettled (%(state)s)."
    START_AGAIN = "backup.start_again", "Start again to settle."
    NOWHERE = (
        "backup.nowhere",
        "%(path)s: is neither in its place nor in the backup as %(stored)s.",
    )
    NOT_STORED = "backup.not_stored", "%(path)s: is not in the backup as %(stored)s."
    CHANGED = "backup.changed", "%(path)s: its file in the backup, %(stored)s, has changed."
    UNREADABLE = (
        "backup.unreadable",
        "%(path)s: its file in the backup cannot be read: %(reason)s.",
    )


class KeepReason(Code):
    """Why a group's keeper is kept."""

    PROTECTED = "keep.protected", "in a protected folder"
    WHOLE = "keep.whole", "shows the whole picture"
    COMPLETE = "keep.complete", "most complete"
    ORIGINAL = "keep.original", "camera original"
    DETAIL = "keep.detail", "shows finer detail"
    PIXELS = "keep.pixels", "largest picture"
    QUALITY = "keep.quality", "better format or lighter compression"
    METADATA = "keep.metadata", "has more metadata"
    COMPANIONS = "keep.companions", "has companion files"
    OLDER = "keep.older", "oldest file"
    NAME = "keep.name", "name does not look like a copy"
    PATH = "keep.path", "first in path order"
    CHOSEN = "keep.chosen", "chosen by you"


class Description(Code):
    """One part of the description of how a picture relates to another."""

    IDENTICAL_FILE = "is.identical_file", "identical file"
    IDENTICAL_PIXELS = "is.identical_pixels", "identical pixels"
    SAVED_AGAIN = "is.saved_again", "re-saved"
    SAVED_AS = "is.saved_as", "saved as %(format)s"
    ANOTHER_SHOT = "is.another_shot", "another shot of the same scene"
    SHARED_SCENE = "is.shared_scene", "shows %(share)s of the same scene"
    PART = "is.part", "shown inside it (%(share)s of its area)"
    CONTAINS = "is.contains", "contains it (in %(share)s of its area)"
    CROPPED = "is.cropped", "cropped to %(share)s"
    SHOWS_MORE = "is.shows_more", "uncropped original (the other shows %(share)s of it)"
    EDITED = "is.edited", "edited"
    EDITED_IN_PART = "is.edited_in_part", "edited (%(share)s unchanged)"
    MIRRORED = "is.mirrored", "mirrored"
    FLIPPED = "is.flipped", "flipped vertically"
    ROTATED_90 = "is.rotated_90", "rotated 90° clockwise"
    ROTATED_180 = "is.rotated_180", "rotated 180°"
    ROTATED_270 = "is.rotated_270", "rotated 90° counter-clockwise"
    ROTATED_CLOCKWISE = "is.rotated_clockwise", "rotated %(angle)s clockwise"
    ROTATED_COUNTERCLOCKWISE = "is.rotated_counterclockwise", "rotated %(angle)s counter-clockwise"
    INVERTED = "is.inverted", "inverted"
    EIGHTH = "is.eighth", "an eighth of the size"
    QUARTER = "is.quarter", "a quarter of the size"
    THIRD = "is.third", "a third of the size"
    HALF = "is.half", "half the size"
    TWICE = "is.twice", "twice the size"
    THREE_TIMES = "is.three_times", "three times the size"
    FOUR_TIMES = "is.four_times", "four times the size"
    SMALLER = "is.smaller", "%(share)s of the size"
    LARGER = "is.larger", "%(factor)s times the size"
    LIGHTER = "is.lighter", "brighter"
    DARKER = "is.darker", "darker"
    TONED = "is.toned", "other contrast"
    BLACK_AND_WHITE = "is.black_and_white", "black and white"
    PALER = "is.paler", "paler colours"
    STRONGER = "is.stronger", "stronger colours"
    RECOLOURED = "is.recoloured", "other colours"
    SOFTER = "is.softer", "less detail"
    SHARPENED = "is.sharpened", "sharpened or grain added"
    ENLARGED = "is.enlarged", "enlarged"
    BORDERED = "is.bordered", "with a border"


class FailureReason(Code):
    """Why a file or folder could not be used."""

    NO_PERMISSION_FILE = (
        "failure.no_permission_file",
        "You have no permission to read this file. Change its permissions and scan again.",
    )
    NO_PERMISSION_FOLDER = (
        "failure.no_permission_folder",
        "You have no permission to read this folder. Change its permissions and scan again.",
    )
    VANISHED_FILE = (
        "failure.vanished_file",
        "This file vanished while it was being looked at. Scan again.",
    )
    VANISHED_FOLDER = (
        "failure.vanished_folder",
        "This folder vanished while it was being looked at. Scan again.",
    )
    VANISHED = "failure.vanished", "The file vanished during the scan. Scan again."
    SYSTEM_FILE = "failure.system_file", "The system cannot read this file: %(reason)s."
    SYSTEM_FOLDER = "failure.system_folder", "The system cannot read this folder: %(reason)s."
    OWN = (
        "failure.own",
        "This folder belongs to the program: it holds a backup or pictures made for its pages.",
    )
    NOT_REGULAR = "failure.not_regular", "This is not a regular file."
    NO_LONGER_REGULAR = (
        "failure.no_longer_regular",
        "This is no longer a regular file. Scan again.",
    )
    CHANGED_IN_READING = (
        "failure.changed_in_reading",
        "The file changed while it was being read. Scan again.",
    )
    CHANGED_IN_SCAN = "failure.changed_in_scan", "The file changed during the scan. Scan again."
    ENCRYPTED = "failure.encrypted", "It is encrypted in its archive. Unpack it first."
    ARCHIVE_ENDS = "failure.archive_ends", "Its archive is cut off in the middle of this file."
    ARCHIVE = "failure.archive", "Its archive cannot be read: %(reason)s."
    EMPTY = "failure.empty", "The file is empty (0 bytes)."
    TOO_MANY_BYTES = (
        "failure.too_many_bytes",
        "The file has %(count)s bytes; the limit is %(limit)s.",
    )
    TOO_MANY_MEGABYTES = (
        "failure.too_many_megabytes",
        "The file has %(count)s MB, more than the limit of %(limit)s MB.",
    )
    NO_PIXELS = "failure.no_pixels", "The picture is %(width)s × %(height)s pixels: empty."
    TOO_MANY_PIXELS = (
        "failure.too_many_pixels",
        "The picture is %(width)s × %(height)s = %(pixels)s pixels; the limit is %(limit)s.",
    )
    MORE_PIXELS = (
        "failure.more_pixels",
        "The picture exceeds the limit of %(limit)s pixels.",
    )
    NEEDS_MEMORY = (
        "failure.needs_memory",
        "Decoding %(width)s × %(height)s pixels of this format needs %(needed)s MiB of memory;"
        " the limit is %(limit)s MiB.",
    )
    MEMORY_OF_FILE = (
        "failure.memory_of_file",
        "Decoding needs more than the memory limit of %(limit)s MB for one file.",
    )
    MEMORY = "failure.memory", "Decoding needs more memory than is available or allowed."
    SYSTEM_DECODING = (
        "failure.system_decoding",
        "The system did not let it be decoded: %(reason)s.",
    )
    UNDECODABLE = "failure.undecodable", "The picture cannot be decoded: %(reason)s."
    UNKNOWN_FORMAT = "failure.unknown_format", "The file is not a picture in a known format."
    OTHER_KIND = "failure.other_kind", "The file is not a picture but %(what)s."
    UNREAD_FORMAT = (
        "failure.unread_format",
        "The file is %(what)s, a format that this program does not read.",
    )
    ZEROS = (
        "failure.zeros",
        "The file is not a picture: it begins with nothing but zero bytes.",
    )
    SVG = "failure.svg", "The file is an SVG drawing, which this program does not compare."
    HEADER = "failure.header", "The %(format)s file's header is damaged."
    HEADER_BECAUSE = (
        "failure.header_because",
        "The %(format)s file's header is damaged (%(reason)s).",
    )
    ENDS_EARLY = "failure.ends_early", "The %(format)s file ends before its picture does."
    JPEG_WITHOUT_PICTURE = (
        "failure.jpeg_without_picture",
        "The JPEG file ends before its picture starts.",
    )
    JPEG_WITHOUT_SIZE = (
        "failure.jpeg_without_size",
        "The JPEG file does not say how large its picture is.",
    )
    JPEG_TOO_SHORT = (
        "failure.jpeg_too_short",
        "The JPEG file claims %(width)s × %(height)s pixels but contains too little data for that.",
    )
    JPEG_DEPTH = (
        "failure.jpeg_depth",
        "The JPEG file has %(bits)s bits per sample; only 8 can be decoded.",
    )
    JPEG_DATA = "failure.jpeg_data", "The JPEG data cannot be decoded: %(reason)s."
    JXL_WITHOUT_PICTURE = "failure.jxl_without_picture", "The JPEG XL file contains no picture."
    JXL_HEADER = "failure.jxl_header", "The JPEG XL file ends within its header."
    DDS_DEPTH = (
        "failure.dds_depth",
        "The DDS file has %(bits)s bits per pixel, which is not supported.",
    )
    RAW = "failure.raw", "The RAW file cannot be read: %(reason)s."
    NOT_INSTALLED = (
        "failure.not_installed",
        "This installation cannot read %(what)s files; `idf doctor` says why.",
    )
    MODEL = "failure.model", "The model fails on this picture (%(reason)s)."
    MODEL_NUMBERS = "failure.model_numbers", "The model returns no numbers for this picture."
    TOOK_LONG = "failure.took_long", "Reading took longer than %(seconds)s seconds."
    STOOD_STILL = "failure.stood_still", "Reading stalled for %(seconds)s seconds."
    CRASH = "failure.crash", "The decoder crashed on this file (exit status %(status)s)."


class Problem(Code):
    """What stops an operation, and what to do about it."""

    DISK_FULL = (
        "problem.disk_full",
        "The disk with the library %(path)s is full. Free some space and try again; what was "
        "stored is kept.",
    )
    WRITING = (
        "problem.writing",
        "Another program is writing to the library %(path)s. Try again.",
    )
    UNAVAILABLE = (
        "problem.unavailable",
        "The library %(path)s cannot be read or written to (%(reason)s). Check its drive and its "
        "permissions and try again; what was stored is kept.",
    )
    BUSY = (
        "problem.busy",
        "The library in %(folder)s is busy with %(who)s. Wait until it has ended, or stop "
        "it, and try again.",
    )
    ANOTHER_PROGRAM = "problem.another_program", "another program"
    NO_LOCKS = (
        "problem.no_locks",
        "The library's folder is on a drive that does not support file locks (%(reason)s). Name a "
        "folder on another drive with --library.",
    )
    RUNNING = "problem.running", "Another scan or removal is running. Wait for it, or stop it."
    NO_ROOTS = "problem.no_roots", "Name at least one folder to search."
    NO_PATH = "problem.no_path", "There is no folder or file %(path)s. Check the spelling."
    SEVERAL_FILES = "problem.several_files", "%(path)s matches %(count)s files. Name one picture."
    HOLDS_FILES = (
        "problem.holds_files",
        "%(path)s contains or lists several files. Name one picture.",
    )
    NO_PICTURE = "problem.no_picture", "%(path)s is not a regular file. Name a picture."
    NO_PATH_COLUMN = (
        "problem.no_path_column",
        "%(path)s has no column of paths. Name one of its columns %(names)s; it has %(columns)s.",
    )
    NO_COLUMNS = "problem.no_columns", "none"
    ROW_WITHOUT_PATH = "problem.row_without_path", "%(path)s: row %(row)s has no path."
    MANIFEST = "problem.manifest", "The manifest %(path)s cannot be read: %(reason)s"
    NEEDS_PACKAGES = "problem.needs_packages", "Reading %(path)s needs more packages: %(command)s"
    NEEDS_PACKAGE = "problem.needs_package", "This needs %(name)s: %(command)s"
    URL = "problem.url", "%(path)s cannot be read: %(reason)s"
    LINE_BREAK = (
        "problem.line_break",
        "%(path)s has a line break in its name. Use `idf export --null` for such lists.",
    )
    NOTHING_READABLE = (
        "problem.nothing_readable",
        "None of the files could be read as a picture. The list of failures says why.",
    )
    NO_SCAN_YET = (
        "problem.no_scan_yet",
        "This library has no scan yet. Start with: idf scan FOLDER",
    )
    NO_SCAN = "problem.no_scan", "This library has no scan %(scan)s."
    NO_GROUP = "problem.no_group", "There is no group %(group)s."
    NO_FILE = "problem.no_file", "Scan %(scan)s has no file %(file)s."
    NO_RUN = "problem.no_run", "There is no run %(run)s. `idf history` lists them."
    GROUP_CHANGED = (
        "problem.group_changed",
        "Group %(group)s is no longer in this scan: it has since been changed or regrouped.",
    )
    NO_PAIR = (
        "problem.no_pair",
        "Group %(group)s has no file %(file)s besides the kept one.",
    )
    NO_MEMBER = "problem.no_member", "File %(file)s is not a member of group %(group)s."
    NOTHING_LEFT = (
        "problem.nothing_left",
        "All files except the kept one are selected, so there is nothing to split them from.",
    )
    OTHER_VERSION = (
        "problem.other_version",
        "%(path)s cannot be compared with the others: it was read by a different version of this "
        "program. Scan its folder again.",
    )
    NO_COPIES = (
        "problem.no_copies",
        "These are not copies of each other, so they can only be selected one by one.",
    )
    NONE_SELECTED = "problem.none_selected", "First select the files."
    LATER_DECISIONS = (
        "problem.later_decisions",
        "Later decisions depend on this one. Undo those first.",
    )
    CANNOT_BE_UNDONE = (
        "problem.cannot_be_undone",
        "The groups have changed since, so this can no longer be undone.",
    )
    PROTECTED = "problem.protected", "%(path)s is in a protected folder."
    GONE = "problem.gone", "The file can no longer be read: %(reason)s."
    CHANGED = "problem.changed", "The file has changed since the scan. Scan again to see it."
    NO_BACKUP = (
        "problem.no_backup",
        "%(folder)s is not a backup, or it is empty.",
    )
    NOT_CONFIRMED = (
        "problem.not_confirmed",
        "The %(count)s files in %(folder)s would go back below %(root)s. Nothing was taken over: "
        "confirm the folder with --root, and files that programs start by themselves with --file.",
    )
    NO_MANIFEST = (
        "problem.no_manifest",
        "The manifest in %(folder)s cannot be read: %(reason)s.",
    )
    BACKUP_FAILED = (
        "problem.backup_failed",
        "The backup could not be made, so nothing was removed: %(reason)s.",
    )
    BACKUP_SPACE = (
        "problem.backup_space",
        "A full backup takes %(needed)s bytes and %(count)s are free on the volume of %(root)s. "
        "Free some space, or choose the backup mode 'auto' or 'removed'. Nothing was changed.",
    )
    JOURNAL = (
        "problem.journal",
        "The journal in %(folder)s could not be written (%(reason)s). Nothing is lost: files on "
        "their way are settled at the next start. Check the free space and the permissions of "
        "that folder.",
    )
    STRANGE_PLAN = (
        "problem.strange_plan",
        "The plan is for %(root)s, which is not a scanned folder of this library. Make a new plan "
        "with: idf plan",
    )
    STOPPED = "problem.stopped", "Stopped. What was finished until then is kept."

    # Settings
    NOT_ONE_OF = "problem.not_one_of", "The %(name)s is one of %(names)s, not %(value)s."
    NOT_A_SHARE = "problem.not_a_share", "%(name)s must lie between 0 and 1, not %(value)s."
    TOO_FEW_JOBS = "problem.too_few_jobs", "jobs must be at least 1, not %(value)s."
    NOT_ABOVE_ZERO = "problem.not_above_zero", "The limit %(name)s must be greater than 0."
    ONLY_FOR_RAY = (
        "problem.only_for_ray",
        "address and parquet are for the engine 'ray' only.",
    )
    ONLY_FOR_LOCAL = "problem.only_for_local", "gpu is for the engine 'local' only."
    CLUSTER_WITHOUT_PARQUET = (
        "problem.cluster_without_parquet",
        "A cluster needs 'parquet': a folder that all its machines reach.",
    )
    SETTINGS = "problem.settings", "These settings cannot be used: %(reason)s"

    # A cluster
    NO_RAY = (
        "problem.no_ray",
        "The engine 'ray' is not installed. Install it with: %(command)s",
    )
    NO_CLUSTER = (
        "problem.no_cluster",
        "No Ray cluster answers at %(address)s: %(reason)s If it is there, it may want a token: "
        "set RAY_AUTH_MODE and RAY_AUTH_TOKEN as on the cluster.",
    )
    CLUSTER_FAILED = (
        "problem.cluster_failed",
        "The Ray cluster could not finish the work: %(reason)s. What was read and compared until "
        "then is kept; scan again to go on.",
    )
    NO_PARQUET = "problem.no_parquet", "%(path)s cannot hold Parquet files: %(reason)s"

    # A model and the JSON beside it
    MODEL_UNREADABLE = (
        "problem.model_unreadable",
        "%(path)s, the model, cannot be read (%(reason)s).",
    )
    CARD_UNREADABLE = (
        "problem.card_unreadable",
        "%(path)s, the description of the model, cannot be read (%(reason)s).",
    )
    CARD_NOT_JSON = "problem.card_not_json", "%(path)s is not valid JSON (%(reason)s)."
    CARD_NO_OBJECT = "problem.card_no_object", "%(path)s must hold one JSON object."
    CARD_LACKS = "problem.card_lacks", "%(path)s lacks %(names)s."
    CARD_UNKNOWN = "problem.card_unknown", "%(path)s has unknown entries: %(names)s."
    CARD_SIDE = (
        "problem.card_side",
        "%(name)s in %(path)s must be a whole number from 8 to 2048.",
    )
    CARD_CHOICE = "problem.card_choice", "%(name)s in %(path)s must be %(first)s or %(second)s."
    CARD_CALIBRATION = (
        "problem.card_calibration",
        "calibration in %(path)s must be an object with scale and power.",
    )
    CARD_CALIBRATION_RANGE = (
        "problem.card_calibration_range",
        "scale and power in %(path)s must lie between 0 and 100.",
    )
    CARD_THREE = (
        "problem.card_three",
        "%(name)s in %(path)s must be a list of three finite numbers.",
    )
    MODEL_NOT_ONNX = (
        "problem.model_not_onnx",
        "%(path)s is not an ONNX model that can be run (%(reason)s).",
    )
    MODEL_INPUT = (
        "problem.model_input",
        "%(path)s must have one input, of 32-bit floats.",
    )
    MODEL_OUTPUT = (
        "problem.model_output",
        "%(path)s has no output %(name)s; its outputs are %(names)s.",
    )
    MODEL_BATCH = (
        "problem.model_batch",
        "%(path)s cannot take pictures as its JSON says, %(count)s at a time (%(reason)s).",
    )
    MODEL_SHAPE = (
        "problem.model_shape",
        "The output %(name)s of %(path)s must give one vector per picture, not the shape "
        "%(shape)s for %(count)s.",
    )
    MODEL_NO_NUMBERS = (
        "problem.model_no_numbers",
        "%(path)s gives no numbers for a grey picture.",
    )
    MODEL_LENGTHS = (
        "problem.model_lengths",
        "The vectors of %(path)s must have one length, not %(lengths)s.",
    )
    MODEL_ENDS = "problem.model_ends", "The model %(path)s ends the process that runs it."


class DecoderReason(Code):
    """Why a decoder gave up, as the end of a sentence."""

    DAMAGED = "decoder.damaged", "its data are damaged"
    CUT_OFF = "decoder.cut_off", "the file is cut off before the picture ends"
    ENDS_EARLY = "decoder.ends_early", "the file ends before its picture does"
    CHECKSUM = "decoder.checksum", "a checksum in it is wrong"
    UNKNOWN_KIND = "decoder.unknown_kind", "it is of a kind that no decoder here knows"
    METADATA = "decoder.metadata", "its metadata unpack to far more than metadata ever need"


class FileKind(Code):
    """What a file is if it is not a picture, or not one that can be read."""

    PDF = "file.pdf", "a PDF document"
    POSTSCRIPT = "file.postscript", "a PostScript document, which this program does not run"
    ZIP = "file.zip", "a ZIP archive or an office document"
    OLE = "file.ole", "an OLE document"
    GZIP = "file.gzip", "a gzip archive"
    SEVEN_ZIP = "file.7zip", "a 7-Zip archive"
    PROGRAM = "file.program", "a program"
    MATROSKA = "file.matroska", "a Matroska or WebM video"
    OGG = "file.ogg", "an Ogg sound or video"
    MP3 = "file.mp3", "an MP3 sound"
    FLAC = "file.flac", "a FLAC sound"
    DATABASE = "file.database", "a database"
    HDF5 = "file.hdf5", "an HDF5 data file"
    METAFILE = "file.metafile", "a Windows metafile drawing"
    IFF = "file.iff", "an IFF file"
    VIDEO = "file.video", "a video"
    SOUND_OR_VIDEO = "file.sound_or_video", "a sound or video"
    WEB_PAGE = "file.web_page", "a web page"
    TEXT = "file.text", "text"
    OPENEXR = "file.openexr", "an OpenEXR picture"
    RADIANCE = "file.radiance", "a Radiance HDR picture"
    JPEG_XR = "file.jpeg_xr", "a JPEG XR picture"
    BPG = "file.bpg", "a BPG picture"
    DJVU = "file.djvu", "a DjVu picture"
    GIMP = "file.gimp", "a GIMP picture"
    MNG = "file.mng", "an MNG picture"
    JNG = "file.jng", "a JNG picture"
    KTX = "file.ktx", "a KTX picture"
    CINEON = "file.cineon", "a Cineon picture"
    DPX = "file.dpx", "a DPX picture"
    DICOM = "file.dicom", "a DICOM picture"


def plain(text: str) -> Message:
    """A message for a text that has no code."""
    return Plain.TEXT(text=text)


def _bare(value: Parameter) -> Parameter:
    """Unwrap a plain text, which needs no code within another message."""
    if isinstance(value, Message) and value.code is Plain.TEXT:
        return value.parameters[0][1]
    return value


def both(first: Message, second: Message | None) -> Message:
    """Two sentences, or only the first if there is no second."""
    return first if second is None else Plain.BOTH(first=first, second=second)


@dataclass(frozen=True, slots=True)
class Language:
    """How messages are rendered: templates are translated, parameters are formatted."""

    translate: Callable[[str], str] = str
    text: Callable[[str], str] = str
    percent: Callable[[float], str] = "{:.0%}".format
    decimal: Callable[[float], str] = "{:.1f}".format
    degrees: Callable[[float], str] = "{:.0f}°".format
    number: Callable[[float], str] = "{:,}".format
    figure: Callable[[float], str] = "{:g}".format

    def render(self, message: Message) -> str:
        """The text of a message."""
        values = {name: self._written(name, value) for name, value in message.parameters}
        return self.translate(message.code.template) % values

    def listed(self, messages: Iterable[Message]) -> str:
        """The texts of several messages, with commas between."""
        return ", ".join(map(self.render, messages))

    def _written(self, name: str, value: Parameter) -> str:
        if isinstance(value, Message):
            return self.render(value)
        if isinstance(value, str):
            return self.text(value)
        match name:
            case "share":
                return self.percent(value)
            case "factor":
                return self.decimal(value)
            case "angle":
                return self.degrees(value)
            case "count" | "limit" | "width" | "height" | "pixels" | "needed":
                return self.number(value)
            case "seconds":
                return self.figure(value)
            case _:
                return str(value)


ENGLISH = Language()


def english(message: Message) -> str:
    """The English text of a message."""
    return ENGLISH.render(message)


def messages_to_json(messages: Iterable[Message]) -> str:
    """Messages as JSON text for :func:`messages_from_json`."""
    return json.dumps([_values(message) for message in messages], separators=(",", ":"))


def message_to_json(message: Message) -> str:
    """A message as JSON text for :func:`message_from_json`."""
    return json.dumps(_values(message), separators=(",", ":"))


def message_from_json(text: str) -> Message:
    """The message that :func:`message_to_json` wrote; any other text as a plain message."""
    try:
        return _message(json.loads(text))
    except ValueError:
        return plain(text)


def messages_from_json(text: str) -> tuple[Message, ...]:
    """The messages that :func:`messages_to_json` wrote.

    Anything else, or a message that this version does not know, is shown as it is.
    """
    try:
        values = json.loads(text)
    except ValueError:
        return (plain(text),) if text else ()
    if not isinstance(values, list):
        return (plain(text),)
    return tuple(map(_message, values))


def _values(message: Message) -> Any:
    if message.code is Plain.TEXT:
        return dict(message.parameters)["text"]
    if not message.parameters:
        return [message.code.value]
    values = {
        name: _values(value) if isinstance(value, Message) else value
        for name, value in message.parameters
    }
    return [message.code.value, values]


def _message(values: Any) -> Message:
    """One message, from a text or ``[code, parameters]``."""
    if isinstance(values, str):
        return plain(values)
    try:
        name, parameters = values[0], values[1] if len(values) > 1 else {}
        return _codes()[name](
            **{
                key: _message(value) if isinstance(value, list) else value
                for key, value in parameters.items()
            }
        )
    except (AttributeError, IndexError, KeyError, TypeError):
        return plain(str(values))


def all_codes() -> Iterator[Code]:
    """Every code in the modules that are loaded."""
    for domain in Code.__subclasses__():
        yield from domain


@functools.cache
def _codes() -> dict[str, Code]:
    return {code.value: code for code in all_codes()}


_JOINERS = "\u200c\u200d"
"""Invisible, but a part of many scripts and emoji."""


def printable(path: str) -> str:
    """A path that is safe to show: characters that could hide or reorder text are escaped.

    >>> printable("a\\nb\\udcff.jpg")
    'a\\\\x0ab\\\\xff.jpg'
    """
    if path.isprintable():
        return path
    return "".join(
        character if character.isprintable() or character in _JOINERS else _escaped(character)
        for character in path
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode wrote it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
