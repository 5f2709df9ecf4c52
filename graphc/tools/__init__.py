"""Programs that keep the project: they write the namespaces and print the table of ops."""
