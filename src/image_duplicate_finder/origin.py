"""Where a file comes from, as far as its name and its metadata tell. Pure."""

from __future__ import annotations

import os
import re
from enum import StrEnum

from image_duplicate_finder.formats import CAMERA_FORMATS, RAW_FORMATS
from image_duplicate_finder.model import ImageInfo


class Origin(StrEnum):
    """Who wrote a file; a camera's own file was changed by no program since, as far as it says."""

    CAMERA = "camera"
    EDITED = "edited"
    MESSENGER = "messenger"
    SCREENSHOT = "screenshot"
    DOWNLOAD = "download"
    UNKNOWN = "unknown"


_MESSENGER = re.compile(
    r"IMG-\d{8}-WA\d{4}|WhatsApp Image \d{4}-\d\d-\d\d|received_\d{6,}|signal-\d{4}-\d\d-\d\d"
    r"|photo_\d{4}-\d\d-\d\d_\d\d-\d\d|photo_\d+@\d\d-\d\d-\d{4}|FB_IMG_\d{8,}|mmexport\d{10,}"
    r"|Snapchat-\d+|viber[_ ]image|telegram-cloud-photo|Messenger_creation|wx_camera_\d+"
    r"|InShot_\d{8}|IMG_\d{8}_\d{6}_WA|Screenshot_WhatsApp",
    re.IGNORECASE,
)
_SCREENSHOT = re.compile(
    r"Screen ?-?shot|Screen_Shot|Bildschirmfoto|Bildschirmaufnahme|Capture d.[ée]cran"
    r"|Captura de (?:pantalla|tela|ecr[ãa])|Schermafbeelding|Schermata|Istantanea|Zrzut ekranu"
    r"|Снимок экрана|スクリーンショット|截图|屏幕截图|螢幕截圖|스크린샷|Skärmavbild|Skjermbilde",
    re.IGNORECASE,
)
_DOWNLOAD = re.compile(
    r"(?:download|images?|unnamed|photo|picture|FullSizeRender|large|original|maxresdefault"
    r"|\d+_\d+_\d+_[no]|[0-9a-f]{32,64}|[A-Za-z0-9_-]{10,}_o)(?: ?\(\d+\))?",
)


def origin_of(path: str, info: ImageInfo) -> Origin:
    """What name and metadata together tell; the name counts first where programs choose it."""
    stem = os.path.splitext(os.path.basename(path))[0]
    if _SCREENSHOT.match(stem):
        return Origin.SCREENSHOT
    if _MESSENGER.match(stem):
        return Origin.MESSENGER
    if info.format in RAW_FORMATS:
        return Origin.CAMERA
    metadata = info.metadata
    if metadata.edited:
        return Origin.EDITED
    if metadata.camera is not None and metadata.taken is not None and info.format in CAMERA_FORMATS:
        return Origin.CAMERA
    return Origin.DOWNLOAD if _DOWNLOAD.fullmatch(stem) else Origin.UNKNOWN
