"""Protocols for callbacks of `fit` in addition to the hooks of Keras."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import keras


@runtime_checkable
class KnowsExecutions(Protocol):
    """Callback that may be called once for many steps, although it has hooks for batches.

    With other callbacks that have such hooks, `fit` calls the compiled program once per batch, which is slower.

    Attributes:
        knows_executions: True for a callback that reads the number of steps from `model.execution`.
    """

    knows_executions: bool


@runtime_checkable
class SharesCallbacks(Protocol):
    """Callback that depends on the other callbacks of the same `fit`."""

    def share_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Receives the other callbacks when `fit` starts, and an empty list when it ends."""
        ...
