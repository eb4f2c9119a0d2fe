"""Every file-system call of removal, one thin function each.

Nothing else in this package touches the disk, so that a test can let any single call fail or
kill the program at it by replacing the functions of this module. Paths are ``str`` as
``os.fsdecode`` gives them; all functions raise OSError and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import os
import shutil
import sys
from typing import Any

CHUNK = 1 << 20

_RENAME_NOREPLACE = 1  # renameat2(2), Linux
_RENAME_EXCL = 4  # renamex_np(2), macOS
_AT_FDCWD = -100
_FICLONE = 0x40049409  # ioctl_ficlone(2), Linux
_COPYFILE_ACL_AND_XATTR = 5  # copyfile(3), macOS
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})

_libc: Any = None if sys.platform == "win32" else ctypes.CDLL(None, use_errno=True)


def lstat(path: str) -> os.stat_result:
    """The status of ``path`` itself, links not followed."""
    return os.lstat(path)


def stat(path: str) -> os.stat_result:
    """The status of what ``path`` leads to."""
    return os.stat(path)


def links_and_folders(folder: str) -> tuple[list[str], list[str]]:
    """The paths of a folder's symbolic links, and of the folders in it (no links among these)."""
    links, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                links.append(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
    return links, folders


def names(folder: str) -> list[str]:
    """The names of a folder's entries."""
    return os.listdir(folder)


def realpath(path: str) -> str:
    """The path with all symbolic links resolved, as far as it exists."""
    return os.path.realpath(path)


def open_read(path: str) -> int:
    """A descriptor to read a file's bytes; never follows a link, never waits on a FIFO."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return os.open(path, flags)


def open_new(path: str) -> int:
    """A descriptor to write a file that must not exist yet; private to the user."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for name in ("O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return os.open(path, flags, 0o600)


def open_append(path: str) -> int:
    """A descriptor to add to the end of a file, made where it is missing."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    for name in ("O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return os.open(path, flags, 0o600)


def fstat(descriptor: int) -> os.stat_result:
    """The status of an open file."""
    return os.fstat(descriptor)


def read(descriptor: int) -> bytes:
    """The next bytes, at most :data:`CHUNK`; empty at the end."""
    return os.read(descriptor, CHUNK)


def read_at(descriptor: int, position: int) -> bytes:
    """The byte at a position of an open file."""
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, 1)


def write(descriptor: int, data: bytes) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def fsync(descriptor: int) -> None:
    """Wait until an open file's bytes are on the disk."""
    os.fsync(descriptor)


def close(descriptor: int) -> None:
    """Close a descriptor."""
    os.close(descriptor)


def fsync_path(path: str) -> None:
    """Wait until a folder's entries, or a file's bytes and times, are on the disk.

    Windows has no such call for folders and needs none.
    """
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network and FUSE file systems refuse it on folders
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)


def sync_all() -> None:
    """Wait until everything is on the disk, where the system can be asked for it."""
    if hasattr(os, "sync"):
        os.sync()


def rename(source: str, target: str) -> None:
    """Rename within one volume; raises FileExistsError rather than replace ``target``."""
    if sys.platform == "win32":
        os.rename(source, target)
        return
    if sys.platform == "darwin":
        rename_exclusively(
            source,
            target,
            lambda a, b: _libc.renamex_np(a, b, ctypes.c_uint(_RENAME_EXCL)),
        )
        return
    rename_exclusively(
        source,
        target,
        lambda a, b: _libc.renameat2(_AT_FDCWD, a, _AT_FDCWD, b, ctypes.c_uint(_RENAME_NOREPLACE)),
    )


def rename_exclusively(source: str, target: str, call: Any) -> None:
    """Rename by the system's own exclusive call, or without it where it is not supported."""
    try:
        failed = call(os.fsencode(source), os.fsencode(target)) != 0
        number = ctypes.get_errno() if failed else 0
    except AttributeError:  # a C library that is too old to know the call
        failed, number = True, errno.ENOSYS
    if not failed:
        return
    if number in _NOT_SUPPORTED:
        rename_by_link(source, target)
        return
    raise OSError(number, os.strerror(number), source, None, target)


def rename_by_link(source: str, target: str) -> None:
    """A rename in two steps that still cannot replace: a hard link fails where a name exists."""
    try:
        link(source, target)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED | {errno.EPERM}:
            raise
        if os.path.lexists(target):  # FAT and the like: all that is left is to check first
            raise FileExistsError(
                errno.EEXIST, os.strerror(errno.EEXIST), source, None, target
            ) from error
        os.rename(source, target)
        return
    fsync_path(os.path.dirname(target))  # else a power cut could take both names
    unlink(source)


def link(source: str, target: str) -> None:
    """Make ``target`` another name of ``source``; raises FileExistsError where it exists."""
    os.link(source, target, follow_symlinks=False)


def symlink(target: str, path: str) -> None:
    """Make ``path`` a symbolic link to ``target``."""
    os.symlink(target, path)


def readlink(path: str) -> str:
    """What a symbolic link says."""
    return os.readlink(path)


