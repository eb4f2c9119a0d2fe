"""Which of several shots is the best, and where the faces in them are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.web import faces
from image_duplicate_finder.web.compare_pictures import Reason, rank_shots
from tests.painting import paint_face, paint_photo

INFO = ImageInfo("JPEG", 480, 360)


def blurred(picture: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), strength), np.uint8)


def test_the_sharper_shot_wins_whatever_the_order() -> None:
    picture = paint_photo(5)
    shots = [blurred(picture, 3), picture, blurred(picture, 1.5)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        ranked = rank_shots([(INFO, shots[index]) for index in order])
        assert [order[shot.index] for shot in ranked] == [1, 2, 0]
        assert Reason.SHARPEST in ranked[0].reasons


def test_a_soft_background_does_not_make_a_sharp_subject_worse() -> None:
    picture = paint_photo(6)
    portrait = blurred(picture, 4)
    portrait[80:300, 120:380] = picture[80:300, 120:380]
    ranked = rank_shots([(INFO, blurred(picture, 1.2)), (INFO, portrait)])
    assert ranked[0].index == 1


def test_an_overexposed_shot_loses_against_an_equal_one() -> None:
    picture = paint_photo(7)
    bright = np.clip(picture.astype(int) * 2 + 40, 0, 255).astype(np.uint8)
    ranked = rank_shots([(INFO, bright), (INFO, picture)])
    assert ranked[0].index == 1 and Reason.EXPOSURE in ranked[0].reasons


def test_of_equal_shots_the_larger_one_wins_and_the_first_one_of_equals() -> None:
    picture = paint_photo(8)
    large = ImageInfo("JPEG", 4800, 3600)
    assert rank_shots([(INFO, picture), (large, picture)])[0].index == 1
    equal = rank_shots([(INFO, picture), (INFO, picture)])
    assert equal[0].index == 0 and equal[0].reasons == (Reason.CLOSE,)


def test_nothing_and_one_are_ranked_too() -> None:
    assert rank_shots([]) == []
    assert [shot.index for shot in rank_shots([(INFO, paint_photo(9))])] == [0]


def middles(squares: list[faces.Box]) -> list[tuple[float, float]]:
    return [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in squares]


def test_people_are_found_in_all_shots_from_left_to_right() -> None:
    empty = paint_photo(4, 1200, 900)
    both = paint_face(paint_face(empty, 850, 430, 150), 300, 400, 170)
    # The left one has moved; the right one hides behind something, and is shown all the same.
    other = paint_face(empty, 330, 410, 170, eyes_open=False)
    squares = faces.people([other, both])
    assert len(squares) == 2
    for found, wanted in zip(middles(squares), ((0.26, 0.47), (0.71, 0.5)), strict=True):
        assert np.hypot(*np.subtract(found, wanted)) < 0.05
    assert faces.people([empty, empty]) == []
    drawn = faces.strip(other, np.eye(3), squares, 160)
    assert drawn.shape == (160, 320, 3)
    left, top, right, bottom = (
        round(share * side) for share, side in zip(squares[0], (1200, 900) * 2, strict=True)
    )
    cut = cv2.resize(other[top:bottom, left:right], (160, 160), interpolation=cv2.INTER_AREA)
    assert np.abs(drawn[:, :160].astype(int) - cut).mean() < 6


def test_a_small_face_of_a_large_picture_is_found() -> None:
    small = paint_face(paint_photo(4, 3000, 2000), 2500, 500, 80)
    (found,) = middles(faces.people([small]))
    assert np.hypot(*np.subtract(found, (2500 / 3000, 500 / 2000))) < 0.02


def test_a_mirrored_shot_is_shown_in_the_frame_of_the_kept_one() -> None:
    shot = paint_face(paint_photo(4, 1200, 900), 300, 400, 170)
    mirrored = np.ascontiguousarray(shot[:, ::-1])
    flip = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
    squares = faces.people([shot])
    straight = faces.strip(shot, np.eye(3), squares, 160).astype(int)
    turned = faces.strip(mirrored, flip, squares, 160).astype(int)
    assert np.abs(straight - turned).mean() < 2
