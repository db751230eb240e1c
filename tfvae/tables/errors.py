"""The exception for tables that cannot be read or used."""


class TableError(ValueError):
    """A table or its schema cannot be read or used; the message says what was expected and how to fix it."""
