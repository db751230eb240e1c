"""What XLA can compile."""

from typing import Any

import tensorflow as tf

# Error messages of TensorFlow for a program that XLA cannot compile.
_UNCOMPILABLE = ("unsupported operations", "not compilable", "compile-time constant")


def cannot_compile(error: tf.errors.OpError) -> bool:
    """Whether an error means that XLA cannot compile a program."""
    expected = isinstance(error, tf.errors.InvalidArgumentError | tf.errors.UnimplementedError)
    return expected and any(word in str(error) for word in _UNCOMPILABLE)


def supports_xla(model: Any) -> bool:
    """Whether all layers of a Keras model say that XLA can compile them."""
    return all(layer.supports_jit for layer in model._flatten_layers())
