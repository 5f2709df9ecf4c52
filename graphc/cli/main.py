"""The command `graphc`: every module of COMMANDS adds a subcommand."""

import argparse
from collections.abc import Sequence

from graphc.cli import ckpt

COMMANDS = (ckpt,)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `graphc` with the arguments; returns the exit status."""
    parser = argparse.ArgumentParser(prog="graphc", description="a static-graph compiler in TensorFlow-1 style")
    commands = parser.add_subparsers(dest="command", required=True)
    for module in COMMANDS:
        module.add_parser(commands)
    args = parser.parse_args(argv)
    return args.run(args)


if __name__ == "__main__":
    raise SystemExit(main())
