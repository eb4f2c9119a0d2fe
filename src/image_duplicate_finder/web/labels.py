"""What matches, keepers and metadata are called on a page, in the visitor's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flask import Flask

from image_duplicate_finder.companions import split
from image_duplicate_finder.discover.beside import unit_of
from image_duplicate_finder.keeping import Origin, origin_of
from image_duplicate_finder.model import GroupKind, ImageInfo, Metadata, PartKind, Relation
from image_duplicate_finder.results import (
    DecisionKind,
    DecisionRecord,
    FileView,
    GroupSort,
    GroupView,
    MemberView,
)
from image_duplicate_finder.sources import library_of
from image_duplicate_finder.web.i18n import (
    decimal,
    gettext_plain,
    lazy,
    lazy_plural,
    moment,
    name,
    ngettext,
    number,
    span,
)
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import size as formats_size

RELATION_NAMES = {
    Relation.BYTE_IDENTICAL: lazy("Identical files"),
    Relation.PIXEL_IDENTICAL: lazy("Identical pictures"),
    Relation.REENCODED: lazy("Re-saved"),
    Relation.RESIZED: lazy("Resized"),
    Relation.CROPPED: lazy("Cropped"),
    Relation.ROTATED: lazy("Rotated or mirrored"),
    Relation.EDITED: lazy("Edited"),
    Relation.CONTAINS: lazy("Contained"),
    Relation.SIMILAR: lazy("Similar"),
}
KINDS = {
    GroupKind.DUPLICATES: lazy("Duplicates"),
    GroupKind.SIMILAR: lazy("Similar"),
    GroupKind.CONTAINS: lazy("Contained"),
}
_MOST_NAMED = 3
SORTS = {
    GroupSort.SPACE: lazy("Size of the copies"),
    GroupSort.COUNT: lazy("Number of files"),
    GroupSort.DATE: lazy("Date"),
    GroupSort.SIMILARITY: lazy("Similarity"),
    GroupSort.PIXELS: lazy("Pixels"),
    GroupSort.PATH: lazy("Path"),
}


PARTS = {
    PartKind.LAYERS: lazy("layers"),
    PartKind.MOTION: lazy("a video"),
    PartKind.VIEW: lazy("a second picture"),
    PartKind.GAIN_MAP: lazy("a gain map"),
    PartKind.DEPTH_MAP: lazy("a depth map"),
    PartKind.GEOREFERENCE: lazy("a georeference"),
    PartKind.SOUND: lazy("sound"),
    PartKind.DATA: lazy("other data"),
}
ORIGINS = {
    Origin.CAMERA: lazy("camera original"),
    Origin.EDITED: lazy("edited file"),
    Origin.MESSENGER: lazy("from a messaging app"),
    Origin.SCREENSHOT: lazy("screenshot"),
    Origin.DOWNLOAD: lazy("download"),
}


_NOTEWORTHY = 1.05
_NOTEWORTHY_SECONDS = 60.0

_DECISIONS = {
    DecisionKind.SELECTED: lazy_plural(
        "%(num)s file selected for removal",
        "%(num)s files selected for removal",
    ),
    DecisionKind.UNSELECTED: lazy_plural(
        "%(num)s file no longer selected",
        "%(num)s files no longer selected",
    ),
    DecisionKind.INVERTED: lazy_plural(
        "Selection inverted for %(num)s file",
        "Selection inverted for %(num)s files",
    ),
    DecisionKind.SPLIT: lazy_plural(
        "%(num)s file split off",
        "%(num)s files split off",
    ),
    DecisionKind.NOT_DUPLICATES: lazy_plural(
        "%(num)s file marked as not a duplicate",
        "%(num)s files marked as not duplicates",
    ),
    DecisionKind.RULE: lazy_plural(
        "Rule applied to %(num)s group",
        "Rule applied to %(num)s groups",
    ),
}


def decision_text(decision: DecisionRecord) -> str:
    """What a person decided, in a few words."""
    if decision.kind is DecisionKind.KEPT:
        return _("Now keeping %(name)s", name=name(decision.name))
    one, many = _DECISIONS[decision.kind]
    return ngettext(one, many, decision.files, num=number(decision.files))


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a metadata table; ``differs`` when the two pictures do not agree on it."""

    name: str
    keeper: str
    member: str
    differs: bool


