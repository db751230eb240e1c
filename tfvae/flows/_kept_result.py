"""A result that is kept until it is asked for once."""

from typing import Any

import tensorflow as tf

from tfvae.typing import Tensor


class KeptResult:
    """The last result of a function and its argument.

    TFP asks separately for the value of a bijector and for the log-determinant at the same tensor.
    """

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Any, Any] | None = None

    def keep(self, argument: Tensor, result: Any) -> None:
        """Keeps the result for an argument, in place of the last one."""
        self._kept = argument, _graph(), result

    def take(self, argument: Tensor) -> Any | None:
        """Returns the result for an argument, or None. It is used only once: a gradient tape may start between."""
        kept, self._kept = self._kept, None
        # A tensor from a loop or a branch cannot be used outside it.
        return kept[2] if kept is not None and kept[0] is argument and kept[1] is _graph() else None


def _graph() -> Any:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
