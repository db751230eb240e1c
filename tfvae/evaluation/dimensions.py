"""Measures of single latent dimensions, with standard errors."""

import dataclasses
import math
from typing import Any

import numpy as np

from tfvae._activity import ACTIVE_THRESHOLD


@dataclasses.dataclass(frozen=True)
class DimensionKLs:
    """The mean KL(q(z_d|x) || p(z_d)) over examples, for each latent dimension, in nats.

    Attributes:
        mean: `[D]`, or None if the KL of single dimensions is not known; `note` says why.
        standard_error: `[D]`, over examples.
        monte_carlo_standard_error: `[D]`, over seeds; zero for the closed form.
        note: Whether the KL is in closed form, and what the values add up to.
    """

    mean: np.ndarray | None
    standard_error: np.ndarray | None
    monte_carlo_standard_error: np.ndarray | None
    note: str

    @classmethod
    def of(cls, per_example: np.ndarray | None, variance: np.ndarray | None, note: str) -> "DimensionKLs":
        """Creates the means of values `[N, D]` with sampling variances `[N, D]`."""
        if per_example is None or variance is None:
            return cls(None, None, None, note)
        n = len(per_example)
        return cls(
            per_example.mean(axis=0, dtype=np.float64),
            per_example.std(axis=0, ddof=1, dtype=np.float64) / math.sqrt(n),
            np.sqrt(variance.sum(axis=0, dtype=np.float64)) / n,
            note,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as JSON."""
        return {
            "mean": _listed(self.mean),
            "standard_error": _listed(self.standard_error),
            "monte_carlo_standard_error": _listed(self.monte_carlo_standard_error),
            "note": self.note,
        }


@dataclasses.dataclass(frozen=True)
class ActiveUnits:
    """The latent dimensions that respond to x: those where the variance of E[z_d|x] over x exceeds `threshold`.

    Attributes:
        variance: The variance of E[z_d|x] over examples, `[D]`.
        standard_error: The standard error of that variance over examples, `[D]`. A unit within a few standard errors of
            the threshold may be on either side.
        active: A boolean mask `[D]`.
        threshold: 0.01.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, section 5.2 and
        appendix C.
    """

    variance: np.ndarray
    standard_error: np.ndarray
    active: np.ndarray
    threshold: float = ACTIVE_THRESHOLD

    @property
    def num_active(self) -> int:
        """The number of active units."""
        return int(self.active.sum())

    @property
    def num_uncertain(self) -> int:
        """The number of units within two standard errors of the threshold, on either side."""
        return int(np.sum(np.abs(self.variance - self.threshold) < 2.0 * self.standard_error))

    @classmethod
    def of(cls, means: np.ndarray, sampling_variance: np.ndarray) -> "ActiveUnits":
        """Creates the active units from posterior means `[N, D]` and the sampling variance of means over draws."""
        means, n = np.asarray(means, np.float64), len(means)
        observed = means.var(axis=0, ddof=1)
        # Means over draws vary more than exact means. With one draw, the difference is not known.
        variance = observed - np.asarray(sampling_variance, np.float64).mean(axis=0)
        fourth = np.mean((means - means.mean(axis=0)) ** 4, axis=0)
        error = np.sqrt(np.maximum(fourth - observed**2, 0.0) / n)
        return cls(variance, error, variance > ACTIVE_THRESHOLD)

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as JSON."""
        return {
            "num_active": self.num_active,
            "num_uncertain": self.num_uncertain,
            "active": self.active.tolist(),
            "variance": _listed(self.variance),
            "standard_error": _listed(self.standard_error),
            "threshold": self.threshold,
        }


def _listed(values: np.ndarray | None) -> list[float | None] | None:
    return None if values is None else [float(v) if math.isfinite(v) else None for v in values]
