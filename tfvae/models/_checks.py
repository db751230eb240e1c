"""Checks of the data for a likelihood."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import layers
from tfvae._checks import SUPPORT_ROUNDING, wrong_event_shape
from tfvae._chunks import in_chunks
from tfvae.layers import DistributionLayer
from tfvae.typing import Tensor

# Likelihoods of real values whose loc starts near 0 and whose scale starts near 1, in the units of the data.
_LOCATION_SCALE = (
    layers.IndependentLaplace,
    layers.IndependentLogistic,
    layers.IndependentNormal,
    layers.IndependentStudentT,
    layers.MixtureLogistic,
    layers.MixtureNormal,
    layers.MultivariateNormalDiag,
    layers.MultivariateNormalDiagPlusLowRank,
    layers.MultivariateNormalTriL,
)
_FAR, _NARROW = 30.0, 0.01
_EXAMPLES_FOR_SCALE = 1000


def check_static(x: Any, event_shape: tuple[int, ...] | None) -> None:
    """Checks dtype and shape but no values, so that a compiled step is not slowed down.

    Raises:
        ValueError: If x is sparse or ragged, is not floating-point, or has another event shape than the model.
    """
    if isinstance(x, tf.SparseTensor | tf.SparseTensorSpec):
        raise ValueError(
            "x is a tf.SparseTensor, but a likelihood needs dense data. Convert it with tf.sparse.to_dense(x), or a "
            f"data set with dataset.map(tf.sparse.to_dense). Received: x of shape {tuple(x.shape)}"
        )
    if isinstance(x, tf.RaggedTensor | tf.RaggedTensorSpec):
        raise ValueError(
            "x is a tf.RaggedTensor, whose examples differ in shape, but a VAE needs one event shape. Pad the examples "
            f"with x.to_tensor(), or crop them to one size. Received: x of shape {tuple(x.shape)}"
        )
    dtype = tf.as_dtype(x.dtype)
    if not dtype.is_floating:
        raise ValueError(f"x must be floating-point. {_conversion(dtype)} Received: x of dtype {dtype.name}")
    if event_shape is None or getattr(x.shape, "rank", 0) is None:
        return
    shape = tuple(x.shape)[1:]
    fits = len(shape) == len(event_shape) and all(a in (None, b) for a, b in zip(shape, event_shape, strict=True))
    if not fits:
        raise ValueError(wrong_event_shape(shape, event_shape))


def _conversion(dtype: tf.DType) -> str:
    if dtype == tf.uint16:
        return (
            "Scale 16-bit images with x.astype('float32') / 65535 (or dataset.map(lambda x: tf.cast(x, tf.float32) / "
            "65535)), counts with x.astype('float32')."
        )
    if not (dtype.is_integer or dtype.is_bool):
        return "Convert x to numbers, or remove the other values."
    return (
        "Scale 8-bit images with x.astype('float32') / 255 (or dataset.map(lambda x: tf.cast(x, tf.float32) / 255)), "
        "and binary data and counts with x.astype('float32'). splits.train.batches(...) of tfvae.data does this."
    )


def check_values(x: Any, likelihood: DistributionLayer | None) -> None:
    """Checks the values of `x`, a whole array or one batch.

    Raises:
        ValueError: If there are no examples, or values are NaN, infinite or outside the support of the likelihood.
    """
    x = np.asarray(x)
    if not x.size:
        raise ValueError(f"There are no examples to train on. Pass at least one. Received: x of shape {x.shape}")
    low, high = _range(x)
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = np.isfinite(x)
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"x has {int((~finite).sum())} values that are NaN or infinite, the first at index {first}. "
            "Remove or fill them before training"
            + (", or create the model with missing='nan' if NaN is a missing value." if np.isnan(x).any() else ".")
        )
    support = None if likelihood is None else likelihood.support
    if likelihood is not None and support is not None:
        low, high = np.float32(low), np.float32(high)
        if low < support[0] - SUPPORT_ROUNDING or high > support[1] + SUPPORT_ROUNDING:
            raise ValueError(outside_support_message(likelihood, f"x lies in [{low:.9g}, {high:.9g}]"))


def _range(x: np.ndarray) -> tuple[Any, Any]:
    """Returns the smallest and the largest value, which are NaN if any value is."""

    def of_rows(rows: slice) -> tuple[Any, Any]:
        with np.errstate(invalid="ignore"):
            return x[rows].min(), x[rows].max()

    lowest, highest = zip(*in_chunks(of_rows, x), strict=True)
    return np.min(lowest), np.max(highest)


def outside_support_message(likelihood: DistributionLayer, found: str) -> str:
    """Returns the message for data outside the support of the likelihood. `found` describes where they are."""
    low, high = likelihood.support or (-np.inf, np.inf)
    return (
        f"{type(likelihood).__name__} requires x in [{low:g}, {high:g}], but {found}. Scale x, for example 8-bit "
        "images with x / 255 (a data set with dataset.map(lambda x: x / 255)), or end the decoder in a layer for real "
        "values, such as tfvae.layers.IndependentNormal."
    )


def is_outside(x: Tensor, support: tuple[float, float] | None) -> Tensor | None:
    """Whether a batch has values outside the support, as a scalar tensor. None if the support is unbounded."""
    if support is None:
        return None
    is_below = tf.reduce_min(x) < support[0] - SUPPORT_ROUNDING
    return (
        is_below if np.isinf(support[1]) else tf.logical_or(is_below, tf.reduce_max(x) > support[1] + SUPPORT_ROUNDING)
    )


def warn_about_scale(x: Any, likelihood: DistributionLayer | None, standard_scores: Callable[[Tensor], Tensor]) -> None:
    """Warns about data far from the initial location and scale of the likelihood, such as unscaled data.

    Args:
        x: Examples `[N, *event]`.
        likelihood: The layer that returns p(x|z).
        standard_scores: Function from examples to (x - E[x|z]) / sd[x|z] under the present model. A model that is
            adapted to or trained on such data causes no warning.
    """
    if type(likelihood) not in _LOCATION_SCALE or len(x) < 2:
        return
    some = np.asarray(x[:: -(-len(x) // _EXAMPLES_FOR_SCALE)])
    if _is_far(some) and _is_far(np.asarray(standard_scores(tf.convert_to_tensor(some)))):
        means, deviations = _largest(some)
        warnings.warn(
            f"{type(likelihood).__name__} starts near mean 0 and scale 1, but the means of the values of x reach "
            f"{means:.3g} and their standard deviations {deviations:.3g}. Training may be slow or become NaN. "
            "Standardise x first: (x - x.mean(axis=0)) / x.std(axis=0) for tables, x / 255 for 8-bit images.",
            UserWarning,
            stacklevel=3,
        )


def _largest(x: np.ndarray) -> tuple[float, float]:
    """Returns the largest absolute mean and the largest standard deviation of a value over examples `[N, *event]`."""
    x = x.astype(np.float64)
    return float(np.abs(x.mean(axis=0)).max()), float(x.std(axis=0).max())


def _is_far(x: np.ndarray) -> bool:
    means, deviations = _largest(x)
    return not (means <= _FAR and (deviations == 0 or _NARROW <= deviations <= _FAR))
