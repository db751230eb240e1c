"""What an evaluation returns."""

import dataclasses
import math
from typing import Any

import numpy as np

from tfvae._checks import whole_number


@dataclasses.dataclass(frozen=True)
class Record:
    """An average over examples, with what it takes to trust it.

    Attributes:
        name: the quantity, e.g. "log_marginal".
        unit: "nats" per example, or "bits" per dimension.
        per_example: one value an example, `[N]`.
        monte_carlo_variance: the sampling variance of each of them, `[N]`; NaN where one draw cannot tell.
        diagnostics: the sampler's own, by name.
        details: the sampler's own of each example, arrays `[N]` by name; not in `to_dict`.
    """

    name: str
    unit: str
    per_example: np.ndarray
    monte_carlo_variance: np.ndarray
    diagnostics: dict[str, Any] = dataclasses.field(default_factory=dict)
    details: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def unknown(cls, name: str, unit: str, num_examples: int, **diagnostics: Any) -> "Record":
        """What could not be measured: NaN for every example, and None in `to_dict`."""
        missing = np.full(num_examples, np.nan)
        return cls(name, unit, missing, missing, diagnostics)

    @property
    def mean(self) -> float:
        """The mean over examples."""
        return float(np.mean(self.per_example, dtype=np.float64))

    @property
    def standard_error(self) -> float:
        """Of `mean`, over examples: how much it would move with another test set of this size.

        It includes the Monte Carlo noise, which differs from example to example. NaN for a single example.
        """
        n = len(self.per_example)
        return float(np.std(self.per_example, ddof=1, dtype=np.float64) / math.sqrt(n)) if n > 1 else math.nan

    @property
    def monte_carlo_standard_error(self) -> float:
        """Of `mean`, over seeds: how much it would move with other random numbers on the same examples."""
        variance = np.asarray(self.monte_carlo_variance, np.float64)
        return float(np.sqrt(variance.sum()) / len(variance))

    def to_dict(self) -> dict[str, Any]:
        """What goes into `report.json`: everything but the values of single examples; NaN becomes None."""
        return {
            "mean": _finite(self.mean),
            "standard_error": _finite(self.standard_error),
            "monte_carlo_standard_error": _finite(self.monte_carlo_standard_error),
            "unit": self.unit,
            "num_examples": len(self.per_example),
            **self.diagnostics,
        }

    def __repr__(self) -> str:
        return f"Record({self.name} = {self.mean:.4f} ± {self.standard_error:.4f} {self.unit})"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def bits_per_dim(record: Record, num_dimensions: int, num_levels: int | None = None) -> Record:
    """Bits per dimension of a log-probability in nats: -log2 p(x) / num_dimensions; lower is better.

    Args:
        record: `log_marginal` (or `elbo`) of the examples.
        num_dimensions: numbers in one x.
        num_levels: for x = (level + u) / num_levels, u uniform on [0, 1), the number of levels: log2(num_levels) is
            added for the width of a level, which makes it a bound on the bits of the discrete data. None for data that
            are discrete already or truly continuous.

    Raises:
        ValueError: for less than one dimension or level.

    References:
        Theis, van den Oord & Bethge, A note on the evaluation of generative models, 2016, arXiv 1511.01844.
    """
    num_dimensions = whole_number(num_dimensions, "num_dimensions")
    num_levels = None if num_levels is None else whole_number(num_levels, "num_levels")
    scale = 1.0 / (num_dimensions * math.log(2.0))
    offset = 0.0 if num_levels is None else math.log2(num_levels)
    return Record(
        name="bits_per_dim",
        unit="bits",
        per_example=offset - record.per_example * scale,
        monte_carlo_variance=record.monte_carlo_variance * scale**2,
        diagnostics={"of": record.name, "num_dimensions": num_dimensions, "num_levels": num_levels},
    )
