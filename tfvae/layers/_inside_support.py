"""Draws that stay strictly inside the support, scored as what they are: numbers of finite precision."""

import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


class InsideSupport:
    """Comes before a class of TFP on (0, 1); no draw is exactly 0 or 1, where a density is zero, infinite or NaN.

    Draws that round to 0 or 1 become the smallest normal number or the largest below 1, and carry no gradient. These
    two stand for all numbers beyond them: a class that declares `log_mass_at_ends` has there the log of the
    probability of these numbers over their width, so that importance weights and Monte Carlo KLs are those of the
    rounded variable, for any share of such draws. In between, log p is the density.

    Of a vector on the simplex only the components of 0 matter: the others tell how far one is from 1
    (`may_round_to_one`).

    `experimental_sample_and_log_prob` scores the value that is returned, as a copy of it is scored.
    """

    may_round_to_one: ClassVar[bool] = False

    def _call_sample_n(self, sample_shape: Any, seed: Any, **kwargs: Any) -> Tensor:
        low, high = ends(self.dtype)  # type: ignore[attr-defined]
        value = self._draw(sample_shape, seed, **kwargs)
        return tf.maximum(value, low) if self.may_round_to_one else tf.clip_by_value(value, low, high)

    def _draw(self, sample_shape: Any, seed: Any, **kwargs: Any) -> Tensor:
        """Draws that may round to the ends."""
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
        """Log probabilities of what rounds to the lowest and to the highest value, or None where they are not known."""
        return None


def ends(dtype: tf.DType) -> tuple[np.floating, np.floating]:
    """The smallest normal number and the largest number below 1."""
    scalar = dtype.as_numpy_dtype
    return np.finfo(scalar).tiny, np.nextafter(scalar(1), scalar(0))


def widths(dtype: tf.DType) -> tuple[float, float]:
    """The widths of the intervals below and above that round to the two ends, as Python floats.

    Half of the interval to the number before the highest one rounds to it as well.
    """
    low, high = ends(dtype)
    return float(low), 1.5 * (1.0 - float(high))
