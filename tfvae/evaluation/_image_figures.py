"""Figures of one picture, with what explains it."""

import textwrap
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tfvae._display import Display

_MAX_HEIGHT = 14.0  # inches


def image_figure(picture: np.ndarray, title: str, display: Display | None = None) -> Figure:
    """Draws a picture `[H, W, C]`, with the color bar and the description of a display."""
    height, width = picture.shape[:2]
    figure = Figure(figsize=(8.0, min(8.0 * height / width, _MAX_HEIGHT) + 0.5), layout="constrained")
    axes = figure.add_subplot()
    # Very tall pictures are squeezed rather than cut.
    aspect: Literal["equal", "auto"] = "equal" if 8.0 * height / width <= _MAX_HEIGHT else "auto"
    axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect=aspect)
    axes.set_axis_off()
    axes.set_title(title)
    return figure if display is None else annotated(figure, display)


def annotated(figure: Figure, display: Display) -> Figure:
    """Adds a colour bar and a description of the pictures to a figure."""
    if display.has_color_bar:
        scale = ScalarMappable(Normalize(float(display.low), float(display.high)), "gray")
        figure.colorbar(scale, ax=figure.axes, shrink=0.7, pad=0.02)
    words = display.caption()
    if words:
        figure.supxlabel(textwrap.fill(words, 110), fontsize=8)
    return figure


def label_grid(
    axes: Any,
    picture: np.ndarray,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    columns_on_top: bool = False,
) -> None:
    """Writes labels to the left of the rows and below, or above, the columns of a grid of pictures.

    Empty labels are left out.
    """
    height, width = picture.shape[:2]
    axes.set_axis_on()
    axes.set_yticks(*_ticks(rows, height))
    axes.set_xticks(*_ticks(columns, width))
    if columns_on_top:
        axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _ticks(labels: Sequence[str], length: int) -> tuple[list[float], list[str]]:
    """Returns places and labels of ticks in the middle of equal parts of a length in pixels."""
    size = length / max(len(labels), 1)
    shown = [i for i, label in enumerate(labels) if label]
    return [(i + 0.5) * size - 0.5 for i in shown], [labels[i] for i in shown]
