"""Mapping of functions over the first axis of tensors."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def map_in_turn(function: Callable[[Any], Any], elements: Any, signature: Any = None) -> Any:
    """Calls a function with each element in turn, as `tf.map_fn` with one iteration at a time.

    `tf.map_fn` leaves a caching device in the scope of variables if the function raises an error while it is traced.
    TFP's flows could then no longer be sampled eagerly. So it runs in a scope of its own.

    Args:
        function: Function of an element.
        elements: Tensor, or nest of tensors, whose first axis is mapped over.
        signature: Types of the results, as `fn_output_signature` of `tf.map_fn`. None for those of the elements.
    """
    with tf.compat.v1.variable_scope(tf.compat.v1.get_variable_scope()):
        return tf.map_fn(function, elements, parallel_iterations=1, fn_output_signature=signature)
