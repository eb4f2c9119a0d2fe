"""One answer out of EXIF, XMP and the colour profile."""

from __future__ import annotations

from image_duplicate_finder.decode.exif import NO_EXIF, ExifFields
from image_duplicate_finder.decode.profiles import profile_name
from image_duplicate_finder.decode.xmp import NO_XMP, read_xmp
from image_duplicate_finder.model import Metadata


def merge_metadata(
    *,
    exif: ExifFields = NO_EXIF,
    has_exif: bool = False,
    xmp: bytes = b"",
    profile: bytes = b"",
    jpeg_quality: int | None = None,
    grey: bool = False,
    few_colours: bool = False,
) -> Metadata:
    """What both blocks say together; XMP has the last word on rating and keywords.

    Programs that rate and tag write XMP and leave old EXIF fields behind; the camera's EXIF is
    the better witness for date and lens.
    """
    fields = read_xmp(xmp) if xmp else NO_XMP
    return Metadata(
        taken=exif.taken or fields.taken,
        camera=exif.camera,
        lens=exif.lens or fields.lens,
        has_exif=has_exif,
        has_gps=exif.has_gps or fields.has_gps,
        profile=(profile_name(profile) or "unnamed") if profile else None,
        jpeg_quality=jpeg_quality,
        rating=exif.rating if fields.rating is None else fields.rating,
        keywords=fields.keywords or exif.keywords,
        content_identifier=exif.content_identifier,
        grey=grey,
        few_colours=few_colours,
    )
