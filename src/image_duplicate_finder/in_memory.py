"""Pictures that a program holds in memory, as files that a scan can read.

They are written without loss into a temporary folder, which is deleted with the object that holds
it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.own_files import temporary_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Picture = str | os.PathLike[str] | NDArray[Any] | Image
"""A path (or whatever a scan takes for one), an array, or a Pillow image.

Arrays are uint8: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.
"""

_WRITTEN_AS_THEY_ARE = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


@dataclass(frozen=True, slots=True)
class Pictures:
    """Paths of pictures, in the order given; ``positions`` tells where each written one came from.

    ``folder`` holds the written ones for as long as this object lives.
    """

    paths: tuple[str, ...]
    positions: Mapping[str, int]
    folder: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)


def as_paths(pictures: Iterable[Picture]) -> Pictures:
    """Paths of ``pictures``; what lies in memory is written first.

    Raises UsageError for anything that is no picture.
    """
    folder: tempfile.TemporaryDirectory[str] | None = None
    paths: list[str] = []
    positions: dict[str, int] = {}
    for number, picture in enumerate(pictures):
        if _is_path(picture):
            paths.append(os.fspath(picture))
            continue
        if folder is None:
            folder = temporary_folder("pictures")
        path = os.path.join(os.path.realpath(folder.name), f"{number:06}.png")
        _write(picture, path, number)
        paths.append(path)
        positions[path] = number
    return Pictures(tuple(paths), positions, folder)


def _is_path(picture: object) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(picture, str | os.PathLike)


def _write(picture: object, path: str, number: int) -> None:
    import numpy as np
    from PIL import Image, ImageOps

    if isinstance(picture, np.ndarray):
        shape = picture.shape
        fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))
        if picture.dtype != np.uint8 or not fits or not picture.size:
            raise UsageError(
                f"Picture {number} is an array of {picture.dtype} with shape {shape}. Give uint8 "
                "values, (H, W) for grey, (H, W, 3) for RGB or (H, W, 4) for RGBA."
            )
        picture = Image.fromarray(np.ascontiguousarray(picture))
    if not isinstance(picture, Image.Image):
        raise UsageError(
            f"Picture {number} is a {type(picture).__name__}. Give a path, an array or a Pillow "
            "image."
        )
    upright = ImageOps.exif_transpose(picture)
    if upright.mode not in _WRITTEN_AS_THEY_ARE:
        upright = upright.convert("RGB")
    upright.save(path, "PNG", compress_level=1)
