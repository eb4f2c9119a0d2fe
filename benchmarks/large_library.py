"""Fill a library with generated records: as many groups as a very large collection gives.

    python -m benchmarks.large_library FOLDER [--groups 50000] [--photos DIR]

What the review page does then can be measured without a scan of 200,000 files. Files of
``--photos`` take part under their own names, so that a part of the groups has real pictures;
the other files exist only in the library.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from image_duplicate_finder.decode import read_info
from image_duplicate_finder.messages import Description, KeepReason
from image_duplicate_finder.model import (
    FileStat,
    Group,
    GroupKind,
    ImageInfo,
    Member,
    Metadata,
    Relation,
)
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.settings import DecodeLimits, ScanSettings
from image_duplicate_finder.store import Store
from tests.stored import put_content, put_file

FILES_PER_GROUP = 4
_RELATIONS = (
    (GroupKind.DUPLICATES, Relation.BYTE_IDENTICAL, Description.IDENTICAL_FILE()),
    (GroupKind.DUPLICATES, Relation.RESIZED, Description.HALF()),
    (GroupKind.DUPLICATES, Relation.REENCODED, Description.SAVED_AGAIN()),
    (GroupKind.DUPLICATES, Relation.CROPPED, Description.CROPPED(share=0.62)),
    (GroupKind.SIMILAR, Relation.SIMILAR, Description.ANOTHER_SHOT()),
)
_FOLDERS = ("Holiday", "Birthday", "Garden", "Export", "From phone", "Scans", "Shared")


def fill(folder: Path, groups: int, photos: Path | None = None, seed: int = 1) -> int:
    """Store one finished scan with ``groups`` groups of four files; returns its number."""
    rng = random.Random(seed)
    store = Store(folder)
    real = _real_files(photos) if photos is not None else iter(())
    with store.atomic():
        scan = store.scans.start(["/photos"], ScanSettings())
        made = []
        for index in range(groups):
            kind, relation, words = _RELATIONS[rng.randrange(len(_RELATIONS))]
            files = []
            for place in range(FILES_PER_GROUP):
                path, stat, content, info = next(real, None) or invented_file(rng, index, place)
                files.append(
                    put_file(store, path, stat, put_content(store, content, stat.size, info))
                )
            chosen = kind is GroupKind.DUPLICATES and relation is not Relation.CROPPED
            members = tuple(
                Member(file, relation, (words,), score=rng.uniform(0.9, 1.0), selected=chosen)
                for file in files[1:]
            )
            made.append(Group(kind, files[0], (KeepReason.PIXELS(),), members))
            store.scans.add_files(scan, [(file, True, False) for file in files])
        store.groups.replace(scan, made)
        store.scans.update(scan, files=groups * FILES_PER_GROUP, decoded=0, failures=0)
        store.scans.finish(scan, ScanState.DONE)
    store.close()
    return scan


def invented_file(
    rng: random.Random, index: int, place: int
) -> tuple[str, FileStat, bytes, ImageInfo]:
    """Path, stat, content hash and facts of a photo that exists nowhere."""
    folder = _FOLDERS[rng.randrange(len(_FOLDERS))]
    year = rng.randrange(2003, 2026)
    path = f"/photos/{year}/{folder}/IMG_{index:06d}_{place}.jpg"
    width, height = ((4032, 3024), (2016, 1512), (1600, 1200))[rng.randrange(3)]
    when = rng.randrange(1_050_000_000, 1_760_000_000) * 10**9
    stat = FileStat(rng.randrange(200_000, 8_000_000), when, when, 1, index * 10 + place + 1)
    metadata = Metadata(
        taken=f"{year}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}T12:00:00",
        camera=("Canon EOS R6", "Pixel 8", "iPhone 15")[rng.randrange(3)],
        has_exif=True,
        jpeg_quality=rng.randrange(70, 98),
    )
    info = ImageInfo("JPEG", width, height, metadata=metadata)
    return path, stat, hashlib.sha256(path.encode()).digest(), info


def _real_files(photos: Path) -> Iterator[tuple[str, FileStat, bytes, ImageInfo]]:
    for path in sorted(photos.rglob("*.*")):
        found = path.stat()
        data = path.read_bytes()
        stat = FileStat(
            found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino
        )
        info = read_info(data, limits=DecodeLimits())
        yield str(path), stat, blake3(data).digest(), info


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--groups", type=int, default=50_000)
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    print("scan", fill(options.folder, options.groups, options.photos))


if __name__ == "__main__":
    main()
