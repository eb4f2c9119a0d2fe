"""What the core says, in the visitor's language.

The core speaks English sentences with names and figures in them ("cropped to 62%"). Here they
are known as patterns, which stand in the catalogues like all other texts.
"""

from __future__ import annotations

import functools
import re

from image_duplicate_finder.web.formats import printable
from image_duplicate_finder.web.i18n import gettext_plain, language, lazy

SAYINGS: tuple[str, ...] = (
    # What a start found (library)
    lazy("1 scan was cut off. What was read is kept: scan again to go on."),
    lazy("%(count)s scans were cut off. What was read is kept: scan again to go on."),
    # Why a file is not removed or not put back (removal)
    lazy("It lies outside the scanned folders."),
    lazy(
        "It lies in an archive or behind a URL, which this program never changes. Take it "
        "from the list that `idf export --format delete-list` writes."
    ),
    lazy(
        "Its keeper %(path)s lies in an archive or behind a URL, which may change unseen. "
        "Choose a keeper in a folder."
    ),
    lazy("The folder %(folder)s is protected."),
    lazy("It lies in a protected folder."),
    lazy("It is not in one of the folders that files may be removed from."),
    lazy("It is not in one of the folders that files may go from."),
    lazy("It lies in a backup."),
    lazy("This program made it, to show a picture."),
    lazy("It is the same file as %(path)s under another name."),
    lazy("It and %(path)s are two names of one file."),
    lazy("Its bytes are not those of %(path)s. Scan the folder again."),
    lazy("Its keeper %(path)s is to be removed as well; keep one of the two."),
    lazy("It was kept for another file that this plan removed."),
    lazy("A link shows the keeper's bytes, so only byte-identical files become one."),
    lazy("A link cannot lead to %(path)s, which is on another volume."),
    lazy("It and %(path)s are RAW and picture of one shot."),
    lazy(
        "It belongs to %(path)s, which stays; RAW and picture of one shot are kept or "
        "removed together."
    ),
    lazy("It is half of a Live Photo with %(path)s, and its keeper has no video."),
    lazy("Its keeper %(path)s is no longer there."),
    lazy("Its keeper %(path)s has changed."),
    lazy("Its keeper %(path)s has changed since the scan."),
    lazy("Its keeper %(path)s lies in a backup."),
    lazy("Its keeper %(path)s is no picture of yours: this program made it."),
    lazy(
        "Pictures that this program keeps for itself lie here: a backup, or what it shows in pages."
    ),
    lazy("Its keeper %(path)s cannot be read: %(reason)s."),
    lazy("It has changed since the scan."),
    lazy("It changed since the plan was made."),
    lazy("It is no longer there."),
    lazy("The library has no verified match between it and %(path)s. Scan again."),
    lazy(
        "It is no copy of %(path)s. Such a file is removed only when it was selected by itself, "
        "not by a rule."
    ),
    lazy(
        "This library has no verified match between it and %(path)s, so it may be the last copy; "
        "it stays in the backup."
    ),
    lazy("%(path)s changed at the moment when it moved, so the two may be one file."),
    lazy("%(path)s is a name of this same file."),
    lazy("Files that belong to it came or went since the plan was made. Make a new plan."),
    lazy("%(path)s, which belongs to it, changed since the plan was made."),
    lazy("It was changed or replaced while it was being moved."),
    lazy("It was changed or replaced while it was being copied."),
    lazy("The system refused: %(what)s. Nothing was changed."),
    lazy("Something else stands at %(path)s now. It can be restored under a new name."),
    lazy("It is no longer in the backup: %(path)s is missing."),
    lazy("It is neither in its place nor in the backup."),
    lazy("Its place is taken by another file now, so it stays in the backup as %(path)s."),
    lazy(
        "It was changed in the backup and stays there as %(path)s; copy it back by hand if "
        "you want it."
    ),
    lazy("It has changed or gone since; %(path)s may be the last copy and stays."),
    lazy(
        "Its keeper %(path)s is no longer there. So this may be the last copy; it stays in "
        "the backup."
    ),
    lazy("Its keeper %(path)s has changed. So this may be the last copy; it stays in the backup."),
    lazy("%(path)s has no moving half any more; this may be the last one."),
    lazy(
        "The symbolic link %(path)s leads to it and would lead to nothing. Undo what put the link "
        "there, or delete the link first."
    ),
    lazy(
        "Its bytes in the backup were damaged (by the disk, since nobody wrote to it), so it was "
        "not put back: %(path)s. The same bytes are whole in: %(copies)s"
    ),
    lazy(
        "Its bytes in the backup were damaged (by the disk, since nobody wrote to it), so it was "
        "not put back: %(path)s. The picture that was kept instead is whole: %(keeper)s"
    ),
    lazy(
        "Its bytes in the backup were damaged (by the disk, since nobody wrote to it), so it was "
        "not put back: %(path)s. No other copy of it is known here; look for one in another "
        "backup of yours."
    ),
    lazy("No keeper of it is known; it stays."),
    lazy(
        "The drive that it came from is not at %(path)s now. Connect it there and try again; "
        "until then it stays in the backup as %(stored)s."
    ),
    lazy("A link now leads from %(path)s to %(folder)s."),
    lazy(
        "Its row in the journal (number %(number)s) is damaged, so it was left alone. The "
        "manifest of the backup may still know it: take the backup over with idf adopt."
    ),
    lazy(
        "The backup cannot be made in %(folder)s, which is protected: nothing is written there. "
        "Name another place."
    ),
    lazy("The system's trash did not take it."),
    lazy("It is in the system's trash; restore it from there by hand."),
    lazy("The trash is not safe to use on this volume; remove into the backup instead."),
    lazy("%(root)s: This volume keeps copies only at the cost of space, so none were made."),
    # What a start recovered (removal/remover.py)
    lazy("Run %(run)s, started %(when)s, had been interrupted; it is settled."),
    lazy("%(path)s: its removal was interrupted; it is back in its place."),
    lazy("%(path)s: is in the backup as %(stored)s."),
    lazy("%(path)s: its restoration was finished (%(place)s)."),
    lazy("%(path)s: its purge was finished."),
)
"""Sentences of the core; ``%(name)s`` stands for what varies."""


def said(text: str) -> str:
    """``text`` from the core, translated where it is known; lists by their parts."""
    if language() == "en":
        return printable(text)
    parts = [_translated(part) for part in text.split(", ")]
    if None not in parts:
        return printable(", ".join(part or "" for part in parts))
    return printable(_translated(text) or text)


def _translated(text: str) -> str | None:
    """The translation of one sentence, or None for an unknown one."""
    for saying, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return gettext_plain(saying) % found.groupdict()
    return None


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(saying, _pattern(saying)) for saying in SAYINGS]


def _pattern(saying: str) -> re.Pattern[str]:
    """A pattern that matches the sentence with anything in place of its ``%(name)s``."""
    parts = re.split(r"%\((\w+)\)s", saying)
    literal = [re.escape(part.replace("%%", "%")) for part in parts[::2]]
    names = [f"(?P<{name}>.+?)" for name in parts[1::2]]
    woven = [piece for pair in zip(literal, [*names, ""], strict=True) for piece in pair]
    return re.compile("".join(woven), re.DOTALL)
