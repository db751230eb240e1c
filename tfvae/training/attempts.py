"""Steps of an evaluation that may fail without taking the others with them."""

import logging
import warnings
from collections.abc import Callable
from typing import TypeVar

_log = logging.getLogger("tfvae")

T = TypeVar("T")


class Attempts:
    """Runs steps one by one; a step that fails is reported, and the next ones still run.

    A trained model must not lose its report because one measure does not apply to its data.

    Attributes:
        failed: by the name of the step, one sentence on why it failed.
    """

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}

    def __call__(self, name: str, step: Callable[[], T]) -> T | None:
        """Returns what `step()` returns, or None where it raises; the reason is kept and warned of."""
        try:
            return step()
        except Exception as error:
            self.failed[name] = one_sentence(error)
            _log.debug("%s failed", name, exc_info=True)
            warnings.warn(f"{name}: {self.failed[name]}", UserWarning, stacklevel=2)
            return None


def one_sentence(error: BaseException) -> str:
    """What an exception says, without the lines that libraries add, and with its type unless it is a plain refusal."""
    lines = str(error).strip().splitlines()
    said = lines[0].strip() if lines else ""
    if isinstance(error, ValueError) and said:
        return said
    return f"{type(error).__name__}: {said}" if said else f"{type(error).__name__}."
