"""The start form and the settings that outlive it, as validated values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from werkzeug.datastructures import MultiDict

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.settings import DecodeLimits, KeepRule, Mode, ScanSettings
from image_duplicate_finder.web.i18n import gettext as _

SETTINGS_PREFERENCE = "scan_settings"


class Role(StrEnum):
    """What a folder is for in a scan."""

    SEARCH = "search"
    PROTECT = "protect"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class FolderRow:
    """One line of the list of folders, as it was typed."""

    text: str = ""
    role: Role = Role.SEARCH


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What a person asks for: folders to search, and settings with the other folders in them."""

    roots: tuple[str, ...]
    settings: ScanSettings


def folder_rows(form: MultiDict[str, str]) -> list[FolderRow]:
    """The folders of a form, empty lines left out."""
    roles = form.getlist("role")
    return [
        FolderRow(text.strip(), _role(roles[number] if number < len(roles) else ""))
        for number, text in enumerate(form.getlist("folder"))
        if text.strip()
    ]


def rows_of(roots: tuple[str, ...], settings: ScanSettings) -> list[FolderRow]:
    """The list of folders of an earlier scan."""
    return [
        *(FolderRow(path_to_text(p)) for p in roots if p not in settings.protected),
        *(FolderRow(path_to_text(p), Role.PROTECT) for p in settings.protected),
        *(FolderRow(path_to_text(p), Role.COMPARE) for p in settings.compare_only),
    ]


def read_scan(form: MultiDict[str, str], base: ScanSettings) -> ScanRequest:
    """The scan that a form asks for; what the form does not show comes from ``base``.

    Protected folders are searched as well. Raises UsageError.
    """
    rows = folder_rows(form)
    folders = {
        role: tuple(path_from_text(row.text) for row in rows if row.role is role) for role in Role
    }
    roots = folders[Role.SEARCH] + folders[Role.PROTECT]
    if not roots:
        raise UsageError(Problem.NO_ROOTS())
    euclidean, cosine = read_thresholds(form, base)
    settings = replace(
        base,
        mode=_choice(Mode, form.get("mode", base.mode)),
        esimilarity_threshold=euclidean,
        csimilarity_threshold=cosine,
        recursive="recursive" in form,
        hidden="hidden" in form,
        exclude=tuple(
            line.strip() for line in form.get("exclude", "").splitlines() if line.strip()
        ),
        protected=folders[Role.PROTECT],
        compare_only=folders[Role.COMPARE],
    )
    return ScanRequest(roots, settings)


def stored_settings(library: Library) -> ScanSettings:
    """The settings that the next scan starts from; those of the program where none are stored."""
    text = library.preference(SETTINGS_PREFERENCE)
    if not text:
        return ScanSettings()
    try:
        return ScanSettings.from_dict(json.loads(text))
    except (ValueError, UsageError):  # written by another version
        return ScanSettings()


def store_settings(library: Library, settings: ScanSettings) -> None:
    """Remember settings for the next scan; folders belong to a scan, not to these."""
    kept = replace(settings, protected=(), compare_only=())
    library.set_preference(SETTINGS_PREFERENCE, json.dumps(kept.to_dict()))


def read_thresholds(form: Mapping[str, str], base: ScanSettings) -> tuple[float, float]:
    """The Euclidean distance and the cosine similarity. Raises UsageError."""
    euclidean = _share(form, "esimilarity_threshold", base.esimilarity_threshold, _("The distance"))
    cosine = _share(form, "csimilarity_threshold", base.csimilarity_threshold, _("The similarity"))
    return euclidean, cosine


def read_limits(form: Mapping[str, str], base: DecodeLimits) -> DecodeLimits:
    """Limits from megapixels, megabytes and seconds. Raises UsageError."""
    return DecodeLimits(
        pixels=round(_number(form, "megapixels", base.pixels / 1e6) * 1e6),
        bytes=round(_number(form, "megabytes", base.bytes / 1e6) * 1e6),
        seconds=_number(form, "seconds", base.seconds),
        memory=round(_number(form, "memory", base.memory / 1e6) * 1e6),
    )


def read_jobs(form: Mapping[str, str]) -> int | None:
    """The number of worker processes; None for one per core. Raises UsageError."""
    count = round(_number(form, "jobs", 0))
    return count if count > 0 else None


def moved(rules: tuple[KeepRule, ...], rule: KeepRule, by: int) -> tuple[KeepRule, ...]:
    """The keep rules with one of them moved up (-1) or down (1)."""
    order = list(rules)
    place = order.index(rule)
    order.insert(max(0, place + by), order.pop(place))
    return tuple(order)


def _role(text: str) -> Role:
    return Role(text) if text in set(Role) else Role.SEARCH


def _choice(kind: type[Mode], text: str) -> Mode:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(_("Unknown scan depth: %(name)s", name=text)) from None


def _share(form: Mapping[str, str], name: str, default: float, label: str) -> float:
    value = _number(form, name, default)
    if not 0 <= value <= 1:
        raise UsageError(_("%(what)s must be between 0 and 1.", what=label))
    return value


def _number(form: Mapping[str, Any], name: str, default: float) -> float:
    text = str(form.get(name, "")).strip()
    if not text:
        return default
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise UsageError(_("Not a number: %(text)s", text=text)) from None
    if value != value or value in (float("inf"), float("-inf")):
        raise UsageError(_("Not a number: %(text)s", text=text))
    return value


def path_from_text(text: str) -> str:
    """The path that a person typed or pasted, also with ``~``; "" for nothing.

    A form cannot carry a name that is not UTF-8, so :func:`path_to_text` writes such a path as a
    ``file:`` address, whose percent escapes stand for bytes.

    >>> path_from_text('"/photos/a b"'), path_from_text("file:///photos/a%20b")
    ('/photos/a b', '/photos/a b')
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if text.startswith("file://"):
        parts = urlsplit(text)
        path = os.fsdecode(unquote_to_bytes(parts.path))
        if os.name == "nt":
            # file:///C:/a is a drive's, file://server/share/a another computer's.
            path = f"//{parts.netloc}{path}" if parts.netloc else path.lstrip("/")
            return os.path.normpath(path)
        return path
    return os.path.expanduser(text)


def path_to_text(path: str) -> str:
    """The path as a form can carry it; :func:`path_from_text` gives it back."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "file://" + quote_from_bytes(os.fsencode(path))
    return path
