"""Versions: of graphc, and of the TensorFlow whose API it speaks."""

from ir import graph

#: the version of graphc
GRAPHC_VERSION = "0.1.0"
#: `tf.__version__`: programs choose their code by it
VERSION = "1.15.5"
GIT_VERSION = f"graphc-{GRAPHC_VERSION}"
COMPILER_VERSION = "XLA"
GRAPH_DEF_VERSION = graph.GRAPH_DEF_VERSION
GRAPH_DEF_VERSION_MIN_PRODUCER = 0
GRAPH_DEF_VERSION_MIN_CONSUMER = 0

__exports__ = {
    "VERSION version.VERSION __version__": "VERSION",
    "GIT_VERSION version.GIT_VERSION __git_version__": "GIT_VERSION",
    "COMPILER_VERSION version.COMPILER_VERSION __compiler_version__": "COMPILER_VERSION",
    "GRAPH_DEF_VERSION version.GRAPH_DEF_VERSION": "GRAPH_DEF_VERSION",
    "GRAPH_DEF_VERSION_MIN_PRODUCER version.GRAPH_DEF_VERSION_MIN_PRODUCER": "GRAPH_DEF_VERSION_MIN_PRODUCER",
    "GRAPH_DEF_VERSION_MIN_CONSUMER version.GRAPH_DEF_VERSION_MIN_CONSUMER": "GRAPH_DEF_VERSION_MIN_CONSUMER",
    "__graphc_version__": "GRAPHC_VERSION",
}
