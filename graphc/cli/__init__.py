"""The command `graphc`."""
