"""Conversion of sample weights to one number per example."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._arrays import plain_array
from tfvae.typing import Tensor


def as_weights(sample_weight: Any, num_examples: int | None = None) -> Any:
    """Converts sample weights to an array `[N]`.

    Args:
        sample_weight: An array `[N]` or `[N, 1]`, a series, a data frame with one column or a list. None is returned
            unchanged.
        num_examples: Number of examples N, or None if it is unknown.

    Raises:
        ValueError: If there is not one finite weight per example.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, dict | tf.data.Dataset):
        raise ValueError(
            "sample_weight must be an array [N] with one weight per example. Pass the weights of a tf.data.Dataset in "
            "its elements (x, y, sample_weight). "
            f"Received: sample_weight of type {type(sample_weight).__name__}"
        )
    if isinstance(sample_weight, list | tuple) and len(sample_weight) == 1 and np.ndim(sample_weight[0]):
        (sample_weight,) = sample_weight  # Keras' list of one output
    weights = plain_array(sample_weight, "sample_weight")
    is_one_each = weights.ndim > 0 and weights.size == len(weights)
    if not is_one_each or num_examples not in (None, len(weights)):
        raise _shape_error(weights.shape, num_examples)
    weights = weights.reshape(-1)
    bad = ~np.isfinite(weights)
    if bad.any():
        raise ValueError(
            f"sample_weight has {int(bad.sum())} values that are NaN or infinite, the first at index "
            f"{int(np.argmax(bad))}. Give every example a finite weight. A weight of 0 ignores an example."
        )
    return weights


def per_example(sample_weight: Any, x: Tensor) -> Tensor | None:
    """Converts weights `[B]` or `[B, 1]` of a batch x `[B, *event]` to `[B]`, without reading values.

    Raises:
        ValueError: If their static shape is not that of one weight per example.
    """
    if sample_weight is None:
        return None
    weights = tf.convert_to_tensor(sample_weight)
    if weights.shape.rank is not None:
        first, *others = weights.shape.as_list() or [0]
        if first not in (None, x.shape[0] or first) or any(size not in (None, 1) for size in others):
            raise _shape_error(tuple(weights.shape), x.shape[0])
    return weights if weights.shape.rank == 1 else tf.reshape(weights, [tf.shape(x)[0]])


def _shape_error(shape: tuple[int | None, ...], num_examples: int | None) -> ValueError:
    expected = "(N,) or (N, 1)" if num_examples is None else f"({num_examples},) or ({num_examples}, 1)"
    return ValueError(
        f"sample_weight must have one weight per example, in shape {expected}. Reduce several weights per example to "
        f"one, for example by their mean over the other axes. Received: sample_weight of shape {tuple(shape)}"
    )
