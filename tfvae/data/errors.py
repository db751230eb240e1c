"""The one exception that says something is wrong with the data, or with where they were looked for."""


class DataError(ValueError):
    """Data that cannot be found, read or used; the message says what was expected and how to fix it."""
