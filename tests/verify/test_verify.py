"""Verification on painted pictures: what edits become, and what is no match."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import keypoints, perceptual
from image_duplicate_finder.fingerprint.appearance import decode_proof, encode_proof
from image_duplicate_finder.messages import english
from image_duplicate_finder.model import ImageInfo, Match, Relation
from image_duplicate_finder.verify import wording
from image_duplicate_finder.verify.pair import VerifyInput, verify
from tests.conftest import Painter

Image = NDArray[np.uint8]


def side(content: int, image: Image, *, quick: bool = False, thorough: bool = False) -> VerifyInput:
    """What a scan would keep of a picture."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return VerifyInput(
        content,
        image.shape[1],
        image.shape[0],
        perceptual.encode(grey),
        None if quick else keypoints.extract(grey, thorough=thorough),
        decode_proof(encode_proof(grey)),
    )


def info(image: Image) -> ImageInfo:
    return ImageInfo("JPEG", image.shape[1], image.shape[0])


def describe(match: Match, keeper: ImageInfo, copy: ImageInfo) -> str:
    return ", ".join(map(english, wording.describe(match, keeper, copy)))


def turned(image: Image, degrees: float) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height))


def captioned(image: Image) -> Image:
    drawn = image.copy()
    cv2.putText(drawn, "SOME WORDS", (30, 60), 0, 1.6, (255, 255, 255), 4)
    return drawn


EDITS: dict[str, tuple[Callable[[Image], Image], Relation]] = {
    "jpeg": (
        lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [1, 30])[1], cv2.IMREAD_COLOR),
        Relation.REENCODED,
    ),
    "half": (
        lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=3),
        Relation.RESIZED,
    ),
    "mirror": (lambda image: np.ascontiguousarray(image[:, ::-1]), Relation.ROTATED),
    "quarter turn": (lambda image: np.ascontiguousarray(np.rot90(image)), Relation.ROTATED),
    "turn by 20": (lambda image: turned(image, 20), Relation.ROTATED),
    "crop": (lambda image: np.ascontiguousarray(image[40:300, 60:400]), Relation.CROPPED),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_are_named(painted: Painter, name: str) -> None:
    edit, relation = EDITS[name]
    original = painted(11)
    match = verify(side(1, original), side(2, edit(original)))
    assert match is not None
    assert match.relation is relation
    assert match.same_photograph
    assert match.mirrored == (name == "mirror")


@pytest.mark.parametrize("degrees", [37, 151, 260])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_transform_maps_pixels_to_pixels(
    painted: Painter, degrees: float, mirrored: bool
) -> None:
    original = painted(12)
    height, width = original.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.8)
    if mirrored:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]])
    match = verify(side(1, original), side(2, cv2.warpAffine(original, matrix, (width, height))))
    assert match is not None and match.transform is not None
    assert match.mirrored == mirrored
    rows = np.array(match.transform)
    corners = np.array([[100, 100, 1], [380, 100, 1], [240, 260, 1]], float)
    mapped = corners @ rows.T
    mapped = mapped[:, :2] / (mapped[:, 2:] if len(rows) == 3 else 1)
    assert np.abs(mapped - corners @ matrix.T).max() < 3


def test_both_sides_say_the_same(painted: Painter) -> None:
    original = painted(13)
    one, other = side(1, original), side(2, original[30:280, 50:420])
    match, back = verify(one, other), verify(other, one)
    assert match is not None
    assert back == match.reversed()


@pytest.mark.parametrize("quick", [False, True])
def test_a_verdict_does_not_depend_on_the_numbers_of_contents(
    painted: Painter, quick: bool
) -> None:
    original = painted(21)
    darker = (original[20:340, 16:460] * 0.8).astype(np.uint8)
    for copy in (darker, np.ascontiguousarray(original[:, ::-1]), turned(original, 8)):
        one = verify(side(1, original, quick=quick), side(2, copy, quick=quick))
        other = verify(side(2, original, quick=quick), side(1, copy, quick=quick))
        assert (one is None) == (other is None)
        assert one is None or other is None or one == replace(other, a=1, b=2)
    assert verify(side(1, original), side(2, darker)) is not None


