"""Results of measuring the noise of gradients: numbers with standard errors, a table and a figure."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tfvae._markdown import table_row


@dataclasses.dataclass(frozen=True)
class GradientNoise:
    """The noise of one estimator's gradient by one group of parameters, over repeated draws.

    The standard errors are over the repeated draws, by the jackknife; NaN for two repeats.

    Attributes:
        estimator: Its name.
        group: "encoder", "decoder" or "prior".
        num_parameters: P, number of parameters in the group.
        mean_norm: The norm of the mean gradient, corrected for its noise.
        mean_norm_standard_error: The standard error of `mean_norm`; if the signal is below the noise, the size of a
            signal that the noise could hide.
        variance: The variance of a parameter's gradient, averaged over the P parameters.
        variance_standard_error: The standard error of `variance`.
        signal_to_noise: `mean_norm` / sqrt(P variance); zero if the signal is below the noise, infinite if there is no
            noise.
        signal_to_noise_standard_error: The standard error of `signal_to_noise`, like that of `mean_norm`.
    """

    estimator: str
    group: str
    num_parameters: int
    mean_norm: float
    mean_norm_standard_error: float
    variance: float
    variance_standard_error: float
    signal_to_noise: float
    signal_to_noise_standard_error: float

    @classmethod
    def of(
        cls, estimator: str, group: str, num_parameters: int, norm: float, squares: np.ndarray, products: np.ndarray
    ) -> "GradientNoise":
        """Creates the measures from R gradients g.

        Args:
            estimator: Its name.
            group: Name of the group of parameters.
            num_parameters: Number of parameters in the group.
            norm: The squared norm of the mean m of the gradients.
            squares: Squared norms of g - m, `[R]`.
            products: M . g, `[R]`.
        """
        n, total = len(squares), squares.sum()
        signal, ratio = _signal(norm, total, n)
        # Without each of them in turn.
        lengths = squares + 2.0 * products - norm
        rest = (n**2 * norm - 2.0 * n * products + lengths) / (n - 1) ** 2
        signals, ratios = _signal(rest, total - squares * n / (n - 1), n - 1)
        mean_norm, mean_norm_error = _root(signal, _jackknife(signals))
        signal_to_noise, signal_to_noise_error = _root(ratio, _jackknife(ratios))
        return cls(
            estimator=estimator,
            group=group,
            num_parameters=num_parameters,
            mean_norm=mean_norm,
            mean_norm_standard_error=mean_norm_error,
            variance=float(total / (n - 1) / num_parameters),
            variance_standard_error=float(squares.std(ddof=1) / math.sqrt(n) / num_parameters),
            signal_to_noise=signal_to_noise if total > 0.0 else math.inf,
            signal_to_noise_standard_error=signal_to_noise_error if total > 0.0 else math.nan,
        )


@dataclasses.dataclass(frozen=True)
class GradientVariance:
    """Result of `gradient_variance`, with a row for each estimator and group.

    Attributes:
        rows: Rows in the order of the estimators.
        num_repeats: R, number of gradients per estimator.
        batch_size: Number of examples in the batch.
    """

    rows: tuple[GradientNoise, ...]
    num_repeats: int
    batch_size: int

    def row(self, estimator: str, group: str = "encoder") -> GradientNoise:
        """Returns the row of an estimator and a group, or raises KeyError."""
        for row in self.rows:
            if (row.estimator, row.group) == (estimator, group):
                return row
        raise KeyError((estimator, group))

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as JSON. Infinite ratios, of gradients without noise, and unknown errors become None."""
        rows = [{name: _or_none(value) for name, value in dataclasses.asdict(row).items()} for row in self.rows]
        return {"num_repeats": self.num_repeats, "batch_size": self.batch_size, "rows": rows}

    def table(self) -> str:
        """Returns the rows as a Markdown table."""
        return "\n".join(noise_table(self.to_dict()["rows"]))

    def __str__(self) -> str:
        return self.table()

    def figure(self) -> Figure:
        """Draws the variance by estimator on a logarithmic axis, with a panel for each group."""
        groups = list(dict.fromkeys(row.group for row in self.rows))
        names = list(dict.fromkeys(row.estimator for row in self.rows))
        figure = Figure(figsize=(4.5 * len(groups) + 2.5, 0.4 * len(names) + 1.4), layout="constrained")
        panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(panels, groups, strict=True):
            rows = [self.row(name, group) for name in names]
            errors = [row.variance_standard_error for row in rows]
            axes.barh(names, [row.variance for row in rows], xerr=errors, color="C0", ecolor="0.3")
            axes.set_xscale("log")
            positive = [row.variance for row in rows if row.variance > 0.0]
            if positive:  # whole decades, so that each tick has room for its label
                least, most = math.floor(math.log10(min(positive))), math.ceil(math.log10(1.5 * max(positive)))
                axes.set_xlim(10.0**least, 10.0**most)
                axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set(title=group, xlabel="variance of a parameter's gradient")
            axes.grid(axis="x", alpha=0.3)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        return figure


def noise_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns lines of Markdown for rows from `GradientVariance.to_dict`."""
    lines = [
        "| estimator | group | mean norm | ± | variance | ± | signal to noise | ± |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        cells = [row["estimator"], row["group"]]
        for name in ("mean_norm", "variance", "signal_to_noise"):
            value, error = row[name], row.get(f"{name}_standard_error")  # reports of earlier versions lack some
            cells.append("no noise" if value is None else f"{value:.4g}")
            cells.append("exact" if value is None else "unknown" if error is None else f"{error:.2g}")
        lines.append(table_row(cells))
    return lines


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _signal(norm: Any, total: Any, n: int) -> tuple[Any, Any]:
    """Estimates the squared norm of the expected gradient, without bias, and its ratio to the variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.float64(total) / (n - 1)
        signal = norm - variance / n
        return signal, signal / variance


def _jackknife(without_each: np.ndarray) -> float:
    """Computes the standard error of a statistic from its values without each of the R observations."""
    n = len(without_each)
    with np.errstate(invalid="ignore"):  # of infinite ratios
        return float(np.sqrt((n - 1) / n * np.sum((without_each - without_each.mean()) ** 2)))


def _root(square: Any, error: float) -> tuple[float, float]:
    """Returns the root of a number that noise may make negative, and the error of the root."""
    root = math.sqrt(max(square, 0.0))
    return root, min(error / (2.0 * root), math.sqrt(error)) if root > 0.0 else math.sqrt(error)
