"""Line charts as SVG, in a few milliseconds and without a plotting library."""

import html
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tfvae._errors import shortened

# Sizes in pixels: a cell of the grid, the margins of its axes, a line of the legend, a character of text.
_WIDTH, _HEIGHT = 430, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 14, 34, 50
_LEGEND_LINE, _CHARACTER, _SWATCH = 22, 7, 44
_NUM_TICKS = 6
_MARGIN = 0.05  # of the range of x, on both sides
_FURTHEST = 1e5  # pixels outside the axes, where a line is cut off
_LARGE = 1e6  # numbers that are written with an exponent


class Line(NamedTuple):
    """A line of a chart. It has gaps where a value is not finite.

    Attributes:
        x: Positions.
        y: Values, as many.
        color: Colour, as in CSS.
        is_dashed: Whether it is dashed.
    """

    x: Sequence[float]
    y: Sequence[float]
    color: str
    is_dashed: bool = False


class Chart(NamedTuple):
    """Lines between the same axes.

    Attributes:
        title: Title, in the middle.
        lines: The lines.
        y_limits: Smallest and largest y that are shown. Lines beyond them are cut off.
        note: Text at the left end of the title.
    """

    title: str
    lines: Sequence[Line]
    y_limits: tuple[float, float]
    note: str = ""


def line_charts(
    rows: Sequence[Sequence[Chart]], *, x_label: str, y_label: str, legend: Sequence[tuple[str, str]], legend_title: str
) -> str:
    """Draws rows of charts with one legend below them.

    Args:
        rows: The charts, as a grid.
        x_label: Label of the x axes, whose ticks are whole numbers.
        y_label: Label of the y axes.
        legend: Names and their colours.
        legend_title: Title of the legend.

    Returns:
        The content of an SVG file.
    """
    width = _WIDTH * max((len(row) for row in rows), default=1)
    entries = [(shortened(name), color) for name, color in legend]
    longest = max((_SWATCH + _CHARACTER * len(name) for name, _ in entries), default=width)
    columns = max(1, min(4, width // longest))
    top = _HEIGHT * len(rows)
    height = top + _LEGEND_LINE * (1 + -(-len(entries) // columns)) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<clipPath id="axes"><rect width="{_WIDTH - _LEFT - _RIGHT}" height="{_HEIGHT - _TOP - _BOTTOM}"/></clipPath>',
    ]
    for i, row in enumerate(rows):
        for j, chart in enumerate(row):
            parts.append(f'<g transform="translate({j * _WIDTH + _LEFT} {i * _HEIGHT + _TOP})">')
            parts += [*_chart(chart, x_label, y_label), "</g>"]
    if entries:
        parts.append(_text(width / 2, top + 14, legend_title, anchor="middle"))
    start = (width - columns * longest) / 2
    for i, (name, color) in enumerate(entries):
        x, y = start + longest * (i % columns), top + 14 + _LEGEND_LINE * (1 + i // columns)
        parts.append(f'<path d="M{x:.1f} {y - 4:.1f}h30" stroke="{color}" stroke-width="2"/>')
        parts.append(_text(x + 36, y, name))
    return "\n".join([*parts, "</svg>"]) + "\n"


def ticks(low: float, high: float, *, whole: bool = False) -> dict[float, str]:
    """Returns positions between two limits at round numbers, and their labels."""
    distance = (high - low) / _NUM_TICKS
    power = 10.0 ** math.floor(math.log10(distance))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= distance), 10 * power)
    if whole:
        step = max(step, 1.0)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    places = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return {place: f"{place:.4g}" if abs(place) >= _LARGE else f"{place:.{digits}f}" for place in places}


def _chart(chart: Chart, x_label: str, y_label: str) -> Iterator[str]:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    known = [x for line in chart.lines for x in line.x if math.isfinite(x)]
    x_low, x_high = _widened(min(known, default=0.0), max(known, default=1.0))
    margin = _MARGIN * (x_high - x_low)
    x_low, x_high = x_low - margin, x_high + margin
    y_low, y_high = _widened(*chart.y_limits)

    def place(x: float, y: float) -> str:
        right, down = width * (x - x_low) / (x_high - x_low), height * (y_high - y) / (y_high - y_low)
        return " ".join(f"{min(max(pixel, -_FURTHEST), _FURTHEST):.1f}" for pixel in (right, down))

    for x, label in ticks(x_low, x_high, whole=True).items():
        at = place(x, y_low).split()[0]
        yield f'<path d="M{at} 0V{height}" stroke="#ddd"/>{_text(float(at), height + 17, label, anchor="middle")}'
    for y, label in ticks(y_low, y_high).items():
        at = place(x_low, y).split()[1]
        yield f'<path d="M0 {at}H{width}" stroke="#ddd"/>{_text(-6, float(at) + 4, label, anchor="end")}'
    for line in chart.lines:
        dashes = ' stroke-dasharray="6 4"' if line.is_dashed else ""
        path = "".join(_segments(line, place))
        yield (
            f'<path d="{path}" clip-path="url(#axes)" fill="none" stroke="{line.color}" stroke-width="1.8" '
            f'stroke-linecap="round" stroke-linejoin="round"{dashes}/>'
        )
    yield f'<rect width="{width}" height="{height}" fill="none" stroke="#444"/>'
    yield _text(width / 2, -10, chart.title, anchor="middle", size=15)
    yield _text(0, -10, chart.note)
    yield _text(width / 2, height + 38, x_label, anchor="middle")
    yield f'<g transform="translate(-60 {height / 2}) rotate(-90)">{_text(0, 0, y_label, anchor="middle")}</g>'


def _segments(line: Line, place: Callable[[float, float], str]) -> Iterator[str]:
    """Yields the parts of a path between gaps. A single point is a dot."""
    is_open = False
    for x, y in zip(line.x, line.y, strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            is_open = False
            continue
        yield f"L{place(x, y)}" if is_open else f"M{place(x, y)}h0"
        is_open = True


def _widened(low: float, high: float) -> tuple[float, float]:
    """Returns limits that differ, also for the rounding of a chart."""
    least = max(1e-9, 1e-9 * max(abs(low), abs(high)))
    return (low, high) if high - low > least else (low - 0.5 - abs(low) * 0.01, high + 0.5 + abs(high) * 0.01)


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    words = html.escape(shortened(text))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>' if words else ""