def facts(keeper: FileView, member: FileView) -> list[Fact]:
    """What is known of two pictures, line by line, without lines that both leave empty."""
    return [
        Fact(name, mine, theirs, mine != theirs)
        for (name, mine), (_name, theirs) in zip(_lines(keeper), _lines(member), strict=True)
        if mine or theirs
    ]


def contrast(one: FileView, other: FileView) -> list[str]:
    """What one picture has over another, in a few words each, the weightiest first."""
    mine, theirs = one.info.metadata, other.info.metadata
    phrases = []
    if (times := one.info.pixels / max(1, other.info.pixels)) >= _NOTEWORTHY:
        phrases.append(_("%(factor)s times the pixels", factor=decimal(times, 1)))
    if one.info.lossless and not other.info.lossless:
        phrases.append(_("lossless"))
    elif (mine.jpeg_quality or 0) > (theirs.jpeg_quality or 100):
        phrases.append(_("higher quality (%(quality)s of 100)", quality=mine.jpeg_quality))
    if one.info.bit_depth > other.info.bit_depth:
        phrases.append(_("%(bits)s bits per channel", bits=one.info.bit_depth))
    if mine.has_gps and not theirs.has_gps:
        phrases.append(_("has GPS"))
    if mine.taken and not theirs.taken:
        phrases.append(_("has the date taken"))
    if mine.has_exif and not theirs.has_exif:
        phrases.append(_("has camera data"))
    if mine.rating is not None and theirs.rating is None:
        phrases.append(_("has a rating"))
    if mine.keywords and not theirs.keywords:
        phrases.append(_("has keywords"))
    if one.info.has_alpha and not other.info.has_alpha:
        phrases.append(_("has transparency"))
    if besides := {part.kind for part in set(one.info.parts) - set(other.info.parts)}:
        phrases.append(_("also contains %(parts)s", parts=_parts(besides)))
    if one.info.frames > other.info.frames:
        phrases.append(_("%(frames)s frames", frames=one.info.frames))
    age = (other.stat.mtime_ns - one.stat.mtime_ns) / 1e9
    if age >= _NOTEWORTHY_SECONDS:
        phrases.append(_("%(span)s older", span=span(age)))
    if (times := one.stat.size / max(1, other.stat.size)) >= _NOTEWORTHY:
        more = formats_size(one.stat.size - other.stat.size)
        phrases.append(_("%(size)s larger", size=more))
    return phrases


def unit_words(unit: Iterable[str]) -> str:
    """The files that belong to a picture, by their extensions."""
    return "+ " + ", ".join(dict.fromkeys(split(each)[1].upper() for each in unit))


def member_note(group: GroupView, member: MemberView) -> str:
    """Why a member is not proposed for removal, or which file but the keeper holds all of it."""
    if member.lacks:
        held = ", ".join(gettext_plain(lack.template) for lack in member.lacks)
        return _("only here: %(what)s", what=held)
    witness = next((each.file for each in group.members if each.file.id == member.witness), None)
    if witness is not None:
        return _("everything in it is also in %(name)s", name=name(witness.path))
    return ""


def differences(keeper: FileView, member: FileView) -> list[str]:
    """In which of its metadata a member is unlike its keeper, in a few words each."""
    mine, theirs = keeper.info.metadata, member.info.metadata
    phrases = []
    if mine.has_exif != theirs.has_exif:
        phrases.append(_("has EXIF data") if theirs.has_exif else _("no EXIF data"))
    elif mine.camera != theirs.camera or mine.lens != theirs.lens:
        phrases.append(_("different camera"))
    if mine.taken != theirs.taken and (mine.has_exif == theirs.has_exif or theirs.taken):
        phrases.append(_("different date taken") if theirs.taken else _("no date taken"))
    if mine.has_gps != theirs.has_gps:
        phrases.append(_("has a location") if theirs.has_gps else _("no location"))
    if mine.rating != theirs.rating or mine.keywords != theirs.keywords:
        phrases.append(_("different rating or keywords"))
    texts = ("title", "description", "creator", "copyright", "people", "label")
    if any(getattr(mine, name) != getattr(theirs, name) for name in texts):
        phrases.append(_("different title, description or names"))
    if mine.generation != theirs.generation:
        phrases.append(
            _("different generation data") if theirs.generation else _("no generation data")
        )
    lacking = {part.kind for part in set(keeper.info.parts) - set(member.info.parts)}
    besides = {part.kind for part in set(member.info.parts) - set(keeper.info.parts)}
    if besides:
        phrases.append(_("also contains %(parts)s", parts=_parts(besides)))
    elif lacking:
        phrases.append(_("without %(parts)s", parts=_parts(lacking)))
    if member.info.incomplete:
        phrases.append(_("is cut off"))
    if (mine.profile or "sRGB") != (theirs.profile or "sRGB"):
        phrases.append(_("different colour profile"))
    if keeper.info.bit_depth != member.info.bit_depth:
        phrases.append(_("%(bits)s bits per channel", bits=member.info.bit_depth))
    if keeper.info.has_alpha != member.info.has_alpha:
        phrases.append(_("has transparency") if member.info.has_alpha else _("no transparency"))
    if keeper.info.frames != member.info.frames:
        phrases.append(_("%(frames)s frames", frames=member.info.frames))
    elif keeper.info.frame_digests != member.info.frame_digests:
        phrases.append(_("different frames"))
    return phrases


