"""Independent steps of an evaluation that may fail."""

import logging
import warnings
from collections.abc import Callable
from typing import TypeVar

_log = logging.getLogger("tfvae")

T = TypeVar("T")


class Attempts:
    """Runs the steps of an evaluation. A step that fails is reported, and the next ones still run.

    A trained model keeps its report even if one measure does not apply to its data.

    Attributes:
        failed: Reasons for failures in one sentence each, by name of the step.
    """

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}

    def __call__(self, name: str, step: Callable[[], T]) -> T | None:
        """Returns `step()`, or None if it raises an error. The reason is recorded and shown as a warning."""
        try:
            return step()
        except Exception as error:
            self.failed[name] = one_sentence(error)
            _log.debug("%s failed", name, exc_info=True)
            warnings.warn(f"{name}: {self.failed[name]}", UserWarning, stacklevel=2)
            return None


def one_sentence(error: BaseException) -> str:
    """Returns the first line of the message of an exception. Its type is included, except for ValueError."""
    lines = str(error).strip().splitlines()
    message = lines[0].strip() if lines else ""
    if isinstance(error, ValueError) and message:
        return message
    return f"{type(error).__name__}: {message}" if message else f"{type(error).__name__}."
