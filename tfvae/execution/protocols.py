"""What `fit` asks of callbacks beyond the hooks of Keras."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import keras


@runtime_checkable
class KnowsExecutions(Protocol):
    """A callback that may be called once for many steps, although it has hooks for batches.

    Other callbacks with such hooks make `fit` call the compiled program once per batch, which is slower.

    Attributes:
        knows_executions: True for a callback that reads the number of steps from `model.execution`.
    """

    knows_executions: bool


@runtime_checkable
class SharesCallbacks(Protocol):
    """A callback that has to know the other callbacks of the same `fit`."""

    def share_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Receives the other callbacks when `fit` starts, and an empty list when it ends."""
        ...
