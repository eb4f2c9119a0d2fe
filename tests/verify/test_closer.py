"""The closer look on painted pictures: copies show no difference, one small thing does."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pil
from PIL import ImageDraw, ImageFont

from image_duplicate_finder.decode import Picture, decode_full, luminance_steps
from image_duplicate_finder.model import ImageInfo, Look, Match, Relation, Transform
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.verify.closer import CONTENT, closer_look
from image_duplicate_finder.verify.detail import compare_detail
from image_duplicate_finder.verify.prepared import Prepared, prepare
from tests.conftest import Painter
from tests.painting import add_texture

Image = NDArray[np.uint8]
IDENTITY: Transform = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
HALF: Transform = ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0))


def prepared(image: Image, alpha: Image | None = None) -> Prepared:
    info = ImageInfo("PNG", image.shape[1], image.shape[0], has_alpha=alpha is not None)
    return prepare(Picture(np.ascontiguousarray(image), info, alpha))


def jpeg(image: Image, quality: int) -> Image:
    packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[..., ::-1], np.uint8)


def resized(image: Image, factor: float, how: int = cv2.INTER_AREA) -> Image:
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def look(a: Image, b: Image, transform: Transform = IDENTITY) -> Look:
    match = Match(1, 2, Relation.EDITED, transform=transform)
    found = closer_look(prepared(a), prepared(b), match)
    assert found is not None
    return found


COPIES: dict[str, tuple[Callable[[Image], Image], Transform]] = {
    "the same": (lambda image: image.copy(), IDENTITY),
    "saved at 60": (lambda image: jpeg(image, 60), ((1, 0, 2), (0, 1.002, -1))),
    "half": (
        lambda image: resized(image, 0.5),
        ((0.5, 0, 1), (0, 0.5, 0)),
    ),
    "nearest, as OpenCV": (
        lambda image: jpeg(resized(image, 0.7, cv2.INTER_NEAREST), 85),
        ((0.7, 0, 0), (0, 0.7, 1)),
    ),
    "nearest, as Pillow": (
        lambda image: np.asarray(
            Pil.fromarray(image).resize((448, 336), Pil.Resampling.NEAREST), np.uint8
        ),
        ((0.7, 0, 1), (0, 0.7, -1)),
    ),
    "mirrored": (
        lambda image: np.ascontiguousarray(image[:, ::-1]),
        ((-1, 0, 638), (0, 1, 1)),
    ),
    "cropped": (lambda image: image[40:-20, 30:-50], ((1, 0, -29), (0, 1, -41.5))),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_do_not_differ(name: str, painted: Painter) -> None:
    image = painted(5, 640, 480)
    edit, transform = COPIES[name]
    assert look(image, edit(image), transform).worst < CONTENT


def test_a_small_spot_differs_and_is_outlined(painted: Painter) -> None:
    image = painted(5, 640, 480)
    other = image.copy()
    cv2.circle(other, (200, 150), 5, (255, 40, 30), -1)
    found = look(image, jpeg(other, 80))
    assert found.worst >= CONTENT
    x, y, width, height = found.differences[0].in_a
    assert x <= 196 and x + width >= 205 and y <= 146 and y + height >= 155
    assert width < 40 and height < 40


def test_the_original_of_an_enlarged_blurred_or_ruined_copy_shows_more_detail(
    painted: Painter,
) -> None:
    image = painted(6, 640, 480)
    half = resized(image, 0.5)
    assert look(image, half, ((0.5, 0, -0.25), (0, 0.5, -0.25))).detail > 1
    assert look(image, resized(half, 2, cv2.INTER_CUBIC)).detail > 1
    assert look(image, np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)).detail > 1
    ruined = jpeg(jpeg(image, 8), 97)
    assert look(image, ruined).detail > 1
    assert look(ruined, image).detail < -1


def test_a_crop_that_was_saved_again_shows_no_more_than_its_source(painted: Painter) -> None:
    """Its zeros lie in other blocks than those of the source; a crop of a better one shows more."""
    image = add_texture(painted(6, 640, 480))
    source = jpeg(image, 75)
    cut: Transform = ((1.0, 0.0, -37.0), (0.0, 1.0, -21.0))
    again = look(source, jpeg(np.ascontiguousarray(source[21:-40, 37:-60]), 92), cut)
    assert abs(again.detail) < 1
    better = look(jpeg(image, 30), jpeg(np.ascontiguousarray(image[21:-40, 37:-60]), 90), cut)
    assert better.detail < -1


@pytest.mark.parametrize(("first", "second"), [(60, 85), (75, 95), (90, 97), (40, 75)])
def test_a_jpeg_that_was_saved_again_in_higher_quality_is_told_from_its_source(
    first: int, second: int, painted: Painter
) -> None:
    image = add_texture(painted(8, 640, 480))
    source = jpeg(image, first)
    again = jpeg(source, second)
    assert jpeg_look(source, first, again, second).resaved == -1
    assert jpeg_look(again, second, source, first).resaved == 1
    cut = np.ascontiguousarray(source[19:-30, 13:-20])
    moved: Transform = ((1.0, 0.0, -13.0), (0.0, 1.0, -19.0))
    assert jpeg_look(source, first, jpeg(cut, second), second, moved).resaved == -1
    # The other way round, and two that were saved apart.
    better = jpeg(image, second)
    assert jpeg_look(better, second, jpeg(better, first), first).resaved == 0
    assert jpeg_look(better, second, source, first).resaved == 0


def test_a_jpeg_is_told_from_a_file_of_another_format_that_it_was_made_from(
    painted: Painter,
) -> None:
    image = add_texture(painted(8, 640, 480))
    webp = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])[1]
    first = np.ascontiguousarray(cv2.imdecode(webp, cv2.IMREAD_COLOR)[..., ::-1])
    for quality in (75, 85, 95):
        assert jpeg_look(first, None, jpeg(first, quality), quality).resaved == -1
    source = jpeg(image, 75)
    webp = cv2.imencode(".webp", source[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 95])[1]
    again = np.ascontiguousarray(cv2.imdecode(webp, cv2.IMREAD_COLOR)[..., ::-1])
    assert jpeg_look(again, None, source, 75).resaved == 1
    mirrored: Transform = ((-1.0, 0.0, 639.0), (0.0, 1.0, 0.0))
    assert jpeg_look(first, None, jpeg(first[:, ::-1], 85), 85, mirrored).resaved == -1
    blurred = np.asarray(cv2.GaussianBlur(first, (0, 0), 0.8), np.uint8)
    assert jpeg_look(first, None, jpeg(blurred, 85), 85).resaved == 0


def test_what_rounding_adds_is_no_detail(painted: Painter) -> None:
    """Of a soft picture a strongly compressed copy has more energy in the finest scales."""
    soft = np.asarray(cv2.GaussianBlur(painted(9, 640, 480), (0, 0), 1.2), np.uint8)
    source = jpeg(soft, 75)
    for quality in (60, 45, 30):
        assert jpeg_look(source, 75, jpeg(source, quality), quality).detail >= 0
    sharp = jpeg(painted(9, 640, 480), 60)
    smoothed = jpeg(np.asarray(cv2.GaussianBlur(sharp, (0, 0), 0.8), np.uint8), 95)
    assert jpeg_look(smoothed, 95, sharp, 60).detail < -1


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_two_exposures_are_told_by_their_noise_and_two_copies_of_one_are_not(
    seed: int, painted: Painter
) -> None:
    """Compression in other blocks leaves little of weak noise that both copies had in common."""
    rng = np.random.default_rng(seed)
    scene = cv2.cvtColor(painted(seed, 500, 375), cv2.COLOR_RGB2GRAY)
    scene = cv2.GaussianBlur(scene, (0, 0), 1.0).astype(np.float64)

    def exposure() -> Image:
        noise = rng.normal(0, 1, scene.shape) * np.linspace(0.8, 6, 500)
        return np.clip(scene + noise, 0, 255).astype(np.uint8)

    def saved(picture: Image) -> Image:
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)

    first, second = exposure(), exposure()
    mirrored = np.ascontiguousarray(saved(np.ascontiguousarray(first[:, ::-1]))[:, ::-1])
    assert compare_detail(saved(first), saved(second), np.eye(3)).own_noise
    assert not compare_detail(saved(first), mirrored, np.eye(3)).own_noise


def test_a_negative_is_no_other_exposure(painted: Painter) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 6, (375, 500, 1))
    source = np.clip(painted(3, 500, 375) + noise, 0, 255).astype(np.uint8)
    match = Match(1, 2, Relation.EDITED, transform=IDENTITY, negative=True)
    found = closer_look(prepared(jpeg(source, 92)), prepared(jpeg(255 - source, 92)), match)
    assert found is not None
    assert not found.another_shot
    assert found.coherence > 0.9
    assert abs(found.detail) < 0.5


def test_detail_is_compared_at_any_scale_near_to_one(painted: Painter) -> None:
    """An alignment is as good as it is: a copy can seem a trace larger than its source."""
    scene = cv2.cvtColor(painted(3, 250, 188), cv2.COLOR_RGB2GRAY)
    for across in (*np.linspace(0.96, 1.04, 41), 1.000001, 0.999999):
        for down in (across, 1.0, 0.9999, 1.000001, 0.999999):
            found = compare_detail(scene, scene, np.diag([across, down, 1.0]))
            assert abs(found.decibels) < 3, (across, down)


def test_a_smoothed_picture_is_told_from_a_copy(painted: Painter) -> None:
    """It differs in no place and keeps its edges, but by more than compression explains."""
    image = add_texture(painted(10, 640, 480))
    source = jpeg(image, 85)
    smooth = np.asarray(cv2.bilateralFilter(source, 9, 30, 7), np.uint8)
    for quality in (92, 85, 75):
        assert jpeg_look(jpeg(smooth, quality), quality, source, 85).filtered
        assert jpeg_look(source, 85, jpeg(smooth, quality), quality).filtered
    for quality in (95, 85, 75, 50, 30):
        assert not jpeg_look(jpeg(source, quality), quality, source, 85).filtered
        assert not jpeg_look(jpeg(image, quality), quality, source, 85).filtered
    cut = np.ascontiguousarray(source[19:-30, 13:-20])
    moved: Transform = ((1.0, 0.0, 13.0), (0.0, 1.0, 19.0))
    assert not jpeg_look(jpeg(cut, 70), 70, source, 85, moved).filtered
    # Of a file in another format it is not known what its compression rounded.
    assert not jpeg_look(smooth, None, source, 85).filtered


def test_a_thin_rim_in_another_colour_differs() -> None:
    """Red and blue of one brightness part pictures by their hue alone."""

    def mug(rim: tuple[int, int, int]) -> Image:
        ground = np.linspace(222, 244, 500)[:, None, None] + np.zeros((500, 500, 3))
        ground += np.random.default_rng(1).normal(0, 1.5, ground.shape)
        picture = ground.clip(0, 255).astype(np.uint8)
        picture[125:375, 166:333] = (246, 246, 242)
        picture[125:131, 166:333] = rim
        return picture

    red, blue = (jpeg(mug(rim), 88) for rim in ((192, 32, 32), (32, 64, 192)))
    assert jpeg_look(blue, 88, red, 88).worst >= CONTENT
    assert jpeg_look(jpeg(red, 50), 50, red, 88).worst < CONTENT
    assert jpeg_look(jpeg(resized(red, 0.5), 75), 75, red, 88, HALF).worst < CONTENT


def test_the_tables_of_cameras_tell_a_source_as_well(painted: Painter) -> None:
    """What a JPEG was rounded to is read from the file, not taken from the quality it is near."""
    table = [max(1, round(0.6 * value**0.7)) for value in luminance_steps(50)]

    def decoded(picture: Pil.Image, **how: Any) -> Picture:
        file = BytesIO()
        picture.save(file, "JPEG", **how)
        return decode_full(file.getvalue(), limits=DecodeLimits())

    source = decoded(Pil.fromarray(add_texture(painted(6, 640, 480))), qtables=[table, table])
    again = decoded(Pil.fromarray(source.pixels), quality=95)
    assert source.steps == tuple(table)
    found = closer_look(prepare(source), prepare(again), Match(1, 2, Relation.EDITED, IDENTITY))
    assert found is not None
    assert found.resaved == -1
    assert not found.filtered


def jpeg_look(
    a: Image, quality_a: int | None, b: Image, quality_b: int, transform: Transform = IDENTITY
) -> Look:
    sides = []
    for image, quality in ((a, quality_a), (b, quality_b)):
        info = ImageInfo("WEBP" if quality is None else "JPEG", image.shape[1], image.shape[0])
        steps = None if quality is None else luminance_steps(quality)
        sides.append(prepare(Picture(image, info, steps=steps)))
    found = closer_look(*sides, Match(1, 2, Relation.EDITED, transform=transform))
    assert found is not None
    return found


def test_an_enlargement_has_no_more_detail_than_its_source(painted: Painter) -> None:
    image = painted(7, 480, 360)
    enlarged = resized(image, 2, cv2.INTER_CUBIC)
    assert look(enlarged, image, ((0.5, 0, -0.25), (0, 0.5, -0.25))).detail < 1


def test_a_black_and_white_version_lost_its_colour_and_a_bright_one_its_tone(
    painted: Painter,
) -> None:
    image = painted(8, 480, 360)
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    assert look(image, np.asarray(grey, np.uint8)).chroma < 0.1
    lifted = np.clip(image * 0.8 + 45, 0, 255).astype(np.uint8)
    assert look(image, lifted).tone > 15


def test_a_drawing_in_other_colours_differs_though_its_shape_is_the_same() -> None:
    icon = np.full((64, 64, 3), 255, np.uint8)
    cv2.circle(icon, (32, 32), 20, (220, 40, 40), -1)
    other = np.full((64, 64, 3), 255, np.uint8)
    cv2.circle(other, (32, 32), 20, (40, 40, 220), -1)
    found = look(icon, other)
    assert found.drawing
    assert found.worst >= CONTENT


def test_a_photo_of_one_thing_on_plain_ground_is_no_drawing(painted: Painter) -> None:
    """Nor if one of its edits has as few colours as a drawing; a compressed drawing stays one."""
    thing = np.asarray(add_texture(painted(3, 480, 360)), np.uint8)
    inside = np.zeros((360, 480), np.uint8)
    cv2.ellipse(inside, (240, 180), (114, 95), 0, 0, 360, 1, -1)
    photo = np.where(inside[..., None] > 0, thing, np.uint8(250))
    framed = np.full((560, 680, 3), 255, np.uint8)
    framed[100:460, 100:580] = photo
    brighter = (255 * (photo / 255) ** 0.5).astype(np.uint8)
    inward = ((1.0, 0.0, -100.0), (0.0, 1.0, -100.0))
    for edit, quality, transform in (
        (framed, 90, inward),
        (brighter, 90, IDENTITY),
        (photo, 8, IDENTITY),
    ):
        edited = jpeg(edit, quality)
        assert prepared(edited).drawing
        assert not prepared(jpeg(photo, 90)).drawing
        assert not jpeg_look(edited, quality, jpeg(photo, 90), 90, transform).drawing

    drawn = np.full((360, 480, 3), 255, np.uint8)
    for x in range(40, 460, 60):
        cv2.rectangle(drawn, (x, 340 - x // 2), (x + 40, 340), (40, 90, 200), -1)
        cv2.line(drawn, (x, 20), (x + 50, 90), (0, 0, 0), 2)
    compressed = jpeg(drawn, 20)
    assert prepared(drawn).drawing
    assert jpeg_look(drawn, 95, compressed, 20).drawing


def test_two_nearly_equal_colours_differ_in_drawings_without_loss() -> None:
    def plain(colour: tuple[int, int, int]) -> Prepared:
        image = np.full((64, 64, 3), colour, np.uint8)
        return prepare(Picture(image, ImageInfo("PNG", 64, 64, lossless=True)))

    match = Match(1, 2, Relation.EDITED, transform=IDENTITY)
    found = closer_look(plain((255, 0, 0)), plain((255, 0, 2)), match)
    assert found is not None
    assert found.worst >= CONTENT


def test_a_bar_with_words_is_content_and_a_plain_border_is_not(painted: Painter) -> None:
    image = painted(9, 480, 360)
    barred = np.full((420, 480, 3), 255, np.uint8)
    barred[60:] = image
    down: Transform = ((1.0, 0.0, 0.0), (0.0, 1.0, -60.0))
    plain = look(barred, image, down)
    assert plain.border_a > 0.1
    assert plain.rest_a == 0
    cv2.putText(barred, "SOME WORDS", (20, 45), 0, 1.4, (0, 0, 0), 4)
    assert look(barred, image, down).rest_a > 0.01


def test_a_digit_differs_in_a_small_copy_and_compression_alone_does_not(painted: Painter) -> None:
    """Known rounding is taken away before anything is smoothed: fine lines remain."""

    def labelled(number: str) -> Image:
        canvas = Pil.fromarray(painted(5, 640, 480))
        draw = ImageDraw.Draw(canvas)
        draw.rectangle((90, 90, 170, 116), fill=(244, 240, 226))
        draw.text((96, 92), number, (24, 24, 30), ImageFont.load_default(18))
        return np.asarray(canvas, np.uint8)

    def against(number: str, quality: int) -> float:
        image, small = labelled("48207"), jpeg(resized(labelled(number), 0.5), quality)
        a = prepared(image)
        info = ImageInfo("JPEG", 320, 240)
        b = prepare(Picture(small, info, steps=luminance_steps(quality)))
        match = Match(1, 2, Relation.EDITED, transform=((0.5, 0, 0.5), (0, 0.5, -0.5)))
        found = closer_look(a, b, match)
        assert found is not None
        return found.worst

    for quality in (75, 60, 45):
        assert against("48207", quality) < CONTENT
        assert against("48307", quality) >= CONTENT


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_compression_explains_is_known_in_every_orientation(
    orientation: int, painted: Painter
) -> None:
    """Blocks start at the corner that was the first before the picture was put upright."""
    grey = cv2.cvtColor(painted(7, 317, 251), cv2.COLOR_RGB2GRAY)
    image = np.repeat(grey[..., None], 3, axis=2)
    upright = _upright(jpeg(image, 30), orientation)
    sharp = _upright(image, orientation)
    height, width = upright.shape[:2]
    known, unknown = (
        prepare(
            Picture(
                np.ascontiguousarray(upright),
                ImageInfo("JPEG", width, height, each),
                steps=luminance_steps(30),
            )
        )
        for each in (orientation, 1)
    )
    match = Match(1, 2, Relation.EDITED, transform=IDENTITY)
    right, wrong = (closer_look(prepared(sharp), each, match) for each in (known, unknown))
    assert right is not None and wrong is not None
    assert right.worst < CONTENT
    if orientation in (2, 3, 4, 6, 7, 8):
        assert right.worst < wrong.worst


def _upright(image: Image, orientation: int) -> Image:
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image[::-1] if orientation in (3, 4, 7, 8) else image
