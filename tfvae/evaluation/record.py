"""The result of an evaluation."""

import dataclasses
import math
import warnings
from typing import Any

import numpy as np

from tfvae._checks import whole_number

# The detail of a record of log p(x) with the number of observed values of each example, if values may be missing.
NUM_OBSERVED = "num_observed"


@dataclasses.dataclass(frozen=True)
class Record:
    """An average over examples with its standard errors.

    Attributes:
        name: The quantity, e.g. "log_marginal".
        unit: "nats" per example, or "bits" per dimension.
        per_example: One value per example, `[N]`.
        monte_carlo_variance: The sampling variance of each value, `[N]`; NaN if there was only one draw.
        diagnostics: Diagnostics of the sampler by name. For log p(x), `density_of_levels` is the number of levels if
            the data are levels and p(x|z) is a density.
        details: Diagnostics of each example, arrays `[N]` by name; not part of `to_dict`. For log p(x) of data with
            missing values, `num_observed` is the number of observed values of each example.
    """

    name: str
    unit: str
    per_example: np.ndarray
    monte_carlo_variance: np.ndarray
    diagnostics: dict[str, Any] = dataclasses.field(default_factory=dict)
    details: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def unknown(cls, name: str, unit: str, num_examples: int, **diagnostics: Any) -> "Record":
        """Creates a record of a quantity that could not be measured: NaN for every example, and None in `to_dict`."""
        missing = np.full(num_examples, np.nan)
        return cls(name, unit, missing, missing, diagnostics)

    @property
    def mean(self) -> float:
        """The mean over examples."""
        return float(np.mean(self.per_example, dtype=np.float64))

    @property
    def standard_error(self) -> float:
        """The standard error of `mean` over examples: how much it would change with another test set of this size.

        It includes the Monte Carlo noise, which differs from example to example. NaN for a single example.
        """
        n = len(self.per_example)
        return float(np.std(self.per_example, ddof=1, dtype=np.float64) / math.sqrt(n)) if n > 1 else math.nan

    @property
    def monte_carlo_standard_error(self) -> float:
        """The standard error of `mean` over seeds: how much it would change with other random numbers."""
        variance = np.asarray(self.monte_carlo_variance, np.float64)
        return float(np.sqrt(variance.sum()) / len(variance))

    def to_dict(self) -> dict[str, Any]:
        """Returns the values for `report.json`, without those of single examples; NaN becomes None."""
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
    """Converts log-probabilities in nats into bits per dimension, -log2 p(x) / num_dimensions; lower is better.

    For data with missing values they are bits per observed dimension: the bits of all examples divided by the number of
    all observed values.

    Args:
        record: `log_marginal` (or `elbo`) of the examples.
        num_dimensions: Number of values in one x.
        num_levels: For x = (level + u) / num_levels, u uniform on [0, 1), the number of levels. log2(num_levels) is
            added for the width of a level, which gives a bound on the bits of the discrete data. None for data that are
            discrete or truly continuous.

    Returns:
        A `Record`. If the data are levels without noise and the likelihood is a density, its diagnostics contain
        `density_of_levels`, the number of levels. The bits are then those of a density, which have no lower limit and
        are not comparable with bits of the levels. With missing values, `num_observed` is the mean number of observed
        values of an example.

    Raises:
        ValueError: If there is less than one dimension or level, or no value is observed.

    Warns:
        UserWarning: If the diagnostics contain `density_of_levels`.

    References:
        Theis, van den Oord & Bethge, A note on the evaluation of generative models, 2016, arXiv 1511.01844.
    """
    num_dimensions = whole_number(num_dimensions, "num_dimensions")
    num_levels = None if num_levels is None else whole_number(num_levels, "num_levels")
    offset = 0.0 if num_levels is None else math.log2(num_levels)
    about = {name: value for name, value in record.diagnostics.items() if name == "density_of_levels"}
    for levels in about.values():
        warnings.warn(density_of_levels(levels), UserWarning, stacklevel=2)
    observed = record.details.get(NUM_OBSERVED)
    mean_count = num_dimensions if observed is None else float(np.mean(observed))
    if not mean_count:
        raise ValueError("Bits per observed dimension need at least one observed value. Received: no observed value")
    scale = 1.0 / (mean_count * math.log(2.0))
    per_example = offset - record.per_example * scale
    if observed is not None:
        # A ratio of two sums. An example deviates from it by its bits minus those of its number of values (the delta
        # method), on which the standard error depends.
        per_example += (float(np.mean(per_example)) - offset) * (1.0 - observed / mean_count)
    return Record(
        name="bits_per_dim",
        unit="bits",
        per_example=per_example,
        monte_carlo_variance=record.monte_carlo_variance * scale**2,
        diagnostics={"of": record.name, "num_dimensions": num_dimensions, "num_levels": num_levels}
        | about
        | ({} if observed is None else {NUM_OBSERVED: mean_count}),
        details={} if observed is None else {NUM_OBSERVED: observed},
    )


def density_of_levels(num_levels: int) -> str:
    """Explains bits per dimension of data that are levels without noise, if p(x|z) is a density."""
    advice = (
        "Store the data as uint8 levels and dequantise them (Split.dequantized, as `tfvae train` does)"
        if num_levels <= 256
        else "Add uniform noise of one level's width to the data and log2(1 / width) to the bits"
    )
    return (
        f"The data have {num_levels} equally spaced values, and p(x|z) is a density: log p(x) grows without limit as "
        "the model concentrates on the values, and bits per dimension are those of a density, not of the levels. "
        f"{advice}, or use a likelihood of levels such as DiscretizedLogistic, for bits that can be compared."
    )
