"""Which of several shots is the best."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.web.compare_pictures import Reason, rank_shots
from tests.painting import paint_photo

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
