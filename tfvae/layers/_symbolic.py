"""Symbolic calls: the shape and dtype of what a function returns, without computing it."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae._bijector_cache import released_graph


def symbolic_value(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any] | None = None
) -> keras.KerasTensor:
    """Returns the shape and dtype of a function's value for symbolic arguments.

    The function runs in a graph that is thrown away. A `tf.function` would also prepare it for execution.

    Args:
        function: Function that returns a tensor, or a `tf.TensorSpec`.
        args: Positional arguments: nests of symbolic tensors and other values.
        kwargs: Keyword arguments of the same kind.
    """
    # A trace must not advance the seed.
    with tf.__internal__.FuncGraph("symbolic_value").as_default(), released_graph(), keras.StatelessScope():
        args, kwargs = keras.tree.map_structure(_placeholder, (tuple(args), kwargs or {}))
        value = function(*args, **kwargs)
    return keras.KerasTensor(value.shape, dtype=value.dtype.name)


def _placeholder(value: Any) -> Any:
    return tf.compat.v1.placeholder(value.dtype, value.shape) if isinstance(value, keras.KerasTensor) else value
