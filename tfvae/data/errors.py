"""The exception for data that are missing or invalid."""


class DataError(ValueError):
    """Data cannot be found, read or used; the message says what was expected and how to fix it."""
