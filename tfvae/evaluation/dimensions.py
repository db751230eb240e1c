"""Numbers about single latent dimensions, each with its standard error."""

import dataclasses
import math
from typing import Any

import numpy as np

from tfvae._activity import ACTIVE_THRESHOLD


@dataclasses.dataclass(frozen=True)
class DimensionKLs:
    """KL(q(z_d|x) || p(z_d)), mean over examples, for each latent dimension, in nats.

    Attributes:
        mean: `[D]`, or None where single dimensions have no KL that is known; `note` says why.
        standard_error: `[D]`, over examples.
        monte_carlo_standard_error: `[D]`, over seeds; zero for the closed form.
        note: whether it is the closed form, and what the sum is.
    """

    mean: np.ndarray | None
    standard_error: np.ndarray | None
    monte_carlo_standard_error: np.ndarray | None
    note: str

    @classmethod
    def of(cls, per_example: np.ndarray | None, variance: np.ndarray | None, note: str) -> "DimensionKLs":
        """The means of values `[N, D]` that have a sampling variance `[N, D]`."""
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
        """As JSON."""
        return {
            "mean": _listed(self.mean),
            "standard_error": _listed(self.standard_error),
            "monte_carlo_standard_error": _listed(self.monte_carlo_standard_error),
            "note": self.note,
        }


@dataclasses.dataclass(frozen=True)
class ActiveUnits:
    """Which latent dimensions respond to x: those where E[z_d|x] varies over x by more than `threshold`.

    Attributes:
        variance: of E[z_d|x] over the examples, `[D]`.
        standard_error: of that variance, over examples, `[D]`: a unit within a few of them of the threshold may fall
            on either side.
        active: the mask `[D]`.
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
        """How many units are active."""
        return int(self.active.sum())

    @property
    def num_uncertain(self) -> int:
        """How many are within two standard errors of the threshold, on whichever side."""
        return int(np.sum(np.abs(self.variance - self.threshold) < 2.0 * self.standard_error))

    @classmethod
    def of(cls, means: np.ndarray, sampling_variance: np.ndarray) -> "ActiveUnits":
        """From posterior means `[N, D]`, with the variance that they owe to being averages of draws."""
        means, n = np.asarray(means, np.float64), len(means)
        observed = means.var(axis=0, ddof=1)
        # Means of draws vary more than the means they stand for. One draw cannot tell by how much.
        variance = observed - np.asarray(sampling_variance, np.float64).mean(axis=0)
        fourth = np.mean((means - means.mean(axis=0)) ** 4, axis=0)
        error = np.sqrt(np.maximum(fourth - observed**2, 0.0) / n)
        return cls(variance, error, variance > ACTIVE_THRESHOLD)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
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
