"""Conditions: an input of the networks of a model besides x and z."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.layers._networks import input_names
from tfvae.typing import Tensor


def takes_condition(network: Any) -> bool:
    """Whether a network is a functional model with an input named "condition"."""
    return CONDITION in input_names(network)


def takes_observed(network: Any) -> bool:
    """Whether a network is a functional model with an input named "observed"."""
    return OBSERVED in input_names(network)


def condition_shape(*parts: Any) -> tuple[int, ...] | None:
    """Returns the shape of one condition `[*shape]`. None if no part takes a condition.

    Args:
        *parts: Networks, and priors with an attribute `condition_shape`.

    Raises:
        ValueError: If the parts expect conditions of different shapes.
    """
    shapes = {}
    for part in parts:
        if takes_condition(part):
            shapes[part.name] = tuple(part.input[CONDITION].shape[1:])
        elif getattr(part, "condition_shape", None) is not None:
            shapes[part.name] = tuple(part.condition_shape)
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"Encoder, decoder and prior must take conditions of one shape. Received: condition shapes {shapes}"
        )
    return next(iter(shapes.values()), None)


def symbolic_condition(shape: tuple[int, ...] | None, batch_size: int | None, dtype: str) -> keras.KerasTensor | None:
    """Returns a symbolic condition `[B, *shape]`. None without a shape."""
    return None if shape is None else keras.KerasTensor((batch_size, *shape), dtype=dtype)


def called(
    network: keras.layers.Layer, given: Any, condition: Tensor | None, observed: Tensor | None = None, **kwargs: Any
) -> Any:
    """Calls a network with its other input, and with the condition and the mask of observed values if it takes them.

    Args:
        network: Encoder or decoder.
        given: Its other input. For a network with other named inputs, a dictionary of them or, for a single one, its
            value.
        condition: Condition `[B, *shape]`, or None.
        observed: Boolean tensor of the shape of x, False at missing values. None if all values are observed.
        **kwargs: Further arguments of the call.
    """
    names = input_names(network)
    if not set(names) & {CONDITION, OBSERVED}:
        return network(given, **kwargs)
    others = [name for name in names if name not in (CONDITION, OBSERVED)]
    values = {name: given[name] for name in others} if isinstance(given, dict) else dict.fromkeys(others, given)
    if CONDITION in names:
        values[CONDITION] = condition
    if OBSERVED in names:
        values[OBSERVED] = keras.ops.ones_like(given) if observed is None else tf.cast(observed, given.dtype)
    return network(values, **kwargs)


def as_condition(condition: Any, shape: tuple[int, ...] | None, dtype: str) -> Tensor | None:
    """Converts a condition `[B, *shape]`, or one `[*shape]`, to a tensor. Integers become one-hot vectors.

    Args:
        condition: Floating-point numbers, or integers `[B]` or a single one if the shape of a condition is `(K,)`: the
            indices of K classes.
        shape: Shape of one condition of the model. None if the model takes none.
        dtype: Dtype of the model.

    Raises:
        ValueError: If the condition is missing, does not have this shape, or is given to a model that takes none.
    """
    if shape is None:
        if condition is not None:
            raise ValueError(
                "This model takes no condition. Build the encoder, decoder or prior with an input named 'condition' "
                "(docs/conditional.md), or leave the condition out. "
                f"Received: condition of shape {np.shape(condition)}"
            )
        return None
    if condition is None:
        raise ValueError(
            f"This model needs a condition of shape (B, {', '.join(map(str, shape))}). Pass `condition=...`, and to "
            '`fit` a dictionary {"x": x, "condition": condition}. Received: condition=None'
        )
    condition = tf.convert_to_tensor(condition)
    if condition.dtype.is_integer and len(shape) == 1 and condition.shape.rank in (0, 1):
        return _one_hot(condition, shape[0], dtype)
    rank = condition.shape.rank
    is_one = rank == len(shape)
    if not (is_one or rank == len(shape) + 1) or not condition.shape[rank - len(shape) :].is_compatible_with(shape):
        raise ValueError(
            f"The condition must have shape (B, {', '.join(map(str, shape))}), or that of one condition. "
            f"Received: condition of shape {tuple(condition.shape)}"
        )
    return tf.cast(condition, dtype)


def _one_hot(indices: Tensor, num_classes: int, dtype: str) -> Tensor:
    known = tf.get_static_value(indices) if not tf.executing_eagerly() else indices.numpy()
    if known is not None:
        unknown = np.setdiff1d(known, np.arange(num_classes))
        if len(unknown):
            raise ValueError(
                f"The condition must be one of the {num_classes} classes 0 to {num_classes - 1} of the training data. "
                f"Received: condition={unknown[0]}"
            )
    return tf.one_hot(indices, num_classes, dtype=dtype)


def repeated(condition: Tensor | None, shape: tuple[int, ...] | None, num: int | Tensor) -> Tensor | None:
    """Returns conditions `[num, *shape]` for such conditions, or for one condition `[*shape]`.

    Raises:
        ValueError: If there is another number of conditions.
    """
    if condition is None or shape is None:
        return None
    if condition.shape.rank == len(shape):
        return tf.broadcast_to(condition, tf.concat([[num], shape], axis=0))
    wanted = tf.get_static_value(tf.convert_to_tensor(num))
    if wanted is not None and condition.shape[0] not in (None, int(wanted)):
        raise ValueError(
            f"There must be one condition for all examples, or one for each of the {wanted}. "
            f"Received: condition of shape {tuple(condition.shape)}"
        )
    return condition


def for_draws(condition: Tensor, shape: tuple[int, ...], batch_shape: Tensor) -> Tensor:
    """Repeats conditions `[B, *shape]` for draws of batch shape `[..., B]`. Returns `[N, *shape]`."""
    full = tf.concat([batch_shape, tf.constant(shape, tf.int32)], axis=0)
    return tf.reshape(tf.broadcast_to(condition, full), [-1, *shape])
