"""Missing values of x."""

from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae._errors import quoted
from tfvae.layers import Standardization, TableEncoding
from tfvae.layers._networks import sublayers
from tfvae.typing import Tensor

# Layers with an attribute `missing_value`, the data that they map to zero.
_ADAPTED = (Standardization, TableEncoding)
Missing = Literal["nan"] | None


class ObservedData(NamedTuple):
    """Data whose missing values are known.

    Attributes:
        x: Data `[B, *event]` with zeros in the place of missing values.
        observed: Boolean tensor of the shape of x, False at missing values. None if all values are observed.
    """

    x: Any
    observed: Any


def checked_missing(missing: Any) -> Missing:
    """Returns the argument `missing` of a model.

    Raises:
        ValueError: If it is neither None nor "nan".
    """
    if missing not in (None, "nan"):
        raise ValueError(
            "`missing` must be None, if NaN is an error, or 'nan', if NaN in x is a missing value. "
            f"Received: missing={quoted(missing)}"
        )
    return missing


def observed_part(x: Any, observed: Any, missing: Missing) -> ObservedData:
    """Separates data from what is missing in them.

    Args:
        x: Data `[B, *event]`, which is returned unchanged if no value can be missing.
        observed: Mask that a user gives, or None.
        missing: Whether NaN is a missing value too.

    Raises:
        ValueError: If the mask does not have the shape of x.
    """
    if observed is None and missing is None:
        return ObservedData(x, None)
    x = tf.convert_to_tensor(x)
    if observed is None:
        mask = tf.math.logical_not(tf.math.is_nan(x))
    else:
        mask = tf.cast(observed, tf.bool)
        _require_shape(mask.shape, x.shape)
        if missing is not None:
            mask = tf.logical_and(mask, tf.math.logical_not(tf.math.is_nan(x)))
    return ObservedData(tf.where(mask, x, tf.zeros_like(x)), mask)


def as_seen_by(encoder: keras.layers.Layer, x: Tensor, observed: Tensor) -> Tensor:
    """Returns data as an encoder sees them: with zeros in the place of missing values.

    If the encoder has a `Standardization` or `TableEncoding` layer for x, they are zero after it.
    """
    layer = next((layer for layer in sublayers(encoder) if isinstance(layer, _ADAPTED) and layer.built), None)
    if layer is None or layer.loc.shape != x.shape[1:]:
        return tf.where(observed, x, tf.zeros_like(x))
    return tf.where(observed, x, tf.cast(layer.missing_value, x.dtype))


def with_missing(data: ObservedData, missing: Missing) -> Any:
    """Returns x with NaN at missing values, if the model takes it for them. Otherwise they stay zeros."""
    if missing is None or data.observed is None:
        return data.x
    return tf.where(data.observed, data.x, tf.constant(np.nan, data.x.dtype))


def observed_values(x: np.ndarray, observed: Any, missing: Missing) -> np.ndarray:
    """Returns data for checks of their values, with an observed value in the place of missing ones.

    Raises:
        ValueError: If all values are missing.
    """
    if observed is None and missing is None:
        return x
    mask = np.ones(x.shape, bool) if observed is None else np.asarray(observed, bool)
    _require_shape(tf.TensorShape(mask.shape), tf.TensorShape(x.shape))
    mask = mask & ~np.isnan(x) if missing is not None else mask
    if not mask.any():
        raise ValueError("All values of x are missing. Give at least one observed value.")
    return np.where(mask, x, x[mask][0])


def _require_shape(found: tf.TensorShape, expected: tf.TensorShape) -> None:
    if not found.is_compatible_with(expected):
        raise ValueError(
            f"`observed` must have the shape of x, with False at missing values. Expected: {tuple(expected)}. "
            f"Received: observed of shape {tuple(found)}"
        )