def _lines(file: FileView) -> Iterator[tuple[str, str]]:
    info, metadata = file.info, file.info.metadata
    yield _("Format"), info.format
    yield _("Compression"), _compression(info)
    yield _("Bits per channel"), str(info.bit_depth)
    yield _("Transparency"), _("yes") if info.has_alpha else _("no")
    yield _("Frames"), str(info.frames)
    yield _("Colour profile"), metadata.profile or _("not specified")
    yield _("Date taken"), _date(metadata.taken)
    yield _("Camera"), metadata.camera or ""
    yield _("Lens"), metadata.lens or ""
    yield _("Location (GPS)"), _place(metadata)
    yield _("Rating"), "" if metadata.rating is None else str(metadata.rating)
    yield _("Keywords"), ", ".join(metadata.keywords)
    yield _("Title"), metadata.title or ""
    yield _("Description"), metadata.description or ""
    yield _("People"), ", ".join(metadata.people)
    yield _("Creator"), metadata.creator or ""
    yield _("Copyright"), metadata.copyright or ""
    yield _("Generation data"), _("yes") if metadata.generation else ""
    yield _("Also contains"), _parts({part.kind for part in info.parts})
    yield _("Origin"), _origin(file)
    yield _("Complete"), _("no, the file was cut off") if info.incomplete else ""
    yield _("Orientation tag"), str(info.orientation)


def _parts(kinds: Iterable[PartKind]) -> str:
    return ", ".join(_(PARTS[kind]) for kind in PartKind if kind in set(kinds))


def _origin(file: FileView) -> str:
    origin = origin_of(file.path, file.info)
    return _(ORIGINS[origin]) if origin in ORIGINS else ""


def _place(metadata: Metadata) -> str:
    if metadata.place is None:
        return _("yes") if metadata.has_gps else _("no")
    return ", ".join(f"{degrees:.5f}" for degrees in metadata.place)


def _compression(info: ImageInfo) -> str:
    if info.metadata.jpeg_quality is not None:
        return _("quality %(quality)s of 100", quality=info.metadata.jpeg_quality)
    return _("lossless") if info.lossless else _("lossy")


def _date(taken: str | None) -> str:
    if taken is None:
        return ""
    try:
        return moment(taken)
    except ValueError:
        return taken


def install(app: Flask) -> None:
    """Make the labels known to the templates of ``app``."""
    app.add_template_filter(lambda relation: _(RELATION_NAMES[relation]), "relation_name")
    app.add_template_filter(lambda kind: _(KINDS[kind]), "kind_name")
    app.add_template_filter(lambda sort: _(SORTS[sort]), "sort_name")
    app.add_template_filter(library_of)
    app.add_template_filter(decision_text)
    app.add_template_global(differences)
    app.add_template_global(member_note)
    app.add_template_global(unit_of)
    app.add_template_global(unit_words)


def left_behind(decision: DecisionRecord | None) -> str:
    """Which files left a group by a decision, because they do not match; "" for none."""
    if decision is None or not decision.left:
        return ""
    count = len(decision.left)
    names = ", ".join(name(path) for path in decision.left[:_MOST_NAMED])
    if count > _MOST_NAMED:
        names = _("%(names)s and %(count)s more", names=names, count=number(count - _MOST_NAMED))
    return ngettext(
        "%(num)s file left the group because it does not match the kept file: %(names)s",
        "%(num)s files left the group because they do not match the kept file: %(names)s",
        count,
        num=number(count),
        names=names,
    )
