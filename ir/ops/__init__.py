"""The vocabulary: op types, one file per family, shape function, meaning, gradient and documentation together."""
