"""Executables, the store of variables, Session."""
