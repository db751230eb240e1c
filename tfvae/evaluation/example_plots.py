"""Plots of series and tables for reports, with axes and names."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from tfvae._display import MAX_BARS, Display
from tfvae._kinds import series_shape

_MAX_PANELS = 12
_MAX_COLUMNS = 30
_MAX_LEGEND = 8
_COLUMNS = 4


def example_panels(display: Display, x: ArrayLike, title: str, reconstructions: ArrayLike | None = None) -> Figure:
    """Draws a panel per example: lines for the channels of a series, bars for the columns of a table."""
    x = np.asarray(x)[:_MAX_PANELS]
    others = None if reconstructions is None else np.asarray(reconstructions)[:_MAX_PANELS]
    figure, axes = _grid(len(x), title, height=1.9)
    for i, panel in enumerate(axes):
        if display.kind == "series" or display.num_columns > MAX_BARS:
            _draw_lines(panel, display, x[i], None if others is None else others[i])
        else:
            _draw_bars(panel, display, x[i], None if others is None else others[i])
        panel.tick_params(labelsize=7)
    handles, labels = axes[0].get_legend_handles_labels()
    if 1 < len(handles) <= _MAX_LEGEND:
        figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    return figure


def column_densities(display: Display, x: ArrayLike, samples: ArrayLike, title: str) -> Figure:
    """Draws a panel per column with the distributions of the data and of draws from the model."""
    data, drawn = (np.asarray(part, np.float64).reshape(len(np.asarray(part)), -1) for part in (x, samples))
    shown = range(min(data.shape[1], _MAX_COLUMNS))
    if len(shown) < data.shape[1]:
        title = f"{title}; the first {len(shown)} of {data.shape[1]} columns"
    figure, axes = _grid(len(shown), title, height=1.5)
    low, high = np.broadcast_to(display.low, data.shape[1]), np.broadcast_to(display.high, data.shape[1])
    for column, panel in zip(shown, axes, strict=True):
        values = data[np.isfinite(data[:, column]), column]
        ends = (values.min(), values.max()) if display.low.ndim == 0 and len(values) else (low[column], high[column])
        if not ends[0] < ends[1]:
            ends = float(low[column]), float(high[column])
        bins = np.linspace(*ends, 25)
        # Draws beyond the range of the data are counted in the outer bins.
        counts = [
            np.histogram(np.clip(part, *ends), bins)[0] / max(len(part), 1) for part in (values, drawn[:, column])
        ]
        panel.stairs(counts[0], bins, fill=True, color="0.75", label="data")
        panel.stairs(counts[1], bins, color="C0", lw=1.5, label="model")
        panel.set_title(display.names[column], fontsize=8)
        panel.set_yticks([])
        panel.tick_params(labelsize=7)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    return figure


def _grid(num: int, title: str, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(num, _COLUMNS)
    rows = math.ceil(num / columns)
    figure = Figure(figsize=(9.0, height * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in axes[num:]:
        panel.set_axis_off()
    figure.suptitle(title, fontsize=11)
    return figure, list(axes[:num])


def _draw_lines(axes: Axes, display: Display, x: np.ndarray, other: np.ndarray | None) -> None:
    is_series = display.kind == "series"
    shape = series_shape(display.event_shape) if is_series else (x.size, 1)
    own = display.low.ndim > 0
    for channel in range(shape[1]):
        name = display.names[channel] if is_series and shape[1] > 1 else "data"
        for part, style in ((x, "-"), (other, "--")):
            if part is None:
                continue
            values = display.scaled(part[np.newaxis])[0] if own else part
            label = (name if shape[1] > 1 else "data") if style == "-" else None
            if style == "--" and channel == shape[1] - 1:
                label = "reconstruction (dashed)"
            axes.plot(values.reshape(shape)[:, channel], style, color=f"C{channel % 10}", lw=1.0, label=label)
    axes.set_ylim((-0.02, 1.02) if own else _padded(display))
    if own:
        axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_bars(axes: Axes, display: Display, x: np.ndarray, other: np.ndarray | None) -> None:
    own = display.low.ndim > 0
    place = np.arange(display.num_columns)
    values, others = _on_axis(display, x), None if other is None else _on_axis(display, other)
    axes.bar(place, values, width=0.8, color="0.75" if others is not None else "C0", label="data")
    if others is not None:
        axes.plot(place, others, "_", color="C0", ms=max(3, 90 // len(place)), mew=2, label="reconstruction")
    axes.set_ylim((0.0, 1.05) if own else _padded(display))
    if own:
        axes.set_yticks([])
    step = math.ceil(len(place) / 16)
    is_long = max(map(len, display.names)) > 2
    axes.set_xticks(place[::step], display.names[::step], rotation=90 if is_long else 0)


def _on_axis(display: Display, row: np.ndarray) -> np.ndarray:
    """Returns a row's values, scaled to [0, 1] if each column has its own range."""
    return display.scaled(row[np.newaxis])[0] if display.low.ndim else np.asarray(row).reshape(-1)


def _padded(display: Display) -> tuple[float, float]:
    low, high = float(display.low), float(display.high)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)
