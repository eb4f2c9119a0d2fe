"""Errors that a person can act on: every message says what went wrong and what to do.

Expected failures of a single file are values (:class:`~image_duplicate_finder.model.Failure`),
not exceptions; these errors stop a whole command.
"""

from __future__ import annotations

from enum import StrEnum

from image_duplicate_finder.messages import Message, plain


class FailureStage(StrEnum):
    """Where work on one file stopped.

    ``HEADER``, ``LIMITS`` and ``DECODE`` are properties of the file; the others are passing faults,
    except ``INSTALLATION``: a package that could read the file is missing.
    """

    DISCOVER = "discover"
    READ = "read"
    HEADER = "header"
    LIMITS = "limits"
    DECODE = "decode"
    MODEL = "model"
    CRASH = "crash"
    MEMORY = "memory"
    TIMEOUT = "timeout"
    CHANGED = "changed"
    INSTALLATION = "installation"


class IdfError(Exception):
    """Base of all errors of this package; ``exit_code`` is what the command line ends with.

    1 is not among them: it says that the work was done, but not with every file.
    """

    exit_code = 4

    def __init__(self, message: Message | str = "") -> None:
        self.message = message if isinstance(message, Message) else plain(message)
        super().__init__(self.message)


class UsageError(IdfError):
    """The caller asked for something that makes no sense (a wrong option, value or name)."""

    exit_code = 2


class NothingReadable(IdfError):
    """None of the given folders could be read, or no file in them was a readable image."""

    exit_code = 3


class DecodeError(IdfError):
    """One file's bytes are no picture that can be decoded within the limits.

    ``stage`` says where reading stopped.
    """

    def __init__(self, message: Message, *, stage: FailureStage = FailureStage.DECODE) -> None:
        super().__init__(message)
        self.stage = stage


class LibraryBusy(IdfError):
    """Another program holds the library; it has to end first."""


class LibraryDamaged(IdfError):
    """The library's database cannot be opened, or is from a newer version of the program."""


class LibraryUnavailable(IdfError):
    """The disk that holds the library is full, away or read-only; what was stored is kept."""


class ClusterError(IdfError):
    """A cluster cannot be reached, or could not finish its work; what it finished is kept."""


class RemovalRefused(IdfError):
    """A plan, undo or purge as a whole cannot be carried out; nothing was touched."""


class NotFound(IdfError):
    """A scan, group, run or backup of that number does not exist."""

    exit_code = 2


class Interrupted(IdfError):
    """The user stopped the work; what was finished until then is kept."""

    exit_code = 130


# ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION of Windows: another program has the file open.
_IN_USE = (32, 33)


def lacks_permission(error: OSError) -> bool:
    """Whether a person has to change permissions; Python says the same of a file in use."""
    return isinstance(error, PermissionError) and getattr(error, "winerror", 0) not in _IN_USE
