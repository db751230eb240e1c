"""Mixin for distributions on (0, 1) whose draws stay strictly inside the support."""

import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


class InsideSupport:
    """Mixin for TFP distributions on (0, 1) that never draw exactly 0 or 1, where a density is zero, infinite or NaN.

    A draw that rounds to 0 or 1 becomes the smallest normal number or the largest number below 1, without a gradient.
    These two values represent all numbers beyond them. If a class defines `log_mass_at_ends`, the log density at such a
    value is the log of the probability of these numbers divided by the width of their interval. Importance weights and
    Monte Carlo KLs are then correct for the rounded variable, for any share of such draws. In between, `log_prob` is
    the density.

    For vectors on the simplex, only components of 0 need this treatment: if `may_round_to_one`, the other components
    determine how far a component is from 1.

    `experimental_sample_and_log_prob` evaluates the density at the returned value.
    """

    may_round_to_one: ClassVar[bool] = False

    def _call_sample_n(self, sample_shape: Any, seed: Any, **kwargs: Any) -> Tensor:
        low, high = ends(self.dtype)  # type: ignore[attr-defined]
        value = self._draw(sample_shape, seed, **kwargs)
        return tf.maximum(value, low) if self.may_round_to_one else tf.clip_by_value(value, low, high)

    def _draw(self, sample_shape: Any, seed: Any, **kwargs: Any) -> Tensor:
        """Draws values that may round to 0 or 1."""
        return super()._call_sample_n(sample_shape, seed, **kwargs)  # type: ignore[misc]

    def _sample_and_log_prob(self, sample_shape: Any, seed: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        value = self._call_sample_n(sample_shape, seed, **kwargs)
        return value, self._log_prob(value)

    def _log_prob(self, value: Tensor, **kwargs: Any) -> Tensor:
        log_prob = self._log_density(value, **kwargs)
        log_masses = self.log_mass_at_ends()
        if log_masses is None:
            return log_prob
        low, high = ends(self.dtype)  # type: ignore[attr-defined]
        ends_widths = widths(self.dtype)  # type: ignore[attr-defined]
        at_low, at_high = (
            tf.cast(log_mass - math.log(width), log_prob.dtype)
            for log_mass, width in zip(log_masses, ends_widths, strict=True)
        )
        return tf.where(tf.equal(value, low), at_low, tf.where(tf.equal(value, high), at_high, log_prob))

    def _log_density(self, value: Tensor, **kwargs: Any) -> Tensor:
        return super()._log_prob(value, **kwargs)  # type: ignore[misc]

    def log_mass_at_ends(self) -> tuple[Tensor, Tensor] | None:
        """Returns the log probabilities of the numbers that round to the smallest and to the largest value, or None."""
        return None


def ends(dtype: tf.DType) -> tuple[np.floating, np.floating]:
    """Returns the smallest normal number and the largest number below 1."""
    scalar = dtype.as_numpy_dtype
    return np.finfo(scalar).tiny, np.nextafter(scalar(1), scalar(0))


def widths(dtype: tf.DType) -> tuple[float, float]:
    """Returns the widths of the intervals that round to the two ends, as Python floats.

    The upper interval includes half of the gap to the number before the largest one.
    """
    low, high = ends(dtype)
    return float(low), 1.5 * (1.0 - float(high))
