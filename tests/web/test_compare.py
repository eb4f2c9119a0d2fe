"""Two pictures laid over each other: the geometry, the pictures made of it, and the page."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from image_duplicate_finder import overlay
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import Box, Difference, ImageInfo, Relation
from image_duplicate_finder.overlay import Pixels
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.web.compare_pictures import apart, regions
from tests.painting import paint_photo
from tests.review_scene import CROP, Scene, make_scene

KEEPER, MEMBER = ImageInfo("PNG", 480, 360), ImageInfo("PNG", 300, 240)
LEFT, TOP, WIDTH, HEIGHT = CROP
SHIFT = ((1.0, 0.0, -float(LEFT)), (0.0, 1.0, -float(TOP)))


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A painted picture, 480 x 360."""
    return paint_photo(1)


@pytest.fixture
def scene(library: Library, tmp_path: Path) -> Scene:
    """Three groups over files below ``tmp_path / "photos"``."""
    return make_scene(library.folder, tmp_path / "photos")


def address(library: Library, scene: Scene, name: str) -> str:
    group = library.groups(scene.scan, GroupQuery(text=name)).groups[0]
    return f"/scans/{scene.scan}/compare/{group.id}/{scene.files[name]}/"


def test_places_that_overlap_are_outlined_as_one_and_not_where_they_cover_most(
    library: Library, scene: Scene
) -> None:
    boxes = [[0.1, 0.1, 0.2, 0.2], [0.5, 0.5, 0.6, 0.6], [0.15, 0.15, 0.3, 0.3]]
    assert apart(boxes) == [[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.6, 0.6]]
    bridge = [0.25, 0.25, 0.55, 0.55]
    assert apart([*boxes, bridge]) == [[0.1, 0.1, 0.6, 0.6]]

    view = library.groups(scene.scan, GroupQuery(text="crop")).groups[0]
    width, height = view.keeper.info.width, view.keeper.info.height
    for share, spread in ((0.2, False), (0.9, True)):
        box = Box(0, 0, int(width * share), int(height * share))
        member = replace(view.members[0], differences=(Difference(box, box, 9.0),))
        found = regions(view, member)
        assert found.spread is spread and len(found.boxes) == (not spread)


# Geometry


def test_the_outline_of_a_crop_is_where_it_was_cut() -> None:
    matrix = overlay.normalised(SHIFT, Relation.CROPPED, KEEPER, MEMBER)
    assert matrix is not None
    corners = np.array(overlay.outline(matrix)) * (480, 360)
    right, bottom = LEFT + WIDTH, TOP + HEIGHT
    expected = [(LEFT, TOP), (right, TOP), (right, bottom), (LEFT, bottom)]
    assert np.abs(corners - expected).max() < 1e-9


def test_copies_in_the_same_frame_lie_on_each_other_without_a_transform() -> None:
    same = overlay.normalised(None, Relation.RESIZED, KEEPER, MEMBER)
    assert same is not None and np.array_equal(same, np.eye(3))
    assert overlay.normalised(None, Relation.SIMILAR, KEEPER, MEMBER) is None


