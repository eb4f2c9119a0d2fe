"""What verification looks at, from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from image_duplicate_finder.fingerprint import keypoints, perceptual, proof
from image_duplicate_finder.fingerprint.specs import keypoint_name
from image_duplicate_finder.settings import Mode
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.pair import StoredSide


def stored_sides(store: Store, ids: Sequence[int], mode: Mode) -> dict[int, StoredSide]:
    """Sides by content id, of those contents that have what verification needs."""
    wanted = {perceptual.NAME: perceptual.VERSION, proof.NAME: proof.VERSION}
    if mode is not Mode.QUICK:
        wanted[keypoint_name(mode)] = keypoints.VERSION
    found = {
        name: store.contents.fingerprints(name, version, ids) for name, version in wanted.items()
    }
    sides: dict[int, StoredSide] = {}
    for id, info in store.contents.infos(ids).items():
        data = {name: of[id] for name, of in found.items() if id in of}
        side = side_of(id, (info.width, info.height), data, mode)
        if side is not None:
            sides[id] = side
    return sides


def side_of(
    id: int, size: tuple[int, int], data: Mapping[str, bytes], mode: Mode
) -> StoredSide | None:
    """The side of one picture of ``size`` (width, height) from its fingerprints by name.

    None where it has no perceptual hash or proof.
    """
    if perceptual.NAME not in data or proof.NAME not in data:
        return None
    points = None if mode is Mode.QUICK else data.get(keypoint_name(mode))
    return StoredSide(id, *size, data[perceptual.NAME], points, data[proof.NAME])
