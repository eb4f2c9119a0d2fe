"""Counting bits in compiled loops. Importing it loads numba, so only compiled modules do."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,unreachable"


@intrinsic
def popcount(typingctx: Any, x: Any) -> Any:  # noqa: ARG001
    """How many bits of a uint64 are set: one instruction of the processor."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate
