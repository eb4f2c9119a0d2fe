"""Removal that can be trusted with the only copy: see docs/safety.md for its rules.

:func:`make_plan` turns evidence into a plan, :class:`Remover` applies, undoes, purges and
recovers. No other module of the package moves or deletes a file of the user.
"""

from image_duplicate_finder.removal.adopt import Offer, VerifyReport, find_backups
from image_duplicate_finder.removal.backup import FOLDER_NAME as BACKUP_FOLDER_NAME
from image_duplicate_finder.removal.backup import StatChange, places_for
from image_duplicate_finder.removal.checks import look_around
from image_duplicate_finder.removal.journal import BackupFolder, Item, Run, RunState, State
from image_duplicate_finder.removal.plan import (
    Companion,
    Evidence,
    Merge,
    Plan,
    PlanFile,
    PlanItem,
    Reason,
    Refusal,
    Surroundings,
    make_plan,
    no_match,
    root_of,
)
from image_duplicate_finder.removal.plan_file import plan_from_dict, plan_to_dict
from image_duplicate_finder.removal.remover import BackupInfo, RecoveryReport, Remover, Report
from image_duplicate_finder.removal.undo import PurgeReport

__all__ = [
    "BACKUP_FOLDER_NAME",
    "BackupFolder",
    "BackupInfo",
    "Companion",
    "Evidence",
    "Item",
    "Merge",
    "Offer",
    "Plan",
    "PlanFile",
    "PlanItem",
    "PurgeReport",
    "Reason",
    "RecoveryReport",
    "Refusal",
    "Remover",
    "Report",
    "Run",
    "RunState",
    "StatChange",
    "State",
    "Surroundings",
    "VerifyReport",
    "find_backups",
    "look_around",
    "make_plan",
    "no_match",
    "places_for",
    "plan_from_dict",
    "plan_to_dict",
    "root_of",
]