def test_a_crop_tells_its_share(painted: Painter) -> None:
    original = painted(14)
    crop = original[60:300, 80:400]
    match = verify(side(1, original), side(2, crop))
    assert match is not None
    assert match.share_a == pytest.approx(240 * 320 / (360 * 480), abs=0.03)
    assert match.share_b > 0.97
    assert describe(match, info(original), info(crop)).startswith("cropped to 4")
    assert "uncropped original" in describe(match.reversed(), info(crop), info(original))


def test_a_negative_is_found(painted: Painter) -> None:
    original = painted(15)
    match = verify(side(1, original), side(2, 255 - original))
    assert match is not None
    assert match.negative
    assert "inverted" in describe(match, info(original), info(original))


def test_a_caption_lowers_agreement_not_the_verdict(painted: Painter) -> None:
    original = painted(16)
    match = verify(side(1, original), side(2, captioned(original)))
    assert match is not None
    assert match.same_photograph
    assert match.agreement < 1
    assert match.relation in (Relation.EDITED, Relation.CONTAINS)


def test_a_pasted_picture_is_contained(painted: Painter) -> None:
    inner, background = painted(17), painted(18, 640, 480).copy()
    background[100:316, 200:488] = cv2.resize(inner, (288, 216), interpolation=cv2.INTER_AREA)
    match = verify(side(1, inner), side(2, background))
    assert match is not None
    assert match.relation is Relation.CONTAINS
    assert match.share_a > 0.95
    assert match.share_b == pytest.approx(288 * 216 / (640 * 480), abs=0.03)


def test_panels_of_a_collage_do_not_match_each_other(painted: Painter) -> None:
    photos = [painted(seed) for seed in range(20, 24)]
    collage = np.vstack([np.hstack(photos[:2]), np.hstack(photos[2:])])
    sides = [side(number, photo) for number, photo in enumerate(photos)]
    whole = side(9, collage)
    for panel in sides:
        match = verify(panel, whole)
        assert match is not None
        assert match.relation is Relation.CONTAINS
    assert all(verify(one, other) is None for one in sides for other in sides if one is not other)


def test_frames_of_a_pan_are_similar_only(painted: Painter) -> None:
    wide = painted(25, 900, 400)
    match = verify(side(1, wide[:, :540]), side(2, wide[:, 360:]))
    assert match is None or match.relation is Relation.SIMILAR
    assert match is not None
    assert not match.same_photograph


def page(words: list[str]) -> Image:
    sheet = np.full((800, 600, 3), 250, np.uint8)
    for line in range(24):
        text = " ".join(words[(line * 5 + k) % len(words)] for k in range(5))
        cv2.putText(sheet, text, (30, 50 + 30 * line), 0, 0.7, (20, 20, 20), 1, cv2.LINE_AA)
    return sheet


def test_pages_that_differ_in_a_word_do_not_match() -> None:
    words = "the quick brown fox jumps over a lazy dog and runs away from home today".split()
    other = ["slow" if word == "quick" else word for word in words]
    assert verify(side(1, page(words)), side(2, page(other))) is None


def test_flat_pictures_do_not_match() -> None:
    grey = np.full((300, 400, 3), 128, np.uint8)
    ramp = np.repeat(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], 300, 0)
    ramp = np.ascontiguousarray(np.repeat(ramp, 3, 2))
    for one, other in ((grey, grey + 2), (ramp, ramp), (ramp, ramp[:, ::-1])):
        assert verify(side(1, one), side(2, np.ascontiguousarray(other))) is None


