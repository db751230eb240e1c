"""Figure of the curves of several runs."""

import math
from collections.abc import Sequence

from tfvae._line_charts import Chart, Line, line_charts
from tfvae.training.comparison import ComparedRun, groups

_MAX_DRAWN = 1e30  # differences of larger numbers overflow
_METRICS = (("elbo", "ELBO"), ("log_likelihood", "log-likelihood"), ("kl", "KL"))
# The colours of matplotlib's cycle.
_COLORS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip


def comparison_figure(runs: Sequence[ComparedRun]) -> str:
    """Draws ELBO, log-likelihood and KL by epoch as SVG: validation as solid lines, training dashed, a colour per run.

    Each group of comparable runs has its own row.
    """
    drawn = {run.name for run in runs for name, _ in _METRICS if _lines(run, name, "")}
    colors = _colors(runs)
    return line_charts(
        comparison_charts(runs),
        x_label="epoch",
        y_label="nats per example",
        legend=[(name, color) for name, color in colors.items() if name in drawn],
        legend_title="validation; training dashed",
    )


def comparison_charts(runs: Sequence[ComparedRun]) -> list[list[Chart]]:
    """Returns the charts of the figure, a row for each group of comparable runs."""
    colors = _colors(runs)
    rows = []
    for group in groups(runs).values():
        row: list[Chart] = []
        for name, title in _METRICS:
            lines = [line for run in group for line in _lines(run, name, colors[run.name])]
            row.append(Chart(title, lines, _limits(lines), "" if row else str(group[0].report["split"])))
        rows.append(row)
    return rows


def _colors(runs: Sequence[ComparedRun]) -> dict[str, str]:
    return {run.name: _COLORS[i % len(_COLORS)] for i, run in enumerate(runs)}


def _lines(run: ComparedRun, name: str, color: str) -> list[Line]:
    """Returns the curves of one metric of a run: training, then validation."""
    lines = []
    for key, is_dashed in ((name, True), (f"val_{name}", False)):
        values = _drawable(run.history.get(key, ()))
        if values:
            epochs = [epoch + 1 for epoch in _drawable(run.history.get("epoch", range(len(values))))]
            lines.append(Line(epochs, values, color, is_dashed))
    return lines


def _limits(lines: Sequence[Line]) -> tuple[float, float]:
    """Returns limits of y that show all but the first epochs, which would flatten the later ones."""
    low, high = math.inf, -math.inf
    for line in lines:
        later = [value for value in line.y[len(line.y) // 10 :] if math.isfinite(value)]
        if later:
            margin = 0.05 * (max(later) - min(later)) + 1e-6
            low, high = min(low, min(later) - margin), max(high, max(later) + margin)
    return (low, high) if low <= high else (0.0, 1.0)


def _drawable(values: Sequence[float]) -> list[float]:
    """Replaces values that are too large to draw by gaps."""
    return [value if abs(value) <= _MAX_DRAWN else math.nan for value in values]
