"""Server-sent events: a page hears of each change as it happens.

Every open stream holds a thread of the server, so streams are few and short: beyond
``MOST_STREAMS`` a page is told to ask again and again instead, and a stream ends after a while,
whereupon the browser opens the next by itself.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

from flask import Response

from image_duplicate_finder.web.jobs import Job, Snapshot

MOST_STREAMS = 8
_STREAM_SECONDS = 120.0
_HEARTBEAT_SECONDS = 2.0
_LEAST_PAUSE_SECONDS = 0.25
"""Progress comes hundreds of times a second; nobody reads faster than this."""

_slots = threading.BoundedSemaphore(MOST_STREAMS)


def stream(job: Job, show: Callable[[Snapshot], dict[str, object]]) -> Response:
    """Answer with what ``show`` says of the job, now and whenever it changes.

    Status 503 when there are too many streams: the page then asks on its own.
    """
    if not _slots.acquire(blocking=False):
        return Response(status=503)
    answer = Response(_events(job, show), mimetype="text/event-stream")
    answer.call_on_close(_slots.release)
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _events(job: Job, show: Callable[[Snapshot], dict[str, object]]) -> Iterator[str]:
    yield "retry: 1000\n\n"
    end = time.monotonic() + _STREAM_SECONDS
    now = job.snapshot()
    while True:
        yield f"data: {json.dumps(show(now))}\n\n"
        if now.state.ended or time.monotonic() > end:
            return
        time.sleep(_LEAST_PAUSE_SECONDS)
        # Waking up now and then also finds out that the browser has gone.
        now = job.wait(now.version, _HEARTBEAT_SECONDS)
