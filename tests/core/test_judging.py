"""What groups are formed of is read once, and read again only where a look has added to it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from image_duplicate_finder import Library, Mode, ScanSettings
from image_duplicate_finder.model import Lack
from image_duplicate_finder.scan import ScanContext
from image_duplicate_finder.scan.verification import Judge, judged
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify import LOOK_VERSION
from tests.conftest import Painter


def test_a_judge_reads_again_only_what_looks_have_added(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in (1, 2):
        photo = Image.fromarray(painted(seed))
        for width in (480, 360, 240):
            photo.resize((width, width * 3 // 4)).save(folder / f"{seed}-{width}.png")
    settings = ScanSettings(mode=Mode.QUICK, jobs=1)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], settings).id

    store = Store(library_dir)
    context = ScanContext(store, scan, settings)
    ids = [content.id for content in store.scans.contents(scan)]
    matches = store.matches.among(context.verifier, set(ids))
    looks = store.looks.known(LOOK_VERSION, ids)
    assert len(matches) >= 4
    assert len(looks) >= 4
    with store.atomic() as connection:
        connection.execute("DELETE FROM look")

    judge = Judge(store, scan)
    blind = judge.judge(matches)
    assert not blind.looks
    assert all(not facts.standing.holds for each in blind.contents for facts in each.files)
    store.looks.put(LOOK_VERSION, looks)
    assert judge.judge(matches) == blind

    judge.read_again(ids)
    seeing = judge.judge(matches)
    assert seeing == judged(context, matches)
    assert seeing.looks == looks
    assert seeing.contents != blind.contents
    store.close()


def test_unlike_edits_are_not_looked_at_beside_each_other(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = painted(3)
    Image.fromarray(photo).save(folder / "photo.png")
    edits = {
        "grey": Image.fromarray(photo).convert("L"),
        "lighter": Image.fromarray((photo * 0.8 + 51).astype("uint8")),
        "darker": Image.fromarray((photo * 0.7).astype("uint8")),
    }
    for name, edit in edits.items():
        edit.save(folder / f"{name}.jpg", quality=92)
        edit.save(folder / f"{name} again.jpg", quality=60)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], ScanSettings(mode=Mode.QUICK, jobs=1))
        (group,) = library.groups(scan.id).groups
        names = {member.file.id: Path(member.file.path).name for member in group.members}
        assert Path(group.keeper.path).name == "photo.png"
        for member in group.members:
            name = names[member.file.id]
            assert Lack.UNMEASURED not in member.lacks, name
            assert member.selected == ("again" in name), name
            if "again" in name:
                assert member.witness is not None
                assert names[member.witness] == name.replace(" again", "")

    store = Store(library_dir)
    ids = [content.id for content in store.scans.contents(scan.id)]
    # Of 21 pairs, those of a grey picture and one of other tones are not looked at.
    assert len(store.looks.known(LOOK_VERSION, ids)) <= 13
    store.close()
