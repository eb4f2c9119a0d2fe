"""Pictures in ZIP, CBZ and TAR archives, read without unpacking anything to the disk.

A compressed TAR has no way to get at one member, so only plain ones are read. Names inside an
archive are only ever names: nothing is written anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import BinaryIO, Protocol

from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.messages import FailureReason
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources.names import is_url, split_member
from image_duplicate_finder.sources.storage import (
    LocalFiles,
    changed_while_reading,
    check_size,
    number_of,
    open_regular,
    open_url,
    stat_url,
)

# Members of one archive come one after the other, so few archives are open at a time.
_KEPT_OPEN = 8
_ENCRYPTED = 0x1


class _Contents(Protocol):
    """The members of one open archive."""

    def sizes(self) -> dict[str, int]: ...

    def read(self, name: str) -> bytes: ...


class _Zip:
    """A ZIP archive; of two members with one name the last counts, as for other programs."""

    def __init__(self, file: BinaryIO) -> None:
        import zipfile  # where it is needed: a scan of folders would wait for it

        self._zip = zipfile.ZipFile(file)
        self._members = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}

    def sizes(self) -> dict[str, int]:
        return {name: info.file_size for name, info in self._members.items()}

    def read(self, name: str) -> bytes:
        info = self._members[name]
        if info.flag_bits & _ENCRYPTED:
            raise DecodeError(FailureReason.ENCRYPTED(), stage=FailureStage.HEADER)
        # Never more than the checked size, whatever the compressed bytes hold.
        with self._zip.open(info) as member:
            return member.read(info.file_size)


class _Tar:
    """A plain TAR archive: where each regular member's bytes lie."""

    def __init__(self, file: BinaryIO) -> None:
        import tarfile

        self._file = file
        self._places: dict[str, tuple[int, int]] = {}
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for info in archive:
                if info.isreg() and not info.issparse():
                    self._places[info.name] = (info.offset_data, info.size)

    def sizes(self) -> dict[str, int]:
        return {name: size for name, (_, size) in self._places.items()}

    def read(self, name: str) -> bytes:
        start, size = self._places[name]
        self._file.seek(start)
        data = b""
        while len(data) < size and (more := self._file.read(size - len(data))):
            data += more
        if len(data) != size:
            raise DecodeError(FailureReason.ARCHIVE_ENDS(), stage=FailureStage.HEADER)
        return data


class _Archive:
    """One open archive, safe for threads."""

    def __init__(self, path: str, stat: FileStat) -> None:
        self._file = open_url(path) if is_url(path) else open_regular(path)
        self._lock = threading.Lock()
        with _plain_errors():
            is_tar = path.lower().endswith(".tar")
            contents: _Contents = _Tar(self._file) if is_tar else _Zip(self._file)
            self.stats = {
                name: _member_stat(stat, name, size) for name, size in contents.sizes().items()
            }
        self._contents = contents

    def read(self, name: str) -> bytes:
        with self._lock, _plain_errors():
            return self._contents.read(name)


class ArchiveMembers:
    """The source of members of archives. Any change of an archive counts as one of each member."""

    def stat(self, path: str) -> FileStat:
        """The stat of a member. Raises OSError where there is none, and DecodeError."""
        archive, name = _split(path)
        try:
            return _opened(archive, _stat(archive)).stats[name]
        except KeyError:
            raise FileNotFoundError(path) from None

    def read(self, path: str, limits: DecodeLimits) -> tuple[bytes, FileStat]:
        """A member's bytes and stat. Raises DecodeError and OSError."""
        place, name = _split(path)
        before = _stat(place)
        archive = _opened(place, before)
        if name not in archive.stats:
            raise FileNotFoundError(path)
        stat = archive.stats[name]
        check_size(stat.size, limits)
        data = archive.read(name)
        if not _stat(place).unchanged(before):
            raise changed_while_reading()
        return data, stat


def members(archive: str) -> dict[str, FileStat]:
    """The regular members of an archive by name. Raises DecodeError and OSError."""
    return dict(_opened(archive, _stat(archive)).stats)


@lru_cache(maxsize=_KEPT_OPEN)
def _opened(path: str, stat: FileStat) -> _Archive:
    return _Archive(path, stat)


def _stat(archive: str) -> FileStat:
    stat = stat_url(archive) if is_url(archive) else LocalFiles().stat(archive)
    # Hard links to an archive do not change it, and must not count as another archive.
    return stat._replace(links=1)


def _split(path: str) -> tuple[str, str]:
    found = split_member(path)
    assert found is not None, "only members of archives come here"
    return found


def _member_stat(archive: FileStat, name: str, size: int) -> FileStat:
    return archive._replace(size=size, inode=number_of(archive.inode, name))


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what damaged archives make their readers raise into one kind of error."""
    try:
        yield
    except (DecodeError, OSError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise DecodeError(
            FailureReason.ARCHIVE(reason=reason), stage=FailureStage.HEADER
        ) from error
