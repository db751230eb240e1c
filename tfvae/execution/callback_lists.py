"""Callbacks that `fit` passes to Keras."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from tfvae.execution.progress import ProgressBar
from tfvae.execution.protocols import SharesCallbacks


def listed(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of a fit as a list."""
    is_list = isinstance(callbacks, keras.callbacks.CallbackList)
    return list(callbacks.callbacks if is_list else keras.tree.flatten(callbacks or []))


@contextlib.contextmanager
def sharing_callbacks(callbacks: list[keras.callbacks.Callback]) -> Iterator[None]:
    """Passes the other callbacks of a fit to those that are `SharesCallbacks`, and an empty list when it ends."""
    sharing = [callback for callback in callbacks if isinstance(callback, SharesCallbacks)]
    try:
        for callback in sharing:
            callback.share_callbacks([other for other in callbacks if other is not callback])
        yield
    finally:
        for callback in sharing:
            callback.share_callbacks([])


def with_callbacks(callbacks: Any, *first: keras.callbacks.Callback, verbose: Any) -> Any:
    """Returns the callbacks for Keras: `first` instead of those of an earlier fit, the user's, and `ProgressBar`."""
    others = [other for other in listed(callbacks) if type(other) not in map(type, first)]
    bars = [i for i, other in enumerate(others) if isinstance(other, keras.callbacks.ProgbarLogger)]
    for i in bars:
        if type(others[i]) is keras.callbacks.ProgbarLogger:
            others[i] = ProgressBar()
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks = [*first, *others]
        for callback in (*first, *(others[i] for i in bars)):
            callback.set_params(callbacks.params)
            callback.set_model(callbacks.model)
        return callbacks
    return [*first, *others, *([ProgressBar()] if verbose and not bars else [])]
