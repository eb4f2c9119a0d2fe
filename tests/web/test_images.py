"""Pictures for the browser: right ones, of scanned files only, that cannot run as anything else."""

from __future__ import annotations

import io
import os
import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from image_duplicate_finder.library import Library
from image_duplicate_finder.rendering import render_full, render_thumbnail
from image_duplicate_finder.settings import DecodeLimits, ScanSettings
from image_duplicate_finder.store import Store
from image_duplicate_finder.web.pictures import PictureCache
from tests.review_scene import Scene, make_scene, put_file

LIMITS = DecodeLimits()
KEY = "0" * 64 + "_full_1"


@pytest.fixture
def scene(library: Library, tmp_path: Path) -> Scene:
    """Three groups over files below ``tmp_path / "photos"``."""
    return make_scene(library.folder, tmp_path / "photos")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def pixels(data: bytes) -> NDArray[np.int16]:
    return np.asarray(opened(data).convert("RGB"), np.int16)


def test_a_thumbnail_is_small_and_shows_the_picture(visitor: FlaskClient, scene: Scene) -> None:
    file = scene.files["a/original.png"]
    answer = visitor.get(f"/scans/{scene.scan}/images/{file}/thumbnail/160")
    assert answer.status_code == 200 and answer.mimetype == "image/jpeg"
    assert opened(answer.data).size == (160, 120)
    original = np.asarray(Image.open(scene.path("a/original.png")).resize((160, 120)), np.int16)
    assert np.abs(pixels(answer.data) - original).mean() < 8


def test_only_the_sizes_that_pages_use_exist(visitor: FlaskClient, scene: Scene) -> None:
    file = scene.files["a/original.png"]
    assert visitor.get(f"/scans/{scene.scan}/images/{file}/thumbnail/161").status_code == 404


@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnails_and_full_pictures_stand_upright(orientation: int, shared_data: Path) -> None:
    data = (shared_data / f"pairs/exif-orientation/landscape_{orientation}.jpg").read_bytes()
    upright = (shared_data / "pairs/exif-orientation/landscape_1.jpg").read_bytes()
    expected = pixels(render_thumbnail(upright, 160, LIMITS))
    found = pixels(render_thumbnail(data, 160, LIMITS))
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 12
    full = pixels(render_full(data, LIMITS).data)
    assert full.shape[1] > full.shape[0]


@pytest.mark.parametrize("ending", ["heic", "avif", "jxl"])
def test_formats_that_browsers_do_not_know_are_encoded_anew(ending: str, shared_data: Path) -> None:
    found = min(
        (shared_data / "formats").rglob(f"*.{ending}"), key=lambda path: path.stat().st_size
    )
    rendered = render_full(found.read_bytes(), LIMITS)
    assert rendered.mimetype in ("image/jpeg", "image/png")
    assert opened(rendered.data).format == rendered.mimetype.removeprefix("image/").upper()


def test_small_lossless_pictures_stay_exact_with_their_transparency(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 30, 4), np.uint8)
    picture[:20, :, 3] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    rendered = render_full((tmp_path / "a.png").read_bytes(), LIMITS)
    assert rendered.mimetype == "image/png"
    found = np.asarray(opened(rendered.data))
    assert np.array_equal(found[..., 3], picture[..., 3])
    assert np.array_equal(found[:20], picture[:20])


def test_a_picture_can_be_shown_and_nothing_else(visitor: FlaskClient, scene: Scene) -> None:
    for what in ("thumbnail/320", "full"):
        answer = visitor.get(f"/scans/{scene.scan}/images/{scene.files['b/small.jpg']}/{what}")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.mimetype in ("image/jpeg", "image/png")


