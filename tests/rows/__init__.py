"""The table of cases, one file per op family."""
