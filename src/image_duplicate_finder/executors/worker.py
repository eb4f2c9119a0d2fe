"""The worker process: takes files over standard input, answers over standard output."""

from __future__ import annotations

import gc
import pickle
from typing import BinaryIO

from image_duplicate_finder.errors import IdfError
from image_duplicate_finder.executors import child
from image_duplicate_finder.executors.messages import LookTask
from image_duplicate_finder.settings import DecodeLimits


def _limit_memory(limits: DecodeLimits) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit for a process from inside.
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = limits.memory if hard == resource.RLIM_INFINITY else min(limits.memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Say READY, then answer each request (a list of tasks) with one message per task.

    What cannot be done at all, as with a model that does not fit, is said in place of READY.
    """
    specs, limits = pickle.load(requests)
    import cv2

    cv2.setNumThreads(1)
    from image_duplicate_finder.decode import hear_complaints
    from image_duplicate_finder.executors.task import run_look, run_task
    from image_duplicate_finder.fingerprint.compute import warm_up

    # The first start on a machine compiles loops, which takes seconds: no file is to blame.
    try:
        warm_up(specs)
    except IdfError as error:
        pickle.dump(error, answers)
        answers.flush()
        return
    hear_complaints()
    _limit_memory(limits)
    # Values made until here live as long as the process; later collections skip them.
    gc.freeze()
    pickle.dump(child.READY, answers)
    answers.flush()
    while True:
        try:
            tasks = pickle.load(requests)
        except EOFError:
            return
        for task in tasks:
            look = isinstance(task, LookTask)
            answer = run_look(task, limits) if look else run_task(task, specs, limits)
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


if __name__ == "__main__":
    child.run(serve)