def reflink(source: str, target: str) -> None:
    """Make ``target`` a new file that shares ``source``'s blocks until one of them changes.

    Raises OSError(ENOTSUP) where the file system or this platform has no such thing.
    """
    if sys.platform == "darwin":
        if _libc.clonefile(os.fsencode(source), os.fsencode(target), 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), source, None, target)
        return
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source, None, target)
    import fcntl

    reading = open_read(source)
    try:
        writing = open_new(target)
        try:
            fcntl.ioctl(writing, _FICLONE, reading)
        except OSError as error:
            os.unlink(target)
            # ENOTTY, EXDEV, EINVAL and EOPNOTSUPP all say: not here, or not these two.
            if error.errno in _NOT_SUPPORTED | {errno.ENOTTY, errno.EXDEV}:
                raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), source) from error
            raise
        finally:
            close(writing)
    finally:
        close(reading)


def trash(path: str) -> None:
    """Move a file to the system's trash; raises OSError where there is none for it."""
    from send2trash import send2trash

    send2trash(path)


def unlink(path: str) -> None:
    """Remove a name."""
    os.unlink(path)


def mkdir(folder: str, mode: int = 0o777) -> None:
    """Make one folder; raises FileExistsError where something has its name."""
    os.mkdir(folder, mode)


def chmod(path: str, mode: int) -> None:
    """Set the permissions of a file or folder."""
    os.chmod(path, mode)


def touch(path: str) -> bool:
    """Move the time of a file's inode change, and nothing else; returns whether it was allowed.

    Windows keeps no such time.
    """
    if sys.platform == "win32":
        return False
    try:
        descriptor = open_read(path)  # a link that took its place is not followed
        try:
            os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o7777)
        finally:
            close(descriptor)
    except OSError as error:  # another user's file, or a volume without permissions
        if error.errno not in _NOT_SUPPORTED | {errno.EPERM, errno.EACCES, errno.EROFS}:
            raise
        return False
    return True


def rmdir(folder: str) -> None:
    """Remove an empty folder."""
    os.rmdir(folder)


def mounts() -> str:
    """The system's table of mounts (proc_pid_mountinfo(5)); empty where there is none."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            return table.read()
    except FileNotFoundError:
        return ""


def volume_numbers(path: str) -> tuple[int, int]:
    """The device number of a path, and the number of its file system (0 where unknown)."""
    device = os.stat(path).st_dev
    return device, os.statvfs(path).f_fsid if hasattr(os, "statvfs") else 0


def volume_uuid(device: int) -> str:
    """The UUID or serial number of the volume on a device; empty where unknown."""
    if sys.platform == "win32":
        return f"{device:x}"
    try:
        with os.scandir("/dev/disk/by-uuid") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat().st_rdev == device:
                        return entry.name
    except OSError:  # another system, or a container
        pass
    return ""


def writable(folder: str) -> bool:
    """Whether this user may make entries in a folder."""
    return os.access(folder, os.W_OK | os.X_OK)


def free_space(folder: str) -> int:
    """Bytes that this user can still write on the volume of ``folder``."""
    return shutil.disk_usage(folder).free


def set_times(path: str, accessed_ns: int, modified_ns: int) -> None:
    """Set a file's or folder's times, in nanoseconds since 1970."""
    os.utime(path, ns=(accessed_ns, modified_ns))


def metadata(path: str) -> dict[str, Any]:
    """Mode, owner, times (ns), links and extended attributes of a file, ready for JSON."""
    status = os.lstat(path)
    found: dict[str, Any] = {
        "mode": status.st_mode & 0o7777,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "atime_ns": status.st_atime_ns,
        "mtime_ns": status.st_mtime_ns,
        "links": status.st_nlink,
    }
    attributes: dict[str, str] = {}
    if hasattr(os, "listxattr"):
        try:
            for name in os.listxattr(path, follow_symlinks=False):
                value = os.getxattr(path, name, follow_symlinks=False)
                attributes[name] = base64.b64encode(value).decode("ascii")
        except OSError as error:  # a volume without extended attributes
            if error.errno not in _NOT_SUPPORTED | {errno.ENODATA}:
                raise
    found["xattrs"] = attributes
    return found


def attribute(path: str, name: str) -> bytes | None:
    """An extended attribute of a file; None where it has none, or the volume knows none."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NOT_SUPPORTED | {errno.ENODATA}:
            return None
        raise


def set_attribute(path: str, name: str, value: bytes) -> None:
    """Set an extended attribute, or remove it where ``value`` is empty."""
    if not hasattr(os, "setxattr"):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)
    if value:
        os.setxattr(path, name, value, follow_symlinks=False)
    else:
        os.removexattr(path, name, follow_symlinks=False)


def set_metadata(path: str, wanted: dict[str, Any], source: str | None = None) -> None:
    """Give a file the metadata that :func:`metadata` read, as far as volume and rights allow.

    ``source`` is the file it was copied from: macOS copies its attributes and access lists
    from there, which Python cannot read out.
    """
    if sys.platform == "darwin" and source is not None:
        _libc.copyfile(os.fsencode(source), os.fsencode(path), None, _COPYFILE_ACL_AND_XATTR)
    if hasattr(os, "setxattr"):
        for name, value in wanted.get("xattrs", {}).items():
            # Without rights to a namespace, or on a volume without attributes, the journal
            # still remembers them for the way back.
            with contextlib.suppress(OSError):
                os.setxattr(path, name, base64.b64decode(value), follow_symlinks=False)
    if hasattr(os, "chown") and "uid" in wanted:
        with contextlib.suppress(OSError):  # only an administrator can give files away
            os.chown(path, wanted["uid"], wanted["gid"], follow_symlinks=False)
    os.chmod(path, wanted["mode"])
    os.utime(path, ns=(wanted["atime_ns"], wanted["mtime_ns"]))
