"""Codes and their parameters: rendered in English, stored, and read again."""

from __future__ import annotations

import pytest

from image_duplicate_finder.messages import (
    ENGLISH,
    Code,
    DecoderReason,
    Description,
    FailureReason,
    KeepReason,
    Message,
    Parameter,
    all_codes,
    english,
    message_from_json,
    message_to_json,
    messages_from_json,
    messages_to_json,
    plain,
)
from image_duplicate_finder.settings import KeepRule

VALUES: dict[str, Parameter] = {
    "share": 0.62,
    "factor": 1.5,
    "angle": 12,
    "seconds": 0.5,
    "reason": DecoderReason.CHECKSUM(),
    **dict.fromkeys(("count", "limit", "width", "height", "pixels", "needed"), 12345),
}


def example(code: Code) -> Message:
    """A message with this code and some values."""
    return code(**{name: VALUES.get(name, "a\udcff.jpg") for name in code.names})


def test_codes_have_different_values() -> None:
    values = [code.value for code in all_codes()]
    assert len(values) == len(set(values))


@pytest.mark.parametrize("code", list(all_codes()))
def test_every_code_is_rendered_and_stored(code: Code) -> None:
    message = example(code)
    assert "%(" not in english(message) and "{" not in english(message)
    assert messages_from_json(messages_to_json([message, message])) == (message, message)


def test_figures_are_written_out() -> None:
    parts = [
        Description.CROPPED(share=0.62),
        Description.ROTATED_CLOCKWISE(angle=12),
        Description.LARGER(factor=1.5),
        Description.SAVED_AS(format="PNG"),
    ]
    assert ENGLISH.listed(parts) == (
        "cropped to 62%, rotated 12° clockwise, 1.5 times the size, saved as PNG"
    )


def test_a_message_can_hold_another() -> None:
    outer = FailureReason.UNDECODABLE(reason=DecoderReason.CHECKSUM())
    assert str(outer) == "The picture cannot be decoded: a checksum in it is wrong."


def test_one_message_is_stored() -> None:
    message = FailureReason.UNDECODABLE(reason=plain("no luck"))
    assert message_from_json(message_to_json(message)) == message
    assert message_from_json("The file is odd.") == plain("The file is odd.")


def test_a_parameter_too_few_or_too_many_is_refused() -> None:
    with pytest.raises(TypeError):
        Description.CROPPED()
    with pytest.raises(TypeError):
        Description.EDITED(share=0.5)


def test_every_keep_rule_has_a_reason() -> None:
    assert {rule.name for rule in KeepRule} <= set(KeepReason.__members__)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("", []),
        ("cropped to 62%", ["cropped to 62%"]),
        ('["cropped to 62%",["is.mirrored"]]', ["cropped to 62%", "mirrored"]),
        ('[["is.unheard_of",{"share":0.5}]]', ["['is.unheard_of', {'share': 0.5}]"]),
        ('[["is.cropped"]]', ["['is.cropped']"]),
        ('[["is.cropped",{"a":1}]]', ["['is.cropped', {'a': 1}]"]),
        ("[[], 7, [[]]]", ["[]", "7", "[[]]"]),
        ("7", ["7"]),
        ('{"a": 1}', ['{"a": 1}']),
    ],
)
def test_what_is_no_message_is_shown_as_it_is(stored: str, shown: list[str]) -> None:
    assert [english(message) for message in messages_from_json(stored)] == shown


def test_plain_texts_are_stored_as_texts() -> None:
    assert messages_to_json([plain("so"), KeepReason.PIXELS()]) == '["so",["keep.pixels"]]'
