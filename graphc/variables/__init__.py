"""Variables, variable scopes, initializers, regularizers."""
