"""The review page: what it shows, what can be selected and changed, and what it must not do."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from image_duplicate_finder.library import Library
from image_duplicate_finder.model import GroupKind, Relation
from image_duplicate_finder.results import GroupQuery, GroupSort
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.store import Store
from image_duplicate_finder.web.jobs import Job, Kind
from image_duplicate_finder.web.listing import listing
from image_duplicate_finder.web.state import State
from tests.review_scene import MARKUP, Scene, make_scene

PART = {"HX-Request": "true"}


@pytest.fixture
def scene(library: Library, tmp_path: Path) -> Scene:
    """Three groups over files below ``tmp_path / "photos"``."""
    return make_scene(library.folder, tmp_path / "photos")


def first_group(library: Library, scene: Scene) -> int:
    page = library.groups(scene.scan, GroupQuery(text="original"))
    return page.groups[0].id


def shown(text: str) -> int:
    """How many groups a page shows."""
    return len(re.findall(r'<article class="group', text))


def selected(library: Library, scene: Scene) -> set[str]:
    names = {id: name for name, id in scene.files.items()}
    return {
        names[member.file.id]
        for group in library.all_groups(scene.scan)
        for member in group.members
        if member.selected
    }


# The address


def test_an_address_says_all_of_a_listing_and_nothing_more() -> None:
    text = "kind=similar&relation=resized&relation=cropped&q=a%26b&folder=/p&min=5&sort=date"
    pairs = [tuple(part.split("=")) for part in text.replace("%26", "!").split("&")]
    wanted = listing(MultiDict([*pairs, ("reverse", "1"), ("at", "101")]))
    assert wanted.query.kinds == (GroupKind.SIMILAR,)
    assert wanted.query.relations == (Relation.RESIZED, Relation.CROPPED)
    assert (wanted.query.sort, wanted.query.reverse) == (GroupSort.DATE, True)
    assert wanted.at == 101
    again = {
        name: value if isinstance(value, list) else str(value)
        for name, value in wanted.arguments().items()
    }
    assert listing(MultiDict(again)) == wanted
    assert listing(MultiDict()).arguments() == {}


@pytest.mark.parametrize(
    "text", ["at=0", "at=-1", "at=x", "at=1e9", "kind=none", "min=-5", "sort=?"]
)
def test_what_makes_no_sense_in_an_address_counts_as_absent(text: str) -> None:
    assert listing(MultiDict([tuple(text.split("="))])) == listing(MultiDict())


# What is shown


def test_the_page_shows_groups_with_keepers_reasons_and_members(
    visitor: FlaskClient, scene: Scene
) -> None:
    text = visitor.get(f"/scans/{scene.scan}/").text
    assert shown(text) == 3
    assert "original.png" in text and "largest picture" in text
    assert "half the size" in text and "cropped to 42%" in text
    assert "240&hairsp;×&hairsp;180" in text
    assert "2 files selected" in text and "A copy of each is kept." in text
    assert "never removed from here" in text


def test_file_names_are_text_and_never_markup(visitor: FlaskClient, scene: Scene) -> None:
    pages = [f"/scans/{scene.scan}/", f"/scans/{scene.scan}/?q=%3Cimg%20src%3Dx%20onerror"]
    for page in pages:
        text = visitor.get(page).text
        assert "<img src=x" not in text
        assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#34;q&#34; &#39;r&#39;.jpg" in text


def test_a_search_text_is_text_and_never_markup(visitor: FlaskClient, scene: Scene) -> None:
    text = visitor.get(f"/scans/{scene.scan}/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in text and "No groups match" in text


def test_htmx_gets_the_list_alone(visitor: FlaskClient, scene: Scene) -> None:
    text = visitor.get(f"/scans/{scene.scan}/", headers=PART).text
    assert "<html" not in text and shown(text) == 3


@pytest.mark.parametrize(
    ("filter", "count"),
    [
        ("kind=similar", 1),
        ("relation=cropped", 1),
        ("relation=cropped&relation=similar", 2),
        ("q=SHOT", 1),
        ("q=nothing", 0),
        ("selected=1", 1),
        ("min=100000000", 0),
    ],
)
def test_filters_find_what_they_say(
    visitor: FlaskClient, scene: Scene, filter: str, count: int
) -> None:
    text = visitor.get(f"/scans/{scene.scan}/?{filter}", headers=PART).text
    assert shown(text) == count


def test_a_folder_filter_takes_whole_names(visitor: FlaskClient, scene: Scene) -> None:
    address = f"/scans/{scene.scan}/?folder={scene.folder}"
    assert shown(visitor.get(f"{address}/d", headers=PART).text) == 1
    assert "No groups match" in visitor.get(f"{address}/saf", headers=PART).text


def test_a_place_behind_the_last_group_shows_the_first_ones(
    visitor: FlaskClient, scene: Scene
) -> None:
    assert shown(visitor.get(f"/scans/{scene.scan}/?at=99", headers=PART).text) == 3
    assert shown(visitor.get(f"/scans/{scene.scan}/?at=3", headers=PART).text) == 1


def test_all_groups_are_in_the_outline_and_come_as_cards(
    library: Library, visitor: FlaskClient, tmp_path: Path
) -> None:
    scene = make_scene(library.folder, tmp_path / "photos", more=40)
    first = visitor.get(f"/scans/{scene.scan}/", headers=PART).text
    assert shown(first) == 24
    for query in ("", "?sort=path", "?sort=pixels&reverse=1", "?q=large"):
        outline = visitor.get(f"/scans/{scene.scan}/outline{query}").get_json()
        wanted = listing(MultiDict(parse_qsl(query[1:]))).query
        groups = library.groups(scene.scan, replace(wanted, limit=100)).groups
        assert outline["groups"] == [group.id for group in groups]
        assert outline["files"] == [len(group.members) + 1 for group in groups]
    some = outline["groups"][5:9]
    cards = visitor.get(f"/scans/{scene.scan}/cards?ids={','.join(map(str, some))},999,x").text
    assert [int(each) for each in re.findall(r'data-group="(\d+)"', cards)] == some


def test_figures_beside_the_filters_are_those_of_the_other_filters(
    visitor: FlaskClient, scene: Scene
) -> None:
    def counts(query: str) -> dict[str, str]:
        found = visitor.get(f"/scans/{scene.scan}/figures{query}").get_json()["counts"]
        return {name: count for name, count in found.items() if count != "0"}

    assert counts("") == {
        "kind:duplicates": "2", "kind:similar": "1", "relation:byte_identical": "1",
        "relation:resized": "2", "relation:cropped": "1", "relation:similar": "1",
    }  # fmt: skip
    assert counts("?kind=similar") == {
        "kind:duplicates": "2", "kind:similar": "1", "relation:similar": "1",
    }  # fmt: skip
    for query in ("", "?kind=duplicates", "?q=original", "?relation=resized", "?selected=1"):
        for name, count in counts(query).items():
            kind, value = name.split(":")
            without = re.sub(rf"[?&]{kind}=\w+", "", query)
            only = f"{without}{'&' if without else '?'}{kind}={value}"
            assert len(
                visitor.get(f"/scans/{scene.scan}/outline{only}").get_json()["groups"]
            ) == int(count)


def test_the_files_of_a_large_group_come_in_parts(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group = first_group(library, scene)
    address = f"/scans/{scene.scan}/groups/{group}/tiles"
    every = re.findall(r'data-file="(\d+)"', visitor.get(f"{address}?first=0&count=99").text)
    view = library.group(group)
    assert every == [str(each.id) for each in (view.keeper, *(m.file for m in view.members))]
    parts = [
        re.findall(r'data-file="(\d+)"', visitor.get(f"{address}?first={at}&count=1").text)
        for at in range(len(every))
    ]
    assert parts == [[each] for each in every]


def test_the_view_is_remembered(visitor: FlaskClient, scene: Scene) -> None:
    address = f"/scans/{scene.scan}/look"
    visitor.post(address, data={"view": "list", "sizes": '{"list": 30, "grid": 400, "x": 1}'})
    text = visitor.get(f"/scans/{scene.scan}/").text
    assert 'data-start="list"' in text and unescape(text).count('{"list": 30, "grid": 100}') == 1
    visitor.post(address, data={"view": "?", "sizes": "["})
    assert 'data-start="grid"' in visitor.get(f"/scans/{scene.scan}/").text


# Selecting


def test_members_are_selected_and_unselected(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group = first_group(library, scene)
    crop, small = scene.files["b/crop.png"], scene.files["b/small.jpg"]
    members = f"{group}:{crop} {group}:{small}"
    address = f"/scans/{scene.scan}/select"
    answer = visitor.post(address, data={"members": members, "selected": "1"})
    assert "3 files selected" in answer.text
    answer = visitor.post(address, data={"members": f"{group}:{small}", "selected": "0"})
    assert "2 files selected" in answer.text
    assert selected(library, scene) == {f"b/{MARKUP}", "b/crop.png"}


def test_a_keeper_and_a_protected_file_cannot_be_selected(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    before = selected(library, scene)
    group = first_group(library, scene)
    guarded = library.groups(scene.scan, GroupQuery(text="third")).groups[0].id
    members = f"{group}:{scene.files['a/original.png']} {guarded}:{scene.files['safe/third.jpg']}"
    visitor.post(f"/scans/{scene.scan}/select", data={"members": members, "selected": "1"})
    assert selected(library, scene) == before


def test_members_of_another_scan_cannot_be_selected_through_this_one(
    visitor: FlaskClient, scene: Scene, library: Library, tmp_path: Path
) -> None:
    other = make_scene(library.folder, tmp_path / "other")
    group = first_group(library, other)
    members = f"{group}:{other.files['b/crop.png']}"
    answer = visitor.post(f"/scans/{scene.scan}/select", data={"members": members, "selected": "1"})
    assert answer.status_code == 404
    assert "b/crop.png" not in selected(library, other)


@pytest.mark.parametrize("members", ["1", "a:b", "1:2:3", "-1:2", "1:", "1:2;3:4"])
def test_members_that_are_no_numbers_are_refused(
    visitor: FlaskClient, scene: Scene, members: str
) -> None:
    answer = visitor.post(f"/scans/{scene.scan}/select", data={"members": members, "selected": "1"})
    assert answer.status_code == 400


def test_a_filter_selects_all_copies_it_shows_and_no_more(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    before = selected(library, scene)
    address = f"/scans/{scene.scan}/select-found"
    for how in ("all", "invert"):  # similar pictures are chosen one by one
        visitor.post(f"{address}?kind=similar", data={"how": how}, headers=PART)
        assert selected(library, scene) == before
    visitor.post(f"{address}?q=original", data={"how": "invert"}, headers=PART)
    assert selected(library, scene) == {"b/crop.png"}
    visitor.post(address, data={"how": "none"}, headers=PART)
    assert selected(library, scene) == set()
    assert visitor.post(address, data={"how": "?"}, headers=PART).status_code == 400


def test_a_group_is_selected_cleared_and_inverted(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group = first_group(library, scene)
    address = f"/scans/{scene.scan}/groups/{group}/select"
    visitor.post(address, data={"how": "invert"}, headers=PART)
    assert selected(library, scene) == {"b/crop.png"}
    visitor.post(address, data={"how": "all"}, headers=PART)
    assert selected(library, scene) == {"b/crop.png", "b/small.jpg", f"b/{MARKUP}"}
    answer = visitor.post(address, data={"how": "none"}, headers=PART)
    assert selected(library, scene) == set()
    assert "No files selected" in answer.text and f'id="group-{group}"' in answer.text


def test_a_stretch_of_the_list_is_selected(
    library: Library, visitor: FlaskClient, tmp_path: Path
) -> None:
    scene = make_scene(library.folder, tmp_path / "photos", more=40)
    groups = library.groups(scene.scan, GroupQuery(text="large", limit=100)).groups
    ends = [f"{groups[at].id}:{groups[at].members[0].file.id}" for at in (31, 4)]
    data = {"first": ends[0], "last": ends[1], "selected": "1"}
    answer = visitor.post(f"/scans/{scene.scan}/select-between?q=large", data=data)
    assert "28 files selected for removal" in answer.text
    assert library.selection(scene.scan).files == 30
    visitor.post(f"/scans/{scene.scan}/undo")
    assert library.selection(scene.scan).files == 2
    data["last"] = "999:1"
    visitor.post(f"/scans/{scene.scan}/select-between?q=large", data=data)
    assert library.selection(scene.scan).files == 2


# Changing groups


def test_another_file_is_kept(visitor: FlaskClient, scene: Scene, library: Library) -> None:
    group = first_group(library, scene)
    crop = scene.files["b/crop.png"]
    answer = visitor.post(
        f"/scans/{scene.scan}/groups/{group}/keeper", data={"file": crop}, headers=PART
    )
    changed = library.groups(scene.scan, GroupQuery(text="crop")).groups[0]
    assert changed.keeper.id == crop and "chosen by you" in answer.text
    assert {member.file.id for member in changed.members} == {
        scene.files[name] for name in ("a/original.png", "b/small.jpg", f"b/{MARKUP}")
    }
    assert selected(library, scene) == set()


def test_selected_files_become_a_group_of_their_own(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group = first_group(library, scene)
    visitor.post(f"/scans/{scene.scan}/groups/{group}/split", headers=PART)
    groups = library.all_groups(scene.scan, GroupQuery(folder=str(scene.folder / "b")))
    kept = {frozenset([each.keeper.path, *(m.file.path for m in each.members)]) for each in groups}
    place = scene.folder
    assert kept == {
        frozenset([str(place / "a/original.png"), str(place / "b/crop.png")]),
        frozenset([str(place / "b" / MARKUP), str(place / "b/small.jpg")]),
    }


def test_nothing_selected_is_nothing_to_split(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    visitor.post(f"/scans/{scene.scan}/select-found", data={"how": "none"}, headers=PART)
    group = first_group(library, scene)
    answer = visitor.post(f"/scans/{scene.scan}/groups/{group}/split", headers=PART)
    assert answer.status_code == 400 and "First select the files" in answer.text


def test_not_duplicates_is_remembered_for_the_selected_files_or_for_all(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group = first_group(library, scene)
    crop = scene.files["b/crop.png"]
    visitor.post(f"/scans/{scene.scan}/groups/{group}/select", data={"how": "invert"})
    visitor.post(f"/scans/{scene.scan}/groups/{group}/dismiss", headers=PART)
    assert [Path(pair.second_path or "").name for pair in library.dismissed()] in (
        ["crop.png"],
        ["original.png"],
        [MARKUP],
    )
    left = library.groups(scene.scan, GroupQuery(text="original")).groups[0]
    assert crop not in {member.file.id for member in left.members}
    answer = visitor.post(
        f"/scans/{scene.scan}/groups/{left.id}/dismiss", data={"all": "1"}, headers=PART
    )
    assert answer.status_code == 200 and "<article" not in answer.text
    assert library.groups(scene.scan, GroupQuery(text="original")).total == 0


def test_a_group_of_another_scan_cannot_be_changed_through_this_one(
    visitor: FlaskClient, scene: Scene, library: Library, tmp_path: Path
) -> None:
    other = make_scene(library.folder, tmp_path / "other")
    group = first_group(library, other)
    for what in ("keeper", "split", "dismiss", "select"):
        answer = visitor.post(
            f"/scans/{scene.scan}/groups/{group}/{what}",
            data={"file": other.files["b/crop.png"], "how": "none", "all": "1"},
        )
        assert answer.status_code == 404
    assert first_group(library, other) == group
    assert library.dismissed() == []


def test_the_best_shot_is_the_sharp_one(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group = library.groups(scene.scan, GroupQuery(kinds=(GroupKind.SIMILAR,))).groups[0]
    text = visitor.get(f"/scans/{scene.scan}/groups/{group.id}/best-shot").text
    assert "Best shot: shot 2.jpg" in text and "sharpest" in text


def test_changes_need_a_visitor_and_the_right_method(
    stranger: FlaskClient, visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group = first_group(library, scene)
    for what in ("select", "select-found", f"groups/{group}/dismiss", "thresholds", "bulk/apply"):
        address = f"/scans/{scene.scan}/{what}"
        assert stranger.post(address, data={"how": "all", "all": "1"}).status_code == 401
        assert visitor.get(address).status_code == 405
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        assert visitor.post(address, headers=elsewhere).status_code == 403
    assert stranger.get(f"/scans/{scene.scan}/").status_code == 401


# Bulk rules


def test_a_rule_is_previewed_and_then_carried_out(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    form = visitor.get(f"/scans/{scene.scan}/bulk/?q=original", headers=PART).text
    assert "Applies to the 1 group that the filter shows." in form
    data = {"rule": "smallest_file", "of": ["byte_identical", "resized", "cropped"]}
    before = selected(library, scene)
    shown = visitor.post(f"/scans/{scene.scan}/bulk/preview?q=original", data=data, headers=PART)
    assert "would be kept instead of original.png" in shown.text
    assert selected(library, scene) == before
    done = visitor.post(f"/scans/{scene.scan}/bulk/apply?q=original", data=data, headers=PART)
    assert "Applied to 1 group." in done.text and done.headers["HX-Trigger"] == "groups-changed"
    group = library.groups(scene.scan, GroupQuery(text="original")).groups[0]
    assert group.keeper.id == scene.files["b/small.jpg"]
    assert all(member.selected for member in group.members)
    assert "c/shot 2.jpg" not in selected(library, scene)


def test_a_rule_that_is_not_known_is_refused(visitor: FlaskClient, scene: Scene) -> None:
    for what in ("preview", "apply"):
        answer = visitor.post(f"/scans/{scene.scan}/bulk/{what}", data={"rule": "x"})
        assert answer.status_code == 400


# Taking back


def test_what_was_decided_is_said_and_taken_back(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    group, before = first_group(library, scene), selected(library, scene)
    kept = visitor.post(
        f"/scans/{scene.scan}/groups/{group}/keeper",
        data={"file": scene.files["b/crop.png"]},
        headers=PART,
    ).text
    assert "Now keeping crop.png" in kept and "2 files are no longer selected" in kept
    number = re.search(r'data-decision="(\d+)"', kept)
    assert number is not None
    undone = visitor.post(f"/scans/{scene.scan}/undo", data={"decision": number[1]}).text
    assert "Undone: Now keeping crop.png" in undone and f'data-groups="{group}"' in undone
    assert first_group(library, scene) == group and selected(library, scene) == before
    assert "Nothing to undo" in visitor.post(f"/scans/{scene.scan}/undo").text
    stale = visitor.post(f"/scans/{scene.scan}/undo", data={"decision": number[1]}, headers=PART)
    assert "Nothing to undo" in stale.text


# Languages


def test_the_page_speaks_german(visitor: FlaskClient, scene: Scene) -> None:
    german = {"Accept-Language": "de"}
    text = visitor.get(f"/scans/{scene.scan}/", headers=german).text
    assert 'lang="de"' in text
    assert "3 Gruppen" in text and "Duplikate" in text


# While the scan runs


def test_the_page_follows_a_running_scan_to_its_end(
    app: Flask, visitor: FlaskClient, scene: Scene
) -> None:
    state: State = app.extensions["image_duplicate_finder"]
    may_end = threading.Event()
    job = state.jobs.start(Job(Kind.SCAN, scan=scene.scan), lambda _: may_end.wait(60))
    page = visitor.get(f"/scans/{scene.scan}/").get_data(as_text=True)
    assert f"/work/{job.id}" in page
    asked = re.search(r'id="scan-notice" hx-get="([^"]+)"', page)
    assert asked is not None
    meanwhile = visitor.get(asked[1], headers=PART)
    assert "hx-trigger" in meanwhile.get_data(as_text=True)
    assert "HX-Trigger" not in meanwhile.headers

    may_end.set()
    state.jobs.close()
    ended = visitor.get(asked[1], headers=PART)
    assert ended.headers["HX-Trigger"] == "scan-ended"
    assert 'id="scan-notice" hx-get' not in ended.get_data(as_text=True)
    page = visitor.get(f"/scans/{scene.scan}/").get_data(as_text=True)
    assert "The scan is finished" in page and 'hx-trigger="every 3s' not in page


def test_a_group_that_is_gone_is_told_in_plain_words(visitor: FlaskClient, scene: Scene) -> None:
    answer = visitor.post(
        f"/scans/{scene.scan}/select", data={"members": "999:1", "selected": "1"}, headers=PART
    )
    assert answer.status_code == 404
    assert "no longer in this scan" in answer.get_data(as_text=True)


def test_failures_and_export_are_one_click_away(visitor: FlaskClient, scene: Scene) -> None:
    page = visitor.get(f"/scans/{scene.scan}/").get_data(as_text=True)
    assert f'href="/scans/{scene.scan}/export/"' in page
    assert f'href="/scans/{scene.scan}/failures/"' not in page
    store = Store(scene.folder.parent / "library")
    store.scans.update(scene.scan, files=9, decoded=8, failures=1)
    store.close()
    page = visitor.get(f"/scans/{scene.scan}/").get_data(as_text=True)
    assert f'href="/scans/{scene.scan}/failures/"' in page


# What does not match


def never_matched(library: Library, scene: Scene, *names: str) -> None:
    """Some files were verified against all others, and matched none."""
    store = library._store
    ids = {
        name: store.contents.ids_of([view.content])[view.content]
        for name, file in scene.files.items()
        for view in store.groups.files(scene.scan, [file])
    }
    verifier = verifier_name(ScanSettings().mode)
    for name in names:
        own = ids[name]
        others = set(ids.values()) - {own}
        store._database.connection.execute("DELETE FROM match WHERE ? IN (a, b)", (own,))
        store.matches.add_verified(verifier, ((min(own, o), max(own, o)) for o in others))


def test_the_page_tells_what_left_a_group(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    never_matched(library, scene, "b/crop.png")
    address = f"/scans/{scene.scan}/groups/{first_group(library, scene)}/keeper"
    answer = visitor.post(address, data={"file": scene.files["b/small.jpg"]}, headers=PART)
    assert answer.status_code == 200
    assert "1 file left the group" in answer.text and "crop.png" in answer.text
    (group,) = library.groups(scene.scan, GroupQuery(text="original")).groups
    assert {Path(member.file.path).name for member in group.members} == {"original.png", MARKUP}


@pytest.mark.parametrize("page", ["review", "compare"])
def test_a_keeper_that_nothing_matches_leaves_no_group(
    visitor: FlaskClient, scene: Scene, library: Library, page: str
) -> None:
    never_matched(library, scene, "b/small.jpg", "b/crop.png")
    group, file = first_group(library, scene), scene.files["b/crop.png"]
    if page == "review":
        address = f"/scans/{scene.scan}/groups/{group}/keeper"
        answer = visitor.post(address, data={"file": file}, headers=PART)
        assert "3 files left the group" in answer.text
    else:
        address = f"/scans/{scene.scan}/compare/{group}/{file}/keep"
        answer = visitor.post(address, headers=PART)
        assert answer.status_code == 204 and "compare" not in answer.headers["HX-Redirect"]
        assert "3 files left the group" in visitor.get(f"/scans/{scene.scan}/").text
    (left,) = library.groups(scene.scan, GroupQuery(text="original")).groups
    assert [Path(member.file.path).name for member in left.members] == [MARKUP]


def test_look_alikes_are_not_selected_all_at_once(
    visitor: FlaskClient, scene: Scene, library: Library
) -> None:
    before = selected(library, scene)
    group = library.groups(scene.scan, GroupQuery(kinds=(GroupKind.SIMILAR,))).groups[0].id
    for how in ("all", "invert"):
        address = f"/scans/{scene.scan}/groups/{group}/select"
        answer = visitor.post(address, data={"how": how}, headers=PART)
        assert answer.status_code == 400
        assert selected(library, scene) == before
