"""Functions Program -> Program."""
