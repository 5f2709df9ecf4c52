"""Seeds of random ops: `tf.set_random_seed` and the rule that makes an op's two seeds from the graph's and its own."""

from ir.build import export
from ir.convert import get_default_graph
from ir.graph import DEFAULT_GRAPH_SEED, Graph

_LARGEST = 2**31 - 1


def _made(graph: Graph | None) -> int:
    """How many operations a graph has, and those around it when it is a branch or body: so that no two of them share a stream."""
    return 0 if graph is None else graph.version + _made(getattr(graph, "outer", None))


@export("get_seed random.get_seed")
def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """Returns the two seeds of a random op about to be made in the default graph.

    With a graph seed and no `op_seed`, the second is the number of operations made so far, as in TensorFlow 1; with neither
    both are None and every Session draws another stream.
    """
    graph = get_default_graph()
    if graph.seed is None and op_seed is None:
        return None, None
    first = DEFAULT_GRAPH_SEED if graph.seed is None else graph.seed % _LARGEST
    second = (_made(graph) if op_seed is None else op_seed) % _LARGEST
    return (0, _LARGEST) if (first, second) == (0, 0) else (first, second)


@export("set_random_seed random.set_random_seed")
def set_random_seed(seed: int | None) -> None:
    """Sets the seed of the default graph: random ops made from now on repeat their stream in every Session.

    >>> from ir.graph import Graph
    >>> with Graph().as_default():
    ...     set_random_seed(7)
    ...     get_seed(1)
    (7, 1)
    """
    get_default_graph().seed = seed
