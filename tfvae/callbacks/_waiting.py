"""Keeps Keras callbacks that compare epochs from judging epochs that cannot be compared."""

import math
from typing import Any

import keras

# No value is better than NaN, so that an epoch never counts as an improvement; `verbose` keeps the callback silent.
_PATIENT: dict[str, Any] = {"best": math.nan, "patience": math.inf, "verbose": 0}
_COUNTERS = ("wait", "cooldown_counter")


def compares_epochs(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback acts on better or worse epochs and has no argument for the epoch to start from."""
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        return bool(callback.save_best_only)
    return isinstance(callback, keras.callbacks.ReduceLROnPlateau)


class WaitingEpoch:
    """An epoch that a callback does not judge. It still adds to the logs, but nothing counts as better or worse.

    Meanwhile, `callback.before_waiting` has what it remembers of the epochs before.

    Args:
        callback: A callback for which `compares_epochs` is true.
    """

    def __init__(self, callback: Any):
        self._callback = callback
        self._before = {name: getattr(callback, name) for name in (*_PATIENT, *_COUNTERS) if hasattr(callback, name)}
        callback.before_waiting = self._before
        for name in _PATIENT.keys() & self._before.keys():
            setattr(callback, name, _PATIENT[name])

    def end(self) -> None:
        """Restores the state that the callback had before the epoch."""
        for name, value in self._before.items():
            setattr(self._callback, name, value)
        del self._callback.before_waiting