def test_a_picture_may_be_kept_only_under_the_name_of_its_content(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    file = library.file(scene.scan, scene.files["b/small.jpg"])
    address = f"/scans/{scene.scan}/images/{file.id}/thumbnail/160"
    named = visitor.get(f"{address}?v={file.content.hex()[:12]}")
    assert "immutable" in named.headers["Cache-Control"]
    assert "no-cache" in visitor.get(f"{address}?v=0").headers["Cache-Control"]
    again = visitor.get(address, headers={"If-None-Match": named.headers["ETag"]})
    assert again.status_code == 304


def test_files_outside_the_scan_are_not_served(
    visitor: FlaskClient, scene: Scene, library: Library, tmp_path: Path
) -> None:
    other = make_scene(library.folder, tmp_path / "other")
    foreign = other.files["a/original.png"]
    assert visitor.get(f"/scans/{other.scan}/images/{foreign}/full").status_code == 200
    for file in (foreign, 999_999):
        for what in ("thumbnail/160", "full"):
            assert visitor.get(f"/scans/{scene.scan}/images/{file}/{what}").status_code == 404


@pytest.mark.parametrize("file", ["../../etc/passwd", "%2e%2e%2f1", "1/../2", "-1", "1.0"])
def test_what_is_no_number_names_no_file(visitor: FlaskClient, scene: Scene, file: str) -> None:
    assert visitor.get(f"/scans/{scene.scan}/images/{file}/full").status_code == 404


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links cannot be told apart here")
def test_a_path_that_was_swapped_for_a_link_gives_nothing(
    visitor: FlaskClient, scene: Scene, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (50, 50), (1, 2, 3)).save(secret)
    path = scene.path("b/small.jpg")
    path.unlink()
    path.symlink_to(secret)
    answer = visitor.get(f"/scans/{scene.scan}/images/{scene.files['b/small.jpg']}/full")
    assert answer.status_code == 404
    assert answer.mimetype == "image/svg+xml" and b"No picture" in answer.data


def test_a_parent_folder_that_was_swapped_for_a_link_gives_nothing(
    visitor: FlaskClient, scene: Scene, tmp_path: Path
) -> None:
    Image.new("RGB", (50, 50), (1, 2, 3)).save(tmp_path / "small.jpg")
    shutil.rmtree(scene.path("b"))
    scene.path("b").symlink_to(tmp_path)
    answer = visitor.get(f"/scans/{scene.scan}/images/{scene.files['b/small.jpg']}/full")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "hostile",
    [
        b"<!doctype html><script>alert(1)</script>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"\xff\xd8\xff\xe0<script>alert(1)</script>",
    ],
)
def test_a_file_that_became_something_else_is_not_handed_out(
    visitor: FlaskClient, scene: Scene, hostile: bytes
) -> None:
    scene.path("b/small.jpg").write_bytes(hostile)
    for what in ("full", "thumbnail/160"):
        answer = visitor.get(f"/scans/{scene.scan}/images/{scene.files['b/small.jpg']}/{what}")
        assert answer.status_code == 404
        assert b"script" not in answer.data and b"alert" not in answer.data


def test_bytes_hidden_in_a_picture_do_not_pass(
    visitor: FlaskClient, library: Library, tmp_path: Path
) -> None:
    path = tmp_path / "p" / "a.jpg"
    path.parent.mkdir()
    held = io.BytesIO()
    Image.new("RGB", (40, 40), (9, 99, 9)).save(held, "JPEG", comment=b"<script>alert(1)</script>")
    path.write_bytes(held.getvalue() + b"<script>alert(2)</script>")
    store = Store(library.folder)
    file = put_file(store, path)
    scan = store.scans.start([str(path.parent)], ScanSettings())
    store.scans.add_files(scan, [(file, True, False)])
    store.close()
    answer = visitor.get(f"/scans/{scan}/images/{file}/full")
    assert answer.status_code == 200 and b"script" not in answer.data


def test_a_thumbnail_is_made_once_and_outlives_its_file(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    address = f"/scans/{scene.scan}/images/{scene.files['b/small.jpg']}/thumbnail/160"
    first = visitor.get(address)
    held = list((library.folder / "thumbnails").glob("??/[0-9a-f]*"))
    assert len(held) == 1
    scene.path("b/small.jpg").unlink()
    assert visitor.get(address).data == first.data
    assert visitor.get(address.replace("160", "320")).status_code == 404


def test_the_cache_forgets_what_was_not_used_for_longest(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path / "cache", max_bytes=1000)
    keys = [f"{number:02x}{'0' * 62}_640_1.jpg" for number in range(11)]
    for number, key in enumerate(keys[:9]):
        cache.get(key, lambda: b"x" * 100)
        os.utime(tmp_path / "cache" / key[:2] / key, (number, number))
    assert cache.find(keys[0]) is not None  # reading it makes it the youngest
    cache.get(keys[9], lambda: b"x" * 100)
    cache.get(keys[10], lambda: b"x" * 100)
    assert cache.find(keys[0]) is not None
    assert cache.find(keys[1]) is None and cache.find(keys[2]) is None
    assert cache.find(keys[10]) is not None


def test_what_could_not_be_made_is_not_kept(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path / "cache", max_bytes=1000)

    def fail() -> bytes:
        raise ValueError

    with pytest.raises(ValueError):
        cache.get(KEY, fail)
    assert cache.get(KEY, lambda: b"now") == b"now"


def test_threads_that_want_the_same_picture_make_it_once(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path / "cache", max_bytes=1000)
    made: list[int] = []
    ready = threading.Barrier(8)

    def want() -> None:
        ready.wait()
        cache.get(KEY, lambda: made.append(1) or b"data")  # type: ignore[func-returns-value]

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_a_key_cannot_lead_out_of_the_cache(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path / "cache", max_bytes=1000)
    for key in ("../out", "a/../../b", "", "..", "A" * 10):
        with pytest.raises(ValueError):
            cache.get(key, lambda: b"x")


def test_a_cache_that_cannot_be_written_still_shows_pictures(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = PictureCache(tmp_path / "file", max_bytes=1000)
    assert cache.get(KEY, lambda: b"data") == b"data"


def test_thumbnails_keep_the_shape_of_long_pictures() -> None:
    picture = np.full((2000, 20, 3), 77, np.uint8)
    done, data = cv2.imencode(".png", picture)
    assert done
    assert opened(render_thumbnail(data.tobytes(), 160, LIMITS)).size == (2, 160)
