"""What the runtime tells: compilations counted, slow ones and too many shapes reported through `logging`."""

import logging
import threading
from dataclasses import dataclass

from ir.build import export

logger = logging.getLogger("graphc")
SLOW_SECONDS = 5.0


@dataclass(slots=True)
class Counters:
    """Counts since the process started, to assert on in tests."""

    compilations: int = 0
    compile_seconds: float = 0.0
    interpreted: int = 0


counters = Counters()


@export("runtime_counters")
def runtime_counters() -> Counters:
    """Returns the counters of this process: compilations, seconds spent compiling, programs interpreted.

    >>> runtime_counters().compilations >= 0
    True
    """
    return counters


_lock = threading.Lock()


def compiled(name: str, seconds: float) -> None:
    """Counts a compilation; one line when it took long."""
    with _lock:
        counters.compilations += 1
        counters.compile_seconds += seconds
    if seconds > SLOW_SECONDS:
        logger.warning("compiling %s took %.1f s", name, seconds)


def many_shapes(name: str, shapes: object, count: int) -> None:
    """Warns that a program has been compiled for another shape again."""
    ordinal = f"{count}{'th' if 10 <= count % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th')}"
    logger.warning("%s is being compiled for its %s set of feed shapes, %s; pad or bucket the batches to avoid compiling for each", name, ordinal, shapes)


def graph_grows(operations: int, latest: object) -> None:
    """Warns that operations are added to a graph between runs."""
    where = getattr(latest, "location_line", lambda: "")()
    logger.warning(
        "operations are added to the graph between runs (%d now, the last one at %s): each run then prepares a new program; build the graph before the loop",
        operations, where or "an unknown line",
    )  # fmt: skip