def test_a_pattern_shifted_by_its_period_does_not_match() -> None:
    tiles = ((np.indices((420, 520)) // 20).sum(axis=0) % 2 * 150 + 50).astype(np.uint8)
    tiles = np.repeat(tiles[..., None], 3, 2)
    one, other = tiles[:360, :480], tiles[40:400, 40:520]
    assert verify(side(1, one), side(2, np.ascontiguousarray(other[:300]))) is None


def test_different_pictures_do_not_match(painted: Painter) -> None:
    sides = [side(seed, painted(seed)) for seed in range(30, 42)]
    found = [(a, b) for a in sides for b in sides if a.content < b.content and verify(a, b)]
    assert found == []


def test_windows_of_one_program_do_not_match(painted: Painter) -> None:
    def window(photo: Image) -> Image:
        screen = np.full((700, 500, 3), 240, np.uint8)
        for row in range(3):
            cv2.putText(
                screen, "File Edit View Help About", (20, 40 + 30 * row), 0, 0.9, (0, 0, 0), 2
            )
        screen[150:525] = cv2.resize(photo, (500, 375))
        for row in range(4):
            cv2.putText(
                screen, "Like Share Comment Save", (20, 570 + 30 * row), 0, 0.9, (0, 0, 0), 2
            )
        return screen

    match = verify(side(1, window(painted(43))), side(2, window(painted(44))))
    assert match is None


def test_windows_of_one_program_with_other_words_do_not_match(painted: Painter) -> None:
    """Bars, icons and fields agree on two thirds of the area, but loosely: one was saved badly."""

    def window(photo: Image, words: list[str]) -> Image:
        screen = np.full((700, 500, 3), 240, np.uint8)
        for y in (30, 80, 120):
            cv2.rectangle(screen, (10, y - 18), (490, y + 8), (200 - y, 210, 90), -1)
        for x in range(20, 480, 60):
            cv2.circle(screen, (x, 30), 9, (20, 60, 200), -1)
            cv2.rectangle(screen, (x, 68), (x + 30, 84), (40, 40, 40), 2)
        for row, y in enumerate(range(500, 690, 34)):
            cv2.circle(screen, (25, y - 6), 11, (90, 40, 40 + 20 * row), -1)
            cv2.rectangle(screen, (44, y - 20), (480, y + 8), (170, 200, 220), 2)
            said = " ".join(words[row % 4 :] + words[: row % 4])
            cv2.putText(screen, said, (50, y), 0, 0.7, (0, 0, 0), 2)
        screen[150:470] = cv2.resize(photo, (500, 320))
        return screen

    one = window(painted(43), ["share", "photo", "edit", "print"])
    other = cv2.resize(window(painted(44), ["today", "send", "view", "reply"]), (250, 350))
    worn = cv2.imdecode(cv2.imencode(".jpg", other, [1, 5])[1], cv2.IMREAD_COLOR)
    match = verify(side(1, one), side(2, worn))
    assert match is None or not match.same_photograph


@pytest.mark.parametrize("orientation", range(8))
def test_quick_mode_aligns_by_hash(painted: Painter, orientation: int) -> None:
    original = painted(45)
    copy = np.rot90(original[:, ::-1] if orientation & 4 else original, orientation & 3)
    copy = cv2.resize(np.ascontiguousarray(copy), None, fx=0.7, fy=0.7, interpolation=3)
    match = verify(side(1, original, quick=True), side(2, copy, quick=True))
    assert match is not None
    assert match.same_photograph
    assert match.mirrored == bool(orientation & 4)
    other = side(3, painted(46), quick=True)
    assert verify(side(1, original, quick=True), other) is None


def test_words_for_people() -> None:
    keeper, small = ImageInfo("PNG", 800, 600), ImageInfo("JPEG", 400, 300)
    half = Match(1, 2, Relation.RESIZED, ((0.5, 0, 0), (0, 0.5, 0)), brightness=-30)
    assert describe(half, keeper, small) == "half the size, darker, saved as JPEG"
    slightly = Match(1, 2, Relation.RESIZED, ((1.04, 0, 0), (0, 1.04, 0)))
    assert describe(slightly, keeper, ImageInfo("PNG", 832, 624)) == "104% of the size"
    mirrored = Match(1, 2, Relation.ROTATED, ((-1, 0, 799), (0, 1, 0)), mirrored=True)
    assert describe(mirrored, keeper, keeper) == "mirrored"
    right = Match(1, 2, Relation.ROTATED, ((0, -1, 599), (1, 0, 0)))
    assert describe(right, keeper, keeper) == "rotated 90° clockwise"
    same = Match(1, 2, Relation.REENCODED, ((1, 0, 0), (0, 1, 0)))
    assert describe(same, keeper, keeper) == "re-saved"
    painted_over = replace(same, relation=Relation.CONTAINS, share_a=0.97, share_b=1.0)
    assert describe(painted_over, keeper, keeper) == "edited"
    inside = replace(same, relation=Relation.CONTAINS, share_a=0.4, share_b=1.0)
    assert describe(inside, keeper, keeper) == "shown inside it (40% of its area)"
    assert describe(replace(same, relation=Relation.BYTE_IDENTICAL), keeper, keeper) == (
        "identical file"
    )


@pytest.mark.parametrize("gap", [0, 8])
def test_the_cells_of_a_collage_are_parts_of_it_not_crops(painted: Painter, gap: int) -> None:
    cells = [painted(seed, 400, 300) for seed in range(60, 64)]
    sheet = np.full((600 + 3 * gap, 800 + 3 * gap, 3), 255, np.uint8)
    for place, cell in enumerate(cells):
        y, x = gap + place // 2 * (300 + gap), gap + place % 2 * (400 + gap)
        sheet[y : y + 300, x : x + 400] = cell
    collage = side(1, sheet)
    for number, cell in enumerate(cells, start=2):
        match = verify(collage, side(number, cell))
        assert match is not None
        assert match.relation is Relation.CONTAINS


def test_a_third_of_a_picture_is_a_crop_of_it(painted: Painter) -> None:
    for seed in range(65, 71):
        original = painted(seed, 800, 600)
        third = np.ascontiguousarray(original[50:400, 120:640])
        match = verify(side(1, original), side(2, third))
        assert match is not None
        assert match.relation is Relation.CROPPED


def saved(image: Image, quality: int) -> Image:
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", image, [1, quality])[1], cv2.IMREAD_COLOR), np.uint8
    )


def night_sky(seed: int) -> Image:
    random = np.random.default_rng(seed)
    sky = random.normal(9, 2.5, (320, 480)).clip(0, 255)
    for x, y in random.integers(5, (475, 315), (140, 2)):
        sky[y : y + 3, x : x + 3] += random.uniform(40, 200)
    return np.repeat(sky.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def one_word(word: str) -> Image:
    ground = np.full((540, 960, 3), 6, np.uint8)
    cv2.putText(ground, word, (380, 290), 0, 1.4, (210, 210, 210), 3)
    return ground


@pytest.mark.parametrize("quick", [True, False])
def test_frames_too_plain_for_blocks_are_told_by_their_fine_structure(quick: bool) -> None:
    for picture, unlike in (
        (night_sky(1), night_sky(2)),
        (one_word("BREATHE"), one_word("BALANCE")),
    ):
        original = side(1, picture, quick=quick)
        again = verify(original, side(2, saved(picture, 70), quick=quick))
        assert again is not None
        assert again.relation is Relation.REENCODED
        small = verify(
            original,
            side(3, cv2.resize(picture, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)),
        )
        assert small is not None
        assert small.relation is Relation.RESIZED
        assert verify(original, side(4, unlike, quick=quick)) is None
    flat = np.full((300, 400, 3), 90, np.uint8)
    assert verify(side(1, flat), side(2, flat + 1)) is None


def sheared(image: Image, by: float, ground: int, *, down: bool) -> Image:
    """The picture as a parallelogram on flat ground."""
    if down:
        across = sheared(np.asarray(cv2.transpose(image), np.uint8), by, ground, down=False)
        return np.asarray(cv2.transpose(across), np.uint8)
    height, width = image.shape[:2]
    matrix = np.array([[1, by, max(0.0, -by * height)], [0, 1, 0]], np.float64)
    size = width + round(abs(by) * height), height
    return np.asarray(cv2.warpAffine(image, matrix, size, borderValue=(ground,) * 3), np.uint8)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("by", [0.35, -0.6, 0.9])
@pytest.mark.parametrize("down", [True, False])
def test_a_picture_sheared_onto_flat_ground_is_an_edit(
    painted: Painter, by: float, down: bool, quick: bool
) -> None:
    original = painted(12)
    for ground in (0, 255):
        copy = saved(sheared(original, by, ground, down=down), 80)
        match = verify(side(1, original, quick=quick), side(2, copy, quick=quick))
        assert match is not None
        assert match.relation is Relation.EDITED
        assert match.share_a > 0.97


def test_other_things_on_flat_ground_are_not_straightened() -> None:
    ground = np.full((300, 400), 250, np.uint8)
    round_thing = cv2.ellipse(ground.copy(), (200, 150), (120, 90), 0, 0, 360, 60, -1)
    corners = np.array([[200, 20], [330, 260], [70, 260]])
    triangle = cv2.fillPoly(ground.copy(), [corners], 80)
    stroke = cv2.line(ground.copy(), (60, 40), (340, 260), 0, 30)
    cross = cv2.line(stroke, (60, 260), (340, 40), 0, 30)
    for picture in (ground, round_thing, triangle, cross):
        assert perceptual.decode_inner(perceptual.encode(np.asarray(picture, np.uint8))) is None


def product(seed: int) -> Image:
    """A board on a lawn: straight lines, few tones."""
    rng = np.random.default_rng(seed)
    lawn = cv2.GaussianBlur(rng.normal(0, 1, (320, 480, 3)), (0, 0), 1.2)
    drawn = np.asarray([25, 90, 20] + lawn / lawn.std() * [12, 28, 12], np.float32)
    board = np.array([[70, 90], [330, 60], [430, 190], [110, 250]]) + rng.integers(-20, 20, (4, 2))
    band = board // [1, 4] + [10, 95 + int(rng.integers(0, 20))]
    cv2.fillPoly(drawn, [board], tuple(rng.uniform(50, 140, 3).tolist()), cv2.LINE_AA)
    cv2.fillPoly(drawn, [band], tuple(rng.uniform(60, 220, 3).tolist()), cv2.LINE_AA)
    for x in (140, 300, 400):
        cv2.line(drawn, (x, 235), (x - 10, 300), (20.0, 20.0, 20.0), 3, cv2.LINE_AA)
    return np.clip(drawn + rng.normal(0, 2, (320, 480, 1)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_a_crop_of_a_plain_picture_is_a_crop_of_it(seed: int) -> None:
    original = product(seed)
    crop = cv2.resize(original[20:250, 40:400], (306, 196), interpolation=cv2.INTER_AREA)
    match = verify(side(1, original), side(2, saved(np.asarray(crop, np.uint8), 85)))
    assert match is not None
    assert match.relation is Relation.CROPPED
    for other in range(4):
        if other != seed:
            assert verify(side(1, product(other)), side(2, np.asarray(crop, np.uint8))) is None


def receipt(seed: int) -> Image:
    """Small print on a large sheet, as a scanner sees it."""
    random = np.random.default_rng(seed)
    sheet = random.normal(252, 1.5, (600, 420))
    lines = ["MARKET SOUTH", "Main street 12", "-" * 22, f"No {random.integers(1000, 9999)}"]
    for _ in range(6):
        goods = "".join(random.choice(list("acehiklmnorst"), 7))
        lines.append(f"{goods}  {random.integers(1, 20)}.{random.integers(10, 99)}")
    lines += ["-" * 22, f"TOTAL {random.integers(20, 99)}.{random.integers(10, 99)}", "Thank you!"]
    ink = np.zeros(sheet.shape, np.uint8)
    for line, text in enumerate(lines):
        cv2.putText(ink, text, (140, 80 + 12 * line), 0, 0.3, 255, 1, cv2.LINE_AA)
    printed = (sheet - ink * 0.85).clip(0, 255).astype(np.uint8)
    return np.repeat(printed[..., None], 3, axis=2)


def test_receipts_of_one_shop_do_not_match() -> None:
    receipts = [side(k, saved(receipt(k), 88)) for k in range(1, 7)]
    for one, other in itertools.combinations(receipts, 2):
        found = verify(one, other)
        assert found is None or found.relation is Relation.SIMILAR
    again = verify(receipts[0], side(9, saved(receipt(1), 70)))
    assert again is not None
    assert again.relation is Relation.REENCODED
