"""Measure what the server needs for the review page of a very large scan.

    python -m benchmarks.large_library FOLDER --groups 50000
    python -m benchmarks.review_page FOLDER

Each request is made three times; the shortest time on the clock and on the processor is shown.
The requests change the selection and nothing else.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from werkzeug.test import TestResponse

from image_duplicate_finder.library import Library
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.web import Access, create_app

_TIMES = 3
_PART = {"Host": "localhost", "HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
_RULE = {"rule": "oldest", "of": ["byte_identical", "resized", "reencoded"]}


def measure(folder: Path) -> None:
    """Print one line for each request."""
    with Library.open(folder) as library:
        access = Access(port=80)
        client = create_app(library, access).test_client()
        client.get(f"/enter/{access.token}", headers={"Host": "localhost"})
        scan = library.latest_scan().id
        page = f"/scans/{scan}/"
        group = library.groups(scan, GroupQuery(offset=40_000, limit=1)).groups[0]
        other = f"{page}compare/{group.id}/{group.members[0].file.id}/"
        member = f"{group.id}:{group.members[0].file.id}"

        def get(address: str) -> Callable[[], TestResponse]:
            return lambda: client.get(address, headers=_PART)

        def post(address: str, data: dict[str, object]) -> Callable[[], TestResponse]:
            return lambda: client.post(address, data=data, headers=_PART)

        _time("first page, whole", lambda: client.get(page, headers={"Host": "localhost"}))
        _time("to group 40,000", get(f"{page}?at=40000"))
        for query in ("q=birthday", "kind=similar", "relation=cropped&sort=similarity"):
            _time(f"filter {query}", get(f"{page}?{query}"))
        for query in ("folder=/photos/2004", "min=10000000&sort=date", "sort=path&at=40000"):
            _time(f"filter {query}", get(f"{page}?{query}"))
        for how in ("all", "none", "invert"):
            _time(f"select {how} in all groups", post(f"{page}select-found", {"how": how}))
        _time("select all in a filter", post(f"{page}select-found?q=birthday", {"how": "all"}))
        _time("select one file", post(f"{page}select", {"members": member, "selected": "1"}))
        _time("compare page", get(other))
        _time("preview of a bulk rule", post(f"{page}bulk/preview", dict(_RULE)))


def _time(name: str, request: Callable[[], TestResponse]) -> None:
    clock, processor = [], []
    for _ in range(_TIMES):
        started, used = time.perf_counter(), time.process_time()
        answer = request()
        clock.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
        if answer.status_code != 200:
            raise SystemExit(f"{name}: status {answer.status_code}")
    print(f"{name:45} {min(clock):7.3f} s {min(processor):7.3f} s of processor")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    measure(parser.parse_args().folder)


if __name__ == "__main__":
    main()
