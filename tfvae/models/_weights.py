"""Sample weights: one number an example, whatever form they come in."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._arrays import plain_array
from tfvae.typing import Tensor


def as_weights(sample_weight: Any, num_examples: int | None = None) -> Any:
    """Weights `[N]` of what a user gave: an array `[N]` or `[N, 1]`, a series, a data frame of one column or a list.

    Args:
        sample_weight: as given; None stays None.
        num_examples: N, where it is known.

    Raises:
        ValueError: If there is not one finite weight for each example.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, dict | tf.data.Dataset):
        raise ValueError(
            "sample_weight must be an array [N] of one weight an example; a tf.data.Dataset holds the weights itself, "
            f"as elements (x, y, sample_weight). Received: sample_weight of type {type(sample_weight).__name__}."
        )
    if isinstance(sample_weight, list | tuple) and len(sample_weight) == 1 and np.ndim(sample_weight[0]):
        (sample_weight,) = sample_weight  # Keras' list of one output
    weights = plain_array(sample_weight, "sample_weight")
    is_one_each = weights.ndim > 0 and weights.size == len(weights)
    if not is_one_each or num_examples not in (None, len(weights)):
        raise _not_one_each(weights.shape, num_examples)
    weights = weights.reshape(-1)
    bad = ~np.isfinite(weights)
    if bad.any():
        raise ValueError(
            f"sample_weight has {int(bad.sum())} values that are NaN or infinite, the first at index "
            f"{int(np.argmax(bad))}. Give every example a finite weight; 0 leaves an example out."
        )
    return weights


def per_example(sample_weight: Any, x: Tensor) -> Tensor | None:
    """Weights `[B]` of a batch x `[B, *event]`, of weights `[B]` or `[B, 1]`; free inside a compiled step.

    Raises:
        ValueError: If their static shape is not that of one weight an example.
    """
    if sample_weight is None:
        return None
    weights = tf.convert_to_tensor(sample_weight)
    if weights.shape.rank is not None:
        first, *others = weights.shape.as_list() or [0]
        if first not in (None, x.shape[0] or first) or any(size not in (None, 1) for size in others):
            raise _not_one_each(tuple(weights.shape), x.shape[0])
    return weights if weights.shape.rank == 1 else tf.reshape(weights, [tf.shape(x)[0]])


def _not_one_each(shape: tuple[int | None, ...], num_examples: int | None) -> ValueError:
    expected = "(N,) or (N, 1)" if num_examples is None else f"({num_examples},) or ({num_examples}, 1)"
    return ValueError(
        f"sample_weight must hold one weight an example, with shape {expected}. Reduce several weights an example to "
        f"one, such as their mean over the other axes. Received: sample_weight of shape {tuple(shape)}."
    )
