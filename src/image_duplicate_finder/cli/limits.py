"""What a verb may take of the machine."""

from __future__ import annotations

import os
import re

import click

from image_duplicate_finder.errors import UsageError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


class ByteSize(click.ParamType[int]):
    """A number of bytes, such as ``500M`` or ``2 GiB`` (powers of 1,024)."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The bytes that ``value`` names."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
        if size <= 0:
            self.fail(f"{value!r} is no size. Write 500M or 2G, for example.", param, ctx)
        return size


def step_back(nice: int) -> None:
    """Lower the priority of this process and of the workers that it will start.

    Raises UsageError on systems that know no such thing.
    """
    if nice == 0:
        return
    if not hasattr(os, "nice"):
        raise UsageError("--nice is not for this system. Leave it out.")
    os.nice(nice)
