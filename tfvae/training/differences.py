"""Differences between runs with their standard errors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tfvae.training.per_example import PerExample

# Differences of more standard errors than this are considered significant.
_MIN_STANDARD_ERRORS = 2.0
_LARGEST = 1e100  # whose squares can be added


class Measured(Protocol):
    """Run with a report and, if available, values per example."""

    @property
    def report(self) -> Mapping[str, Any]:
        """Content of `report.json`."""

    @property
    def per_example(self) -> PerExample | None:
        """Content of `per_example.npz`."""


class Difference(NamedTuple):
    """Difference between two runs in nats per example.

    Attributes:
        mean: Mean difference.
        standard_error: Standard error over the examples, NaN if unknown.
        is_paired: Whether the standard error is that of differences per example instead of two independent means.
    """

    mean: float
    standard_error: float
    is_paired: bool

    @property
    def is_clear(self) -> bool:
        """Whether the difference exceeds two standard errors."""
        return self.mean > _MIN_STANDARD_ERRORS * self.standard_error

    def __str__(self) -> str:
        error = f"{self.standard_error:.3f}" if math.isfinite(self.standard_error) else "unknown"
        return f"{self.mean:.3f} ± {error}"


def difference(ahead: Measured, behind: Measured, name: str) -> Difference:
    """Computes the difference of a measure between two runs, paired by example if both have the same examples."""
    first, second = _values(ahead, name), _values(behind, name)
    if first is not None and second is not None and len(first) == len(second) and _same_examples(ahead, behind):
        paired = [one - other for one, other in zip(first, second, strict=True)]
        mean = math.fsum(paired) / len(paired)
        return Difference(mean, _standard_error(paired, mean), True)
    one, other = ahead.report[name], behind.report[name]
    errors = [math.nan if record["standard_error"] is None else record["standard_error"] for record in (one, other)]
    return Difference(one["mean"] - other["mean"], math.hypot(*errors), False)


def _same_examples(first: Measured, second: Measured) -> bool:
    one, other = first.per_example, second.per_example
    return one is not None and other is not None and one.examples == other.examples


def _standard_error(values: Sequence[float], mean: float) -> float:
    """Returns s / sqrt(n) with the sample standard deviation s. NaN for one value."""
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1) / len(values)) if len(values) > 1 else math.nan


def _values(run: Measured, name: str) -> Sequence[float] | None:
    """Returns the values per example if their mean is the one in the report."""
    values = None if run.per_example is None else run.per_example.values.get(name)
    if values is None or not len(values) or not all(abs(value) <= _LARGEST for value in values):
        return None
    mean = math.fsum(values) / len(values)
    return values if math.isclose(mean, run.report[name]["mean"], rel_tol=1e-4, abs_tol=1e-4) else None
