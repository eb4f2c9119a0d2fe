"""The keeper's rules, in their order, with reasons."""

from __future__ import annotations

import pytest

from image_duplicate_finder.keeping import KeepFacts, looks_like_copy, ranking, reasons
from image_duplicate_finder.messages import KeepReason
from image_duplicate_finder.model import ImageInfo, Metadata
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule


def photo(
    path: str = "/p/a.jpg",
    *,
    name: str = "JPEG",
    width: int = 800,
    quality: int | None = 90,
    lossless: bool = False,
    mtime: int = 100,
    protected: bool = False,
    **metadata: object,
) -> KeepFacts:
    about = Metadata(jpeg_quality=quality, **metadata)  # type: ignore[arg-type]
    info = ImageInfo(name, width, 600, lossless=lossless, metadata=about)
    return KeepFacts(hash(path), path, info, 100_000, mtime, protected)


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        (photo(protected=True, width=10), photo(), KeepReason.PROTECTED),
        (photo(width=900), photo(name="PNG", lossless=True), KeepReason.PIXELS),
        (photo(name="PNG", lossless=True), photo(), KeepReason.QUALITY),
        (
            photo(name="CR2"),
            photo(name="PNG", lossless=True),
            KeepReason.ORIGINAL,
        ),
        (
            photo(),
            photo(name="TIFF", lossless=True, grey=True),
            KeepReason.QUALITY,
        ),
        (
            photo(name="PNG", lossless=True),
            photo(name="BMP", lossless=True, few_colours=True),
            KeepReason.QUALITY,
        ),
        (photo(quality=95), photo(quality=60), KeepReason.QUALITY),
        (photo(has_exif=True, mtime=200), photo(), KeepReason.METADATA),
        (photo(mtime=50), photo("/a.jpg"), KeepReason.OLDER),
        (photo("/p/z.jpg"), photo("/p/a (1).jpg"), KeepReason.NAME),
        (photo("/p/a.jpg"), photo("/p/b.jpg"), KeepReason.PATH),
        (photo("/p/b.jpg"), photo("/p/deep/a.jpg"), KeepReason.PATH),
    ],
)
def test_each_rule_decides_and_says_so(
    better: KeepFacts, worse: KeepFacts, reason: KeepReason
) -> None:
    assert sorted([worse, better], key=ranking(DEFAULT_KEEP_RULES))[0] is better
    assert reasons(better, [worse]) == (reason(),)


def test_the_order_of_rules_can_be_changed() -> None:
    old_small, new_large = photo(mtime=1, width=10), photo(mtime=9)
    rules = (KeepRule.OLDER, KeepRule.PIXELS)
    by_age, usual = ranking(rules), ranking(DEFAULT_KEEP_RULES)
    assert by_age(old_small) < by_age(new_large)
    assert usual(new_large) < usual(old_small)


@pytest.mark.parametrize(
    "name",
    ["a copy.jpg", "a (1).jpg", "Copy of a.jpg", "Kopie von a.jpg", "a - Copie.png", "a_copy2.jpg",
     "a - 副本.jpg", "photo-edited.jpg", "a~2.jpg"],
)  # fmt: skip
def test_names_that_say_copy(name: str) -> None:
    assert looks_like_copy(f"/p/{name}")


@pytest.mark.parametrize("name", ["a.jpg", "photocopyright.jpg", "2021-01-01.jpg", "copyist.png"])
def test_names_that_only_look_like_it(name: str) -> None:
    assert not looks_like_copy(f"/p/{name}")
