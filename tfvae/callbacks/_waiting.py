"""Keras' callbacks that compare epochs, in epochs that cannot be compared."""

import math
from typing import Any

import keras

# Nothing compares with NaN; without messages that say so.
_PATIENT: dict[str, Any] = {"best": math.nan, "patience": math.inf, "verbose": 0}
_COUNTERS = ("wait", "cooldown_counter")


def compares_epochs(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback acts on what it takes for a better or worse epoch, and has no first epoch of its own."""
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        return bool(callback.save_best_only)
    return isinstance(callback, keras.callbacks.ReduceLROnPlateau)


class WaitingEpoch:
    """An epoch that a callback lets pass: it still adds to the logs, but nothing is better, and its patience holds.

    Args:
        callback: one that `compares_epochs`.
    """

    def __init__(self, callback: Any):
        self._callback = callback
        self._before = {name: getattr(callback, name) for name in (*_PATIENT, *_COUNTERS) if hasattr(callback, name)}
        for name in _PATIENT.keys() & self._before.keys():
            setattr(callback, name, _PATIENT[name])

    def end(self) -> None:
        """Makes the callback what it was before the epoch."""
        for name, value in self._before.items():
            setattr(self._callback, name, value)