def test_an_aligned_crop_lies_on_its_original_pixel_for_pixel(photo: Pixels) -> None:
    crop = photo[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
    matrix = overlay.normalised(SHIFT, Relation.CROPPED, KEEPER, MEMBER)
    assert matrix is not None
    drawn, inside = overlay.align(crop, matrix, (480, 360))
    assert inside[TOP + 2 : TOP + HEIGHT - 2, LEFT + 2 : LEFT + WIDTH - 2].all()
    assert not inside[: TOP - 1].any() and not inside[:, LEFT + WIDTH + 1 :].any()
    assert np.abs(drawn.astype(int) - photo)[inside].max() <= 1


def test_a_half_size_copy_lies_on_its_original(photo: Pixels) -> None:
    small = np.asarray(cv2.resize(photo, (240, 180), interpolation=cv2.INTER_AREA), np.uint8)
    half = ((0.5, 0.0, -0.25), (0.0, 0.5, -0.25))
    matrix = overlay.normalised(half, Relation.RESIZED, KEEPER, ImageInfo("PNG", 240, 180))
    assert matrix is not None and np.allclose(matrix, np.eye(3))
    drawn, inside = overlay.align(small, matrix, (480, 360))
    assert inside.mean() > 0.98
    assert np.abs(drawn.astype(int) - photo)[inside].mean() < 4


def test_a_larger_member_is_drawn_without_false_patterns() -> None:
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    drawn, _ = overlay.align(stripes, np.eye(3), (100, 100))
    assert drawn[10:-10, 10:-10].std() < 3


def test_a_difference_is_shown_where_it_is(photo: Pixels) -> None:
    changed = photo.copy()
    changed[100:140, 200:260] = 255 - changed[100:140, 200:260]
    everywhere = np.ones(photo.shape[:2], bool)
    same = overlay.difference(photo, photo, everywhere)
    assert same.share == 0 and same.mean == 0
    found = overlay.difference(photo, changed, everywhere)
    assert 0.5 * 2400 / photo[..., 0].size < found.share < 1.5 * 2400 / photo[..., 0].size
    colour = found.picture.max(axis=2).astype(int) - found.picture.min(axis=2)
    assert colour[105:135, 205:255].mean() > 60 and colour[:90].max() == 0


def test_what_lies_outside_the_common_area_is_no_difference(photo: Pixels) -> None:
    inside = np.zeros(photo.shape[:2], bool)
    inside[:, :100] = True
    other = photo.copy()
    other[:, 150:] = 0
    found = overlay.difference(photo, other, inside)
    assert found.share == 0 and found.mean == 0


def test_an_alignment_that_is_a_little_off_is_made_exact(photo: Pixels) -> None:
    crop = photo[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
    off = ((1.004, 0.0, -LEFT + 1.6), (0.001, 0.997, -TOP - 1.3))
    rough = overlay.normalised(off, Relation.CROPPED, KEEPER, MEMBER)
    assert rough is not None
    exact = overlay.refined(photo, crop, rough)
    errors = []
    for matrix in (rough, exact):
        drawn, inside = overlay.align(crop, matrix, (480, 360))
        errors.append(np.abs(drawn.astype(int) - photo)[inside].mean())
    assert errors[1] < errors[0] / 4


def test_pictures_without_structure_keep_their_alignment() -> None:
    flat = np.full((200, 200, 3), 90, np.uint8)
    matrix = np.eye(3)
    assert np.array_equal(overlay.refined(flat, flat, matrix), matrix)


# The page


def test_the_page_shows_both_files_and_marks_what_differs(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    text = visitor.get(address(library, scene, "b/small.jpg")).text
    rows = dict(re.findall(r'<tr( class="differs")?><th scope="row">([^<]+)</th>', text))
    assert "original.png" in text and "small.jpg" in text and "half the size" in text
    differing = re.findall(r'<tr class="differs"><th scope="row">([^<]+)</th>', text)
    assert {"Name", "Folder", "Pixels", "Format", "Compression"} <= set(differing)
    assert "Frames" not in differing and rows


def test_the_outline_reaches_the_page(visitor: FlaskClient, scene: Scene, library: Library) -> None:
    text = visitor.get(address(library, scene, "b/crop.png")).text
    found = re.search(r'data-geometry="([^"]+)"', text)
    assert found is not None
    geometry = json.loads(unescape(found[1]))
    assert geometry["outline"][0] == pytest.approx([LEFT / 480, TOP / 360])
    assert geometry["reverse"][0] == pytest.approx([-LEFT / WIDTH, -TOP / HEIGHT])


def test_pictures_that_do_not_lie_on_each_other_have_no_difference(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    page = address(library, scene, "c/shot 2.jpg")
    text = visitor.get(page).text
    assert "cannot be aligned exactly" in text
    assert visitor.get(page + "difference").status_code == 404
    assert visitor.get(page + "difference/words").status_code == 404
    assert visitor.get(page + "aligned").status_code == 200


def test_the_aligned_picture_and_the_difference_have_the_keepers_size(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    page = address(library, scene, "b/crop.png")
    for what in ("aligned", "difference"):
        answer = visitor.get(page + what)
        assert (
            answer.mimetype == "image/jpeg"
            and "sandbox" in answer.headers["Content-Security-Policy"]
        )
        assert Image.open(io.BytesIO(answer.data)).size == (480, 360)
    assert "No difference" in visitor.get(page + "difference/words").text
    small = visitor.get(address(library, scene, "b/small.jpg") + "difference/words").text
    assert "of the shared area differs visibly" in small


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("size", [(90, 60), (2500, 1800)])
def test_equal_pictures_differ_by_nothing(turn: int, mirrored: bool, size: tuple[int, int]) -> None:
    """Also where the picture is shrunk for the difference, and where one is turned."""
    noise = np.random.default_rng(5).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    upright = noise[:, ::-1] if mirrored else noise
    member = np.ascontiguousarray(np.rot90(upright, -turn))
    height, width = noise.shape[:2]
    x, y = (width - 1.0, height - 1.0)
    ways = [
        ((1, 0, 0), (0, 1, 0)),
        ((0, -1, y), (1, 0, 0)),
        ((-1, 0, x), (0, -1, y)),
        ((0, 1, 0), (-1, 0, x)),
    ]
    way = np.array([*ways[turn], (0, 0, 1)], np.float64)
    if mirrored:
        way = way @ np.array([(-1, 0, x), (0, 1, 0), (0, 0, 1)], np.float64)
    matrix = overlay.normalised(
        tuple(map(tuple, way[:2])),  # type: ignore[arg-type]
        Relation.ROTATED,
        ImageInfo("PNG", width, height),
        ImageInfo("PNG", member.shape[1], member.shape[0]),
    )
    assert matrix is not None
    assert overlay.equal(noise, member, matrix)
    changed = member.copy()
    changed[0, 0] ^= 1
    assert not overlay.equal(noise, changed, matrix)


@pytest.mark.parametrize("copied", [False, True])
def test_the_difference_of_equal_files_is_nothing(
    visitor: FlaskClient, library: Library, tmp_path: Path, copied: bool
) -> None:
    photo = cv2.resize(paint_photo(1), (1600, 1200), interpolation=cv2.INTER_CUBIC)
    folder = tmp_path / "equal"
    folder.mkdir()
    Image.fromarray(photo).save(folder / "one.png")
    if copied:
        (folder / "two.png").write_bytes((folder / "one.png").read_bytes())
    else:
        Image.fromarray(photo[:, ::-1]).save(folder / "two.bmp")
    scan = library.scan([folder], ScanSettings(jobs=1)).id
    (group,) = library.groups(scan).groups
    page = f"/scans/{scan}/compare/{group.id}/{group.members[0].file.id}/difference/words"
    assert "No difference" in visitor.get(page).text


def test_previous_and_next_lead_through_all_files_of_the_filter(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    def following(text: str, name: str) -> str | None:
        found = re.search(rf'id="{name}" href="([^"]+)"', text)
        return None if found is None else unescape(found[1])

    groups = library.groups(scene.scan, GroupQuery()).groups
    expected = [(group.id, member.file.id) for group in groups for member in group.members]
    page: str | None = f"/scans/{scene.scan}/compare/{expected[0][0]}/{expected[0][1]}/"
    seen = []
    while page is not None:
        seen.append(tuple(int(part) for part in page.split("/")[4:6]))
        text = visitor.get(page).text
        page = following(text, "next")
    assert seen == expected
    back = following(text, "previous")
    assert back is not None and tuple(int(part) for part in back.split("/")[4:6]) == expected[-2]
    alone = visitor.get(address(library, scene, "c/shot 2.jpg") + "?kind=similar").text
    assert following(alone, "next") is None and following(alone, "previous") is None


def test_the_other_file_is_kept_and_compared_the_other_way_round(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    answer = visitor.post(address(library, scene, "b/crop.png") + "keep")
    where = json.loads(answer.headers["HX-Location"])["path"]
    group = library.groups(scene.scan, GroupQuery(text="original")).groups[0]
    assert group.keeper.id == scene.files["b/crop.png"]
    assert where.endswith(f"/compare/{group.id}/{scene.files['a/original.png']}/")
    assert visitor.get(where).status_code == 200


def test_not_duplicates_leads_to_the_next_file(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    small = address(library, scene, "b/small.jpg")
    answer = visitor.post(small + "dismiss")
    # What the page asked for in advance comes too late, which is no error.
    assert visitor.get(small + "difference/words").status_code == 204
    where = json.loads(answer.headers["HX-Location"])["path"]
    assert where.endswith(f"/{scene.files['b/crop.png']}/")
    assert visitor.get(where).status_code == 200
    alone = address(library, scene, "c/shot 2.jpg") + "dismiss?kind=similar"
    assert visitor.post(alone).headers["HX-Redirect"].startswith(f"/scans/{scene.scan}/")


def test_files_that_do_not_belong_together_are_not_compared(
    visitor: FlaskClient, scene: Scene, library: Library, tmp_path: Path
) -> None:
    group = library.groups(scene.scan, GroupQuery(text="original")).groups[0]
    other = make_scene(library.folder, tmp_path / "other")
    base = f"/scans/{scene.scan}/compare"
    for page in (
        f"{base}/{group.id}/{scene.files['c/shot 1.jpg']}/",
        f"{base}/{group.id}/{scene.files['a/original.png']}/",
        address(library, other, "b/crop.png").replace(
            f"/scans/{other.scan}/", f"/scans/{scene.scan}/"
        ),
    ):
        for what in ("aligned", "difference"):
            assert visitor.get(page + what).status_code == 404
        assert visitor.get(page, headers={"HX-Request": "true"}).status_code == 404
        led = visitor.get(page)
        assert (led.status_code, led.location) == (302, f"/scans/{scene.scan}/")


def test_a_file_that_is_gone_leaves_a_page_and_no_pictures(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    page = address(library, scene, "b/crop.png")
    scene.path("b/crop.png").unlink()
    assert visitor.get(page).status_code == 200
    for what in ("aligned", "difference", "difference/words"):
        assert visitor.get(page + what).status_code == 404
