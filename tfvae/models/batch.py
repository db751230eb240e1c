"""A batch, and how it is found in what Keras hands to a step."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae.typing import Tensor

X_KEYS = ("image", "images", "x")
_LABEL_KEYS = ("label", "labels")


class Batch(NamedTuple):
    """The examples of one step; every field but `x` may be None.

    Attributes:
        x: Data `[B, *event]`.
        condition: What the model is given beside x: a tensor `[B, ...]` or a nest of them.
        labels: Class indices `[B]`, integers, -1 for "not known".
        observed: A boolean tensor of the shape of x, False at missing values.
        sample_weight: Weights `[B]`.
    """

    x: Tensor
    condition: Any = None
    labels: Tensor | None = None
    observed: Tensor | None = None
    sample_weight: Tensor | None = None

    @property
    def size(self) -> Tensor:
        """The number of examples, a scalar."""
        return tf.shape(self.x)[0]


def as_batch(data: Any) -> Batch:
    """Makes a batch of what Keras hands to a step.

    Args:
        data: `x`, `(x, y)` or `(x, y, sample_weight)`, where x may be a dictionary with the keys "x" or "image", and
            "condition", "label" and "observed". An integer y counts as labels; any other y is ignored.

    Raises:
        ValueError: If x has several inputs, or is a dictionary without data.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    labels = y if _is_integer(y) else None
    if not isinstance(x, dict):
        return Batch(single(x), labels=labels, sample_weight=sample_weight)
    own = next((x[key] for key in _LABEL_KEYS if key in x), labels)
    return Batch(single(x), x.get("condition"), own, x.get("observed"), sample_weight)


def single(x: Any) -> Any:
    """Returns the one input of a list, a tuple or a dictionary; other values are returned unchanged.

    Raises:
        ValueError: If there are several inputs, or a dictionary has no data.
    """
    if isinstance(x, list | tuple):
        if len(x) != 1:
            raise ValueError(
                f"A VAE has one input x. Received a {type(x).__name__} of {len(x)}. Examples in a list are stacked "
                "with numpy.stack(x), and labels are given apart: fit(x, y)."
            )
        (x,) = x
    return x[x_key(x)] if isinstance(x, dict) else x


def x_key(x: dict[str, Any]) -> str:
    """Returns the key of the data in a dictionary.

    Raises:
        ValueError: If there is none.
    """
    key = next((key for key in X_KEYS if key in x), next(iter(x)) if len(x) == 1 else None)
    if key is None:
        raise ValueError(
            f"A batch that is a dictionary needs its data under one of the keys {X_KEYS}. Received: {sorted(x)}."
        )
    return key


def _is_integer(y: Any) -> bool:
    dtype = getattr(y, "dtype", None)
    return dtype is not None and tf.as_dtype(dtype).is_integer
