"""Callbacks of Keras that compare epochs, in a run that is resumed as if it had not been interrupted."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfvae.parts.building import build
from tfvae.training.settings import TrainingConfig

# What `EarlyStopping` and `ReduceLROnPlateau` remember from epoch to epoch. The learning rate is part of the model.
_STATE = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


class RestoredCallbacks(keras.callbacks.Callback):
    """Gives other callbacks the state they had in a checkpoint. Put it after them, because they forget it at the start.

    Args:
        callbacks: The callbacks.
        states: The state of each, from `states_of`. Empty for a new run.
    """

    knows_executions = True

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], states: Sequence[Mapping[str, Any]]):
        super().__init__()
        self._callbacks = callbacks
        self._states = states

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        for callback, state in zip(self._callbacks, self._states, strict=False):
            for name in _STATE:
                if name in state:
                    setattr(callback, name, state[name])


def make_callbacks(training: TrainingConfig) -> list[keras.callbacks.Callback]:
    """Makes the callbacks of `training.callbacks`."""
    return [build(callback, "training.callbacks") for callback in training.callbacks]


def states_of(callbacks: Sequence[keras.callbacks.Callback]) -> tuple[dict[str, Any], ...]:
    """Returns what each callback remembers, as plain numbers.

    While a `BetaSchedule` keeps a callback from judging an epoch, this is what it remembers of the epochs before.
    """
    found = ({**vars(each), **getattr(each, "before_waiting", {})} for each in callbacks)
    return tuple({name: _plain(state[name]) for name in _STATE if name in state} for state in found)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(value)
