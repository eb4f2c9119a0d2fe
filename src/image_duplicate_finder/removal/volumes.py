"""Which volume a path lies on, and whether it is still the one that it was.

A drive can be unmounted, so that its mount point is an empty folder of another volume, or
another drive can stand in its place. A removal remembers the volumes of its folders; an undo
looks before it writes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.removal import fs, look

_LASTING = frozenset({"ext2", "ext3", "ext4", "btrfs", "bcachefs", "zfs", "tmpfs"})
"""File systems whose number (statvfs) belongs to the volume; elsewhere it follows the device."""

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afpfs"})
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Same(Enum):
    """Whether two looks were at one volume."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted volume, as far as the system tells.

    ``mount`` is the mount point, ``inside`` the folder of the volume that is mounted there,
    ``source`` what is mounted; ``uuid`` and ``number`` identify the file system, ``device`` is
    its number until the next mount.
    """

    mount: str
    device: int = 0
    kind: str = ""
    source: str = ""
    inside: str = "/"
    uuid: str = ""
    number: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON; names that are not UTF-8 stay as escaped surrogates."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Volume:
        """What :meth:`to_dict` wrote. Raises KeyError, TypeError and ValueError."""
        mount, kind, source, inside, uuid = (
            str(values[name]) for name in ("mount", "kind", "source", "inside", "uuid")
        )
        device, number = int(values["device"]), int(values["number"])
        return cls(mount, device, kind, source, inside, uuid, number)


def same(then: Volume, now: Volume) -> Same:
    """Whether ``now`` is the volume that ``then`` was, mounted at the same place."""
    if then.uuid and now.uuid and then.uuid != now.uuid:
        return Same.NO
    if then.kind != now.kind:
        return Same.NO
    numbers = bool(then.number and now.number)
    if then.kind in _LASTING and numbers and then.number != now.number:
        return Same.NO
    if then.mount != now.mount or then.inside != now.inside:
        return Same.UNKNOWN  # a bind mount that is not there looks like the volume around it
    if then.uuid and then.uuid == now.uuid:
        return Same.YES
    if numbers and then.number == now.number:
        return Same.YES
    if then.kind in _NETWORK and then.source == now.source:
        return Same.YES
    if not numbers and then.device == now.device and then.source == now.source:
        return Same.YES
    return Same.UNKNOWN


def same_drive(one: Volume, other: Volume) -> bool:
    """Whether two looks were surely at one file system, wherever it was mounted."""
    if one.kind != other.kind or one.inside != other.inside:
        return False
    if one.uuid and other.uuid:
        return one.uuid == other.uuid
    return one.kind in _LASTING and bool(one.number) and one.number == other.number


def volume_of(path: str) -> Volume:
    """The volume of ``path``, or of where it would come to lie. Raises OSError."""
    while look.status(path) is None and (above := os.path.dirname(path)) != path:
        path = above
    return _described(fs.realpath(path), _mounts())


def volumes_below(root: str) -> list[Volume]:
    """The volume of ``root``, and those that are mounted below it. Raises OSError."""
    mounts = _mounts()
    real = fs.realpath(root)
    places = dict.fromkeys([real, *(m.mount for m in mounts if is_inside(m.mount, real))])
    return [_described(place, mounts) for place in places if look.status(place) is not None]


def recorded_for(path: str, volumes: Iterable[Volume]) -> Volume | None:
    """The one of some recorded volumes that ``path`` lay on."""
    holding = [v for v in volumes if path == v.mount or is_inside(path, v.mount)]
    return max(holding, key=lambda v: len(v.mount), default=None)


def _described(path: str, mounts: list[Volume]) -> Volume:
    device, number = fs.volume_numbers(path)
    uuid = fs.volume_uuid(device)
    if not mounts:
        while not os.path.ismount(path) and (above := os.path.dirname(path)) != path:
            path = above
        return Volume(path, device, sys.platform, uuid=uuid, number=number)
    mount = recorded_for(path, mounts) or Volume("/")
    return Volume(mount.mount, device, mount.kind, mount.source, mount.inside, uuid, number)


def _mounts() -> list[Volume]:
    """All mounts of this process (Linux), the uppermost of each place; empty elsewhere."""
    found: dict[str, Volume] = {}
    for line in fs.mounts().splitlines():
        before, dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if dash and len(fields) >= 5 and len(rest) >= 2:
            mount = _plain(fields[4])
            found[mount] = Volume(
                mount, kind=rest[0], source=_plain(rest[1]), inside=_plain(fields[3])
            )
    return list(found.values())


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
