"""Regular expressions on strings, in the syntax of RE2."""

from typing import Any

import numpy as np

from ir.build import export, grad, op
from ir.infer import Infer, same, with_rank
from ir.opdef import String
from ir.ops import regex
from ir.ops.strings import each, encoded, invalid, string_of
from ir.shapes import Dims
from ir.tensor import Tensor


def _checked(pattern: bytes) -> None:
    try:
        regex.compiled(pattern)
    except regex.RegexError as e:
        raise invalid(f"Invalid pattern: {pattern.decode(errors='replace')}, error: {e}") from None


def _replace(input: Any, pattern: bytes, rewrite: bytes, everywhere: bool) -> Any:
    _checked(pattern)
    return each(lambda x: regex.replaced(pattern, rewrite, x, everywhere), input)


def _match(input: Any, pattern: bytes) -> Any:
    _checked(pattern)
    return each(lambda x: regex.full_match(pattern, x), input, np.bool_)


def _with_scalars(c: Infer) -> Dims:
    for i in range(1, len(c.tensors)):
        with_rank(c.dims(i), 0, c.input_name(i))
    return c.dims(0)


@op("RegexReplace", _with_scalars, out="output: string", host=True)
def _regex_replace(input: String, pattern: String, rewrite: String, replace_global: bool = True, name: str | None = None) -> Tensor:
    """Strings with the matches of a pattern replaced."""
    return _replace(input, string_of(pattern), string_of(rewrite), replace_global)


@op("StaticRegexReplace", same, out="output: string", host=True)
def _static_regex_replace(input: String, pattern: str, rewrite: str, replace_global: bool = True, name: str | None = None) -> Tensor:
    """Strings with the matches of a pattern that is known replaced."""
    return _replace(input, encoded(pattern), encoded(rewrite), replace_global)


@export("regex_replace strings.regex_replace")
def regex_replace(input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None) -> Tensor:
    r"""Returns each string with the matches of a pattern replaced.

    Args:
      input: strings.
      pattern: a regular expression in the syntax of RE2, a Python string or a scalar tensor.
      rewrite: what to write instead; \1 to \9 stand for the groups, \0 for the whole match.
      replace_global: replace all matches, else only the first.
      name: a name for the operation.

    Raises InvalidArgumentError in the run for a pattern that is not well-formed.

    >>> regex_replace(["a1b22"], "[0-9]+", "#").shape.as_list()
    [1]
    """
    if isinstance(pattern, (str, bytes)) and isinstance(rewrite, (str, bytes)):
        return _static_regex_replace(input, pattern, rewrite, replace_global, name=name)  # pyright: ignore[reportArgumentType]
    return _regex_replace(input, pattern, rewrite, replace_global, name=name)


@op("RegexFullMatch", _with_scalars, out="output: bool", host=True)
def _regex_full_match(input: String, pattern: String, name: str | None = None) -> Tensor:
    """Whether each string matches a pattern as a whole."""
    return _match(input, string_of(pattern))


@op("StaticRegexFullMatch", same, out="output: bool", host=True)
def _static_regex_full_match(input: String, pattern: str, name: str | None = None) -> Tensor:
    """Whether each string matches a pattern that is known as a whole."""
    return _match(input, encoded(pattern))


@export("strings.regex_full_match")
def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Tensor:
    """Returns whether each string, as a whole, matches a pattern.

    Args:
      input: strings.
      pattern: a regular expression in the syntax of RE2, a Python string or a scalar tensor.
      name: a name for the operation.

    Raises InvalidArgumentError in the run for a pattern that is not well-formed.
    """
    if isinstance(pattern, (str, bytes)):
        return _static_regex_full_match(input, pattern, name=name)  # pyright: ignore[reportArgumentType]
    return _regex_full_match(input, pattern, name=name)


grad.none("RegexReplace StaticRegexReplace RegexFullMatch StaticRegexFullMatch", "strings are not differentiable")
