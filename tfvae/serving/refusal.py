"""Requests that are answered with a mistake of the client."""


class RefusedRequest(Exception):
    """A request that is answered with a 4xx.

    Args:
        status: the HTTP status.
        message: one sentence.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message
