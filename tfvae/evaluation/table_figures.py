"""Matplotlib figures of tables: columns of real and sampled rows, associations, and the likelihood of columns."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tfvae.evaluation.table_comparison import TableComparison
from tfvae.evaluation.table_likelihood import ColumnLogLikelihoods
from tfvae.tables import Column
from tfvae.tables.dates import dates_after

_MAX_PANELS = 24
_NUM_ACROSS = 4
_MAX_BARS = 10
_MAX_VALUES = 25
_NUM_BINS = 30
_MAX_NAME = 18
_MAX_NAMED = 40
_REAL, _SAMPLED = "0.72", "C0"
# Numbers above zero that span this factor have a logarithmic axis.
_LOG_RATIO = 100.0


def marginals(found: TableComparison) -> Figure:
    """Draws the distribution of each column in real and sampled rows, the columns that differ most first.

    Of more than 24 columns, those are drawn that differ most.
    """
    order = np.argsort(-np.nan_to_num(found.total_variation, nan=-1.0), kind="stable")[:_MAX_PANELS]
    some = "" if len(order) == len(found.columns) else f", the {len(order)} of {len(found.columns)} that differ most"
    rows = math.ceil(len(order) / _NUM_ACROSS)
    figure = Figure(figsize=(12.0, 2.1 * rows + 0.7), layout="constrained")
    axes = figure.subplots(rows, min(len(order), _NUM_ACROSS), squeeze=False).ravel()
    for panel, place in zip(axes, order, strict=False):
        column, parts = found.columns[place], [table[:, place] for table in (found.real, found.sampled)]
        real, sampled = (part[~np.isnan(part)] for part in parts)
        if column.categories:
            _draw_categories(panel, column, real, sampled)
        else:
            _draw_numbers(panel, column, real, sampled)
        panel.set_title(f"{_cut(column.name)}   TV {found.total_variation[place]:.3f}", fontsize=9)
        panel.set_yticks([])
        panel.tick_params(labelsize=7)
    for panel in axes[len(order) :]:
        panel.set_axis_off()
    handles = [axes[0].fill_between([], [], color=_REAL), *axes[0].plot([], [], color=_SAMPLED, lw=2)]
    figure.legend(handles, ["real rows", "sampled rows"], loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(f"Columns of real and sampled rows{some} (TV: total variation distance, 0 is best)", fontsize=11)
    return figure


def association_matrices(found: TableComparison) -> Figure:
    """Draws the associations between columns in real rows, in sampled rows, and their difference."""
    names = [_cut(column.name) for column in found.columns[: len(found.real_associations)]]
    matrices = {
        "real rows": found.real_associations,
        "sampled rows": found.sampled_associations,
        f"sampled - real (mean error {found.association_error:.3f})": (
            found.sampled_associations - found.real_associations
        ),
    }
    size = min(max(0.22 * len(names), 2.6), 5.5)
    figure = Figure(figsize=(3.0 * size + 3.2, size + 2.0), layout="constrained")
    axes = figure.subplots(1, 3)
    for panel, (title, matrix) in zip(axes, matrices.items(), strict=True):
        shown = np.array(matrix)
        np.fill_diagonal(shown, np.nan)
        picture = panel.imshow(shown, cmap="RdBu_r", vmin=-1.0, vmax=1.0, interpolation="nearest")
        panel.set_facecolor("0.9")  # the diagonal and unknown values
        panel.set_title(title, fontsize=10)
        every = range(0, len(names), math.ceil(len(names) / _MAX_NAMED))
        panel.set_xticks(every, [names[i] for i in every], rotation=90, fontsize=7)
        panel.set_yticks(every, [names[i] for i in every] if panel is axes[0] else [""] * len(every), fontsize=7)
    figure.colorbar(picture, ax=axes, shrink=0.7)
    some = "" if len(names) == len(found.columns) else f" of the first {len(names)} of {len(found.columns)} columns"
    figure.suptitle(f"Associations between columns{some}", fontsize=11)
    return figure


def column_likelihoods(found: ColumnLogLikelihoods) -> Figure:
    """Draws how much more likely each column is than under independent columns, with two standard errors.

    Of more than 40 columns, the 20 with the largest gains and the 20 with the smallest are drawn.

    Raises:
        ValueError: If the values of independent columns are not known.
    """
    if found.independent is None:
        raise ValueError("The figure compares with independent columns. Pass `independent`. Received: independent=None")
    numbers = found.to_dict()
    names = [column.name for column in found.columns if numbers[column.name]["gain"] is not None]
    names.sort(key=lambda name: numbers[name]["gain"])
    some = ""
    if len(names) > _MAX_NAMED:
        half = _MAX_NAMED // 2
        some = f", the {half} smallest and the {half} largest of {len(names)}"
        names = names[:half] + names[-half:]
    gains = np.array([numbers[name]["gain"] for name in names])
    errors = [2.0 * (numbers[name]["gain_standard_error"] or 0.0) for name in names]
    figure = Figure(figsize=(8.0, 0.24 * len(names) + 1.3), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(names)), gains, xerr=errors, color=np.where(gains < 0.0, "C3", "C0"), ecolor="0.3", height=0.7)
    axes.axvline(0.0, color="0.3", lw=0.8)
    axes.set_yticks(range(len(names)), map(_cut, names), fontsize=8)
    axes.set(xlabel="nats above independent columns", ylim=(-0.6, len(names) - 0.4))
    axes.set_title(f"Held-out log-likelihood of columns, E log p(column|z){some}", fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    return figure


def _draw_categories(axes: Axes, column: Column, real: np.ndarray, sampled: np.ndarray) -> None:
    """Draws the shares of categories; of many, the most frequent real ones and all others together."""
    shares = [
        np.bincount(part.astype(np.int64), minlength=len(column.categories)) / max(len(part), 1)
        for part in (real, sampled)
    ]
    names = list(column.categories)
    if len(names) > _MAX_BARS and column.kind == "ordinal":
        values = np.arange(len(names))
        axes.bar(values, shares[0], width=1.0, color=_REAL)
        axes.step(values, shares[1], where="mid", color=_SAMPLED, lw=1.5)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: names[int(x)] if 0 <= x < len(names) else ""))
        return
    if len(names) > _MAX_BARS:
        order = np.argsort(-shares[0], kind="stable")
        first, rest = order[: _MAX_BARS - 1], order[_MAX_BARS - 1 :]
        shares = [np.append(part[first], part[rest].sum()) for part in shares]
        names = [*(names[i] for i in first), f"{len(rest)} others"]
    place = np.arange(len(names))
    axes.bar(place - 0.2, shares[0], width=0.4, color=_REAL)
    axes.bar(place + 0.2, shares[1], width=0.4, color=_SAMPLED)
    is_long = sum(map(len, names)) > 24
    axes.set_xticks(place, [_cut(name) for name in names], rotation=90 if is_long else 0)


def _draw_numbers(axes: Axes, column: Column, real: np.ndarray, sampled: np.ndarray) -> None:
    """Draws the distribution of numbers: of few different ones their shares, of others a histogram.

    Sampled values beyond the range of the real ones are counted in the outer bins.
    """
    if not len(real):
        return
    bins, is_log = _bins(column, real)
    shares = [np.histogram(np.clip(part, bins[0], bins[-1]), bins)[0] / max(len(part), 1) for part in (real, sampled)]
    axes.stairs(shares[0], bins, fill=True, color=_REAL)
    axes.stairs(shares[1], bins, color=_SAMPLED, lw=1.5)
    if is_log:
        axes.set_xscale("log")
    elif column.kind == "date" and column.origin is not None:
        _name_dates(axes, column.origin)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))


def _bins(column: Column, values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Returns limits of bins, and whether their logarithms have equal distances."""
    found = np.unique(values)
    if len(found) == 1:
        return np.array([found[0] - 0.5, found[0] + 0.5]), False
    if len(found) <= _MAX_VALUES:
        between = (found[1:] + found[:-1]) / 2.0
        return np.concatenate([[2 * found[0] - between[0]], between, [2 * found[-1] - between[-1]]]), False
    low, high = np.quantile(values, [0.002, 0.998])
    if high <= low:
        low, high = found[0], found[-1]
    number = int(np.clip(math.sqrt(len(values)), 8, _NUM_BINS))
    if low > 0.0 and high > _LOG_RATIO * low:
        return np.geomspace(low, high, number + 1), True
    if column.decimals is None or (column.decimals > 0 and column.kind == "date"):
        return np.linspace(low, high, number + 1), False
    # Each bin has the same number of values that can be written, or some would be higher than others for no reason.
    unit = 10.0**-column.decimals
    width = unit * max(1, math.ceil((high - low) / (unit * number)))
    return low - unit / 2.0 + width * np.arange(math.ceil((high - low + unit) / width) + 1), False


def _name_dates(axes: Axes, origin: str) -> None:
    """Names the ticks of an axis of days after the origin by their dates."""
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: str(dates_after(np.array(x), origin, whole_days=True))[:10])
    )


def _cut(name: str) -> str:
    # A dollar sign would begin a formula.
    name = name.replace("$", r"\$")
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
