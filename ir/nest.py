"""Nests of lists, tuples, namedtuples and dicts, flattened and put back: `tf.nest`.

Dicts are walked in the order of their sorted keys. Strings and arrays are leaves.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ir.build import export


@export("nest.is_nested contrib.framework.nest.is_sequence")
def is_nested(seq: Any) -> bool:
    """Whether `seq` is a list, tuple, namedtuple, dict or attrs object rather than a leaf."""
    return isinstance(seq, (list, tuple, Mapping)) or hasattr(type(seq), "__attrs_attrs__")


def _children(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        return [structure[k] for k in _sorted_keys(structure)]
    if hasattr(type(structure), "__attrs_attrs__"):
        return [getattr(structure, a.name) for a in type(structure).__attrs_attrs__]
    return list(structure)


def _sorted_keys(mapping: Any) -> list[Any]:
    try:
        return sorted(mapping)
    except TypeError:
        raise TypeError("nest only supports dicts with sortable keys.") from None


def _like(structure: Any, children: list[Any]) -> Any:
    """A structure of the kind of `structure` with other children."""
    kind: Any = type(structure)
    if isinstance(structure, Mapping):
        new = dict(zip(_sorted_keys(structure), children, strict=True))
        ordered = [(k, new[k]) for k in structure]
        factory = getattr(structure, "default_factory", None)
        if factory is not None:
            return kind(factory, ordered)
        return kind(ordered)
    if hasattr(structure, "_fields") or hasattr(kind, "__attrs_attrs__"):
        return kind(*children)
    return kind(children)


@export("nest.flatten contrib.framework.nest.flatten")
def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """Returns the leaves of a nest in order; a leaf gives a list of itself.

    >>> flatten({"b": [2, 3], "a": 1})
    [1, 2, 3]
    """
    if not is_nested(structure):
        return [structure]
    out: list[Any] = []
    for child in _children(structure):
        out.extend(flatten(child)) if is_nested(child) else out.append(child)
    return out


@export("nest.pack_sequence_as contrib.framework.nest.pack_sequence_as")
def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """Returns the leaves `flat_sequence` in a nest like `structure`.

    Raises ValueError when their number differs.

    >>> pack_sequence_as((0, [0, 0]), [1, 2, 3])
    (1, [2, 3])
    """
    flat = list(flat_sequence)
    if not is_nested(structure):
        if len(flat) != 1:
            raise ValueError(f"Structure is a scalar but len(flat_sequence) == {len(flat)} > 1")
        return flat[0]
    count = len(flatten(structure))
    if count != len(flat):
        raise ValueError(f"Could not pack sequence. Structure had {count} elements, but flat_sequence had {len(flat)} elements. Structure: {structure!r}")
    return _packed(structure, iter(flat))


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    if not is_nested(structure):
        return next(leaves)
    return _like(structure, [_packed(c, leaves) for c in _children(structure)])


@export("nest.assert_same_structure contrib.framework.nest.assert_same_structure")
def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raises ValueError unless both nests have one structure, TypeError when `check_types` and the kinds of sequence differ."""
    if is_nested(nest1) != is_nested(nest2):
        raise ValueError(f"The two structures don't have the same nested structure. First structure: {nest1!r}. Second structure: {nest2!r}")
    if not is_nested(nest1):
        return
    if check_types and type(nest1) is not type(nest2) and not (isinstance(nest1, Mapping) and isinstance(nest2, Mapping)):
        kinds = f"First structure has type {type(nest1)}, while second structure has type {type(nest2)}."
        raise TypeError(f"The two structures don't have the same sequence type. {kinds}")
    if isinstance(nest1, Mapping) and set(nest1) != set(nest2):
        raise ValueError(f"The two dictionaries don't have the same set of keys. First: {list(nest1)}, second: {list(nest2)}")
    a, b = _children(nest1), _children(nest2)
    if len(a) != len(b):
        both = f"First structure ({len(a)}): {nest1!r}. Second structure ({len(b)}): {nest2!r}"
        raise ValueError(f"The two structures don't have the same number of elements. {both}")
    for x, y in zip(a, b, strict=True):
        assert_same_structure(x, y, check_types)


@export("nest.map_structure contrib.framework.nest.map_structure")
def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """Returns a nest like the first `structure` whose leaves are `func` of the leaves of all.

    >>> map_structure(lambda x, y: x + y, [1, (2,)], [10, (20,)])
    [11, (22,)]
    """
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    check_types = kwargs.pop("check_types", True)
    kwargs.pop("expand_composites", None)
    if kwargs:
        raise ValueError(f"Only valid keyword arguments are `check_types` and `expand_composites`, not: `{', '.join(kwargs)}`")
    for other in structure[1:]:
        assert_same_structure(structure[0], other, check_types)
    return pack_sequence_as(structure[0], [func(*leaves) for leaves in zip(*map(flatten, structure), strict=True)])
