"""Keras' dtype policy within a block."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def dtype_policy(policy: Any) -> Iterator[None]:
    """Context manager that sets the dtype policy of new layers, and puts the policy before back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
