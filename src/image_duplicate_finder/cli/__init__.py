"""The command line: one module per command, each a thin skin over the library facade."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import click

from image_duplicate_finder.cli.app import ReaderGone, idf
from image_duplicate_finder.errors import IdfError, Interrupted

EXIT_BROKEN = 70
"""An error of the program itself (EX_SOFTWARE of sysexits.h); Python's own 1 means other things."""

EXIT_READER_GONE = 141
"""What a shell reports when the reader of a pipe (``head``) has gone: 128 + SIGPIPE."""

_VALUES_BETWEEN_COLLECTIONS = 100_000


def main() -> None:
    """Run ``idf`` with the arguments of this process and end it with the exit status."""
    look_for_cycles_rarely()
    # Or OpenBLAS's threads wait for work with a core each, a tenth of a second from their start on.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
    leave(run(sys.argv[1:]))


def leave(status: int) -> NoReturn:
    """End this process as Python does, but without taking modules and values apart first.

    Once NumPy, OpenCV and Numba are loaded, that takes a tenth of a second, and the system does it
    anyway. Threads are waited for, and functions registered with ``atexit`` are called.
    """
    with contextlib.suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (AttributeError, OSError, ValueError):
        sys.exit(status)  # where output cannot be written, Python reports it
    os._exit(status)


def look_for_cycles_rarely() -> None:
    """Set Python's garbage collector to what suits a scan, for the whole process.

    A scan keeps a few values for each of its files and leaves no cycles: to look for those after
    every 700 new values takes a tenth of a second scan.
    """
    gc.set_threshold(_VALUES_BETWEEN_COLLECTIONS)


def run(arguments: Sequence[str]) -> int:
    """Run ``idf`` with ``arguments`` and return the exit status.

    0 done; 1 done, but not with every file (only with ``--strict``); 2 wrong usage; 3 nothing
    readable; 4 could not be done; 70 a fault of this program; 130 interrupted. Errors that a
    person can act on become one line on standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the program.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        result = idf.main(args=list(arguments), prog_name="idf", standalone_mode=False)
        sys.stdout.flush()
    except IdfError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("Interrupted.", file=sys.stderr)
        return Interrupted.exit_code
    except (ReaderGone, BrokenPipeError):
        # Python would flush again at exit and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_READER_GONE
    except Exception:
        import traceback

        traceback.print_exc()
        print(
            "This is a bug; please report it with the lines above and the file that "
            "`idf doctor --report report.txt` writes.",
            file=sys.stderr,
        )
        return EXIT_BROKEN
    return result if isinstance(result, int) else 0
