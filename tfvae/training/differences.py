"""How far the runs of a comparison lie apart, with the error of the difference."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from tfvae.training.per_example import PerExample

# A difference of so many standard errors is told from chance.
_ERRORS_APART = 2.0


class Measured(Protocol):
    """What is known of a run: its report, and the values of single examples if there are any."""

    @property
    def report(self) -> Mapping[str, Any]:
        """What `report.json` holds."""

    @property
    def per_example(self) -> PerExample | None:
        """What `per_example.npz` holds."""


class Difference(NamedTuple):
    """By how much one run is ahead of another, in nats an example.

    Attributes:
        mean: of one minus the other.
        standard_error: over the examples; NaN where it is not known.
        is_paired: whether it is that of the differences of single examples, and not of two independent means.
    """

    mean: float
    standard_error: float
    is_paired: bool

    @property
    def is_clear(self) -> bool:
        """Whether it is more than two standard errors."""
        return self.mean > _ERRORS_APART * self.standard_error

    def __str__(self) -> str:
        error = f"{self.standard_error:.3f}" if math.isfinite(self.standard_error) else "unknown"
        return f"{self.mean:.3f} ± {error}"


def difference(ahead: Measured, behind: Measured, name: str) -> Difference:
    """How much higher a measure of one run is than of another, example by example where both have the same examples."""
    first, second = _values(ahead, name), _values(behind, name)
    if first is not None and second is not None and _same_examples(ahead, behind):
        apart = first - second
        error = float(apart.std(ddof=1) / math.sqrt(len(apart))) if len(apart) > 1 else math.nan
        return Difference(float(apart.mean()), error, True)
    one, other = ahead.report[name], behind.report[name]
    errors = [math.nan if record["standard_error"] is None else record["standard_error"] for record in (one, other)]
    return Difference(one["mean"] - other["mean"], math.hypot(*errors), False)


def _same_examples(first: Measured, second: Measured) -> bool:
    one, other = first.per_example, second.per_example
    return one is not None and other is not None and one.examples == other.examples


def _values(run: Measured, name: str) -> np.ndarray | None:
    """The values of single examples, if they are those that the report's mean is of."""
    values = None if run.per_example is None else run.per_example.values.get(name)
    if values is None or values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        return None
    return values if math.isclose(float(values.mean()), run.report[name]["mean"], rel_tol=1e-4, abs_tol=1e-4) else None
