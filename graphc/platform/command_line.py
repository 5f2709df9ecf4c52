"""`tf.flags` and `tf.app`: absl's, with TF1's habit of parsing the command line when a flag is first read."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags

from ir.build import export

#: TF1's names of the first arguments of DEFINE_...
_OLD_NAMES = {"flag_name": "name", "default_value": "default", "docstring": "help"}


class Flags:
    """The values of the flags, as attributes: absl's FLAGS, which is parsed from the command line when it was not yet.

    Unknown arguments are left alone, so that a notebook's or a test runner's do no harm.
    """

    def _values(self) -> Any:
        values = flags.FLAGS
        if not values.is_parsed():
            values(sys.argv, known_only=True)
        return values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = getattr(flags.FLAGS, name, None) if hasattr(type(flags.FLAGS), name) else None
        return known if known is not None else getattr(self._values(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(flags.FLAGS, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(flags.FLAGS, name)

    def __getitem__(self, name: str) -> Any:
        return flags.FLAGS[name]

    def __contains__(self, name: str) -> bool:
        return name in flags.FLAGS

    def __iter__(self) -> Any:
        return iter(flags.FLAGS)

    def __len__(self) -> int:
        return len(flags.FLAGS)

    def __dir__(self) -> list[str]:
        return dir(flags.FLAGS)

    def __call__(self, argv: Sequence[str], known_only: bool = False) -> list[str]:
        """Parses `argv`; returns what is no flag."""
        return flags.FLAGS(argv, known_only=known_only)


FLAGS = Flags()


def _renamed(define: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(define)
    def call(*args: Any, **kwargs: Any) -> Any:
        return define(*args, **{_OLD_NAMES.get(k, k): v for k, v in kwargs.items()})

    return call


DEFINE_string = _renamed(flags.DEFINE_string)
DEFINE_integer = _renamed(flags.DEFINE_integer)
DEFINE_float = _renamed(flags.DEFINE_float)
DEFINE_bool = _renamed(flags.DEFINE_bool)
DEFINE_boolean = _renamed(flags.DEFINE_boolean)
DEFINE_enum = _renamed(flags.DEFINE_enum)
DEFINE_list = _renamed(flags.DEFINE_list)
DEFINE_multi_string = _renamed(flags.DEFINE_multi_string)
DEFINE_multi_integer = _renamed(flags.DEFINE_multi_integer)
DEFINE_multi_float = _renamed(flags.DEFINE_multi_float)
DEFINE_spaceseplist = _renamed(flags.DEFINE_spaceseplist)
mark_flag_as_required = flags.mark_flag_as_required
mark_flags_as_required = flags.mark_flags_as_required
register_validator = flags.register_validator
validator = flags.validator
Error = flags.Error

__exports__ = {
    "flags.FLAGS": "FLAGS",
    "flags.DEFINE_string": "DEFINE_string",
    "flags.DEFINE_integer": "DEFINE_integer",
    "flags.DEFINE_float": "DEFINE_float",
    "flags.DEFINE_bool": "DEFINE_bool",
    "flags.DEFINE_boolean": "DEFINE_boolean",
    "flags.DEFINE_enum": "DEFINE_enum",
    "flags.DEFINE_list": "DEFINE_list",
    "flags.DEFINE_multi_string": "DEFINE_multi_string",
    "flags.DEFINE_multi_integer": "DEFINE_multi_integer",
    "flags.DEFINE_multi_float": "DEFINE_multi_float",
    "flags.DEFINE_spaceseplist": "DEFINE_spaceseplist",
    "flags.mark_flag_as_required": "mark_flag_as_required",
    "flags.mark_flags_as_required": "mark_flags_as_required",
    "flags.register_validator": "register_validator",
    "flags.validator": "validator",
    "flags.Error": "Error",
}


def _parse(argv: Sequence[str]) -> list[str]:
    return flags.FLAGS(list(argv), known_only=True)


@export("app.run")
def run(main: Callable[[list[str]], Any] | None = None, argv: Sequence[str] | None = None) -> None:
    """Parses the flags, calls `main` with what is left of the command line, and exits with what it returns.

    Args:
      main: the function to call, by default `main` of the program that was started.
      argv: the command line, by default `sys.argv`.
    """
    app.run(main or sys.modules["__main__"].main, argv=list(argv) if argv is not None else None, flags_parser=_parse)
