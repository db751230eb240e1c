"""Display of the examples of a data set: their kind, the range of their values, and the names of columns."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfvae import _plots
from tfvae._images import BACKGROUND, to_displayable
from tfvae._kinds import Kind, kind_of, series_shape
from tfvae._layout import as_pictures, shown_panels

# A row with at most this number of values is drawn as bars, and a longer row as a line.
MAX_BARS = 40
# Columns are assumed to have different units if their ranges differ by this factor.
_UNIT_RATIO = 10.0
# Data in [0, 1] that stay below this are rescaled, because they would appear black.
_DARK = 0.1
# Outliers are excluded from the scale if the full range exceeds the range of the other values by this factor.
_OUTLIER_RATIO = 4.0
_MAX_NAMES = 12
_MAX_RANGES = 8
# The scale of larger data is computed from about this number of values, in evenly spaced examples.
_MAX_VALUES = 2**23


class Layout(NamedTuple):
    """Positions of an example's values in a picture.

    Attributes:
        shape: Shape of the picture, `(H, W, 1 or 3)`.
        pixels: Index of the value at each pixel, or -1 for a pixel without a value. None if the values are in order.
    """

    shape: tuple[int, int, int]
    pixels: list[int] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Display:
    """Converts examples and model outputs to pictures with a common scale.

    Attributes:
        event_shape: Shape of one example.
        kind: Kind of the examples.
        low: Value that is drawn as black or at the bottom: one number, or one per band, channel or column.
        high: Value that is drawn as white or at the top, with the shape of `low`.
        names: Names of the columns or channels. Defaults to their indices.
    """

    event_shape: tuple[int, ...]
    kind: Kind
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, x: ArrayLike, names: Sequence[str] | None = None) -> "Display":
        """Creates the display of data `[N, *event]`.

        Images in [0, 1] and 8-bit images keep their scale. Other data are scaled by their range.

        Raises:
            ValueError: If the data have no values, or if the number of names differs from the number of columns or
                channels.
        """
        array = np.asarray(x)
        if array.ndim < 1 or not array.size:
            raise ValueError(f"Pictures need non-empty data [N, *event]. Received: data of shape {array.shape}")
        event_shape = array.shape[1:]
        is_8_bit = array.dtype == np.uint8
        array = array[:: math.ceil(array.size / _MAX_VALUES)].astype(np.float64)
        finite = array[np.isfinite(array)]
        in_unit_interval = bool(is_8_bit or not finite.size or (finite.min() >= 0.0 and finite.max() <= 1.0))
        kind = kind_of(event_shape, in_unit_interval=in_unit_interval)
        if kind in ("image", "volume") and in_unit_interval and (is_8_bit or not finite.size or finite.max() > _DARK):
            low, high = np.array(0.0), np.array(1.0)
        else:
            low, high = _scale(array, kind)
        has_names = names is not None
        display = cls(event_shape, kind, low, high, tuple(map(str, names or ())))
        num_names, num_columns = len(display.names), display.num_columns
        if has_names and num_names != num_columns:
            raise ValueError(
                f"Each column or channel must have one name. Expected {num_columns} names. Received: {num_names} names"
            )
        return display if has_names else dataclasses.replace(display, names=tuple(map(str, range(num_columns))))

    @property
    def num_columns(self) -> int:
        """The number of columns of a table, channels of a series, or bands of an image."""
        if self.kind == "series":
            return series_shape(self.event_shape)[1]
        if self.kind == "table":
            return int(np.prod(self.event_shape, dtype=int))
        return self.event_shape[-1] if len(self.event_shape) > 2 else 1

    @property
    def has_names(self) -> bool:
        """Whether columns or channels have names other than their numbers."""
        return self.names != tuple(map(str, range(self.num_columns)))

    @property
    def is_scaled(self) -> bool:
        """Whether black and white differ from 0 and 1."""
        return self.kind in ("series", "table") or not (np.all(self.low == 0.0) and np.all(self.high == 1.0))

    @property
    def has_color_bar(self) -> bool:
        """Whether a single colour bar describes the gray values."""
        return self.kind in ("image", "volume") and self.is_scaled and self.low.ndim == 0 and not self._has_colors

    @property
    def _has_colors(self) -> bool:
        return self.kind == "image" and len(self.event_shape) == 3 and self.event_shape[2] == 3

    def scaled(self, x: ArrayLike) -> NDArray[np.floating]:
        """Scales `low` to 0 and `high` to 1.

        The result has shape `[N, T, C]` for series, `[N, D]` for tables, and `[N, *event]` otherwise.
        """
        array = np.asarray(x, np.float64)
        if self.kind == "series":
            array = array.reshape(len(array), *series_shape(self.event_shape))
        elif self.kind == "table":
            array = array.reshape(len(array), -1)
        return (array - self.low) / (self.high - self.low)

    def pictures(self, x: ArrayLike, *, missing: bool = False) -> NDArray[np.uint8]:
        """Converts data `[N, *event]` to 8-bit pictures `[N, H, W, 1 or 3]`; values that are not finite are red.

        If NaN is a missing value (`missing`), such values are gray.
        """
        array = np.asarray(x)
        mark = _plots.MISSING if missing else _plots.NOT_FINITE
        if self.kind == "series":
            return _plots.lines(self.scaled(array), mark)
        if self.kind == "table":
            values = self.scaled(array)
            if values.shape[1] > MAX_BARS:
                return _plots.lines(values[..., np.newaxis], mark)
            return _plots.bars(values, np.broadcast_to(self.bar_base, values.shape[1:]), mark)
        values = array if array.dtype == np.uint8 or not self.is_scaled else self.scaled(array)
        pictures = as_pictures(to_displayable_values(values), self.kind, BACKGROUND)
        if array.dtype != np.uint8 and not np.isfinite(array).all():
            not_finite = as_pictures(~np.isfinite(array), self.kind, False).any(axis=-1)
            pictures = np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures.copy()
            pictures[not_finite] = mark
        return pictures

    @property
    def line_shape(self) -> tuple[int, int] | None:
        """The numbers of steps and of lines of a line plot, or None for bars and images."""
        if self.kind == "series":
            return series_shape(self.event_shape)
        return (self.num_columns, 1) if self.kind == "table" and self.num_columns > MAX_BARS else None

    def layout(self) -> Layout:
        """Returns the positions of the values of an image or a volume in its picture."""
        numbers = np.arange(np.prod(self.event_shape, dtype=int)).reshape(1, *self.event_shape)
        pictures = as_pictures(numbers, self.kind, -1)
        in_order = pictures.size == numbers.size and bool(np.all(np.diff(pictures.ravel()) == 1))
        height, width, channels = pictures.shape[1:]
        return Layout((height, width, channels), None if in_order else pictures.ravel().tolist())

    @property
    def bar_base(self) -> NDArray[np.float64]:
        """The base of the bars of a table on the scale from 0 to 1: zero, or the end of the scale closest to zero."""
        if self.low.ndim:
            return np.zeros_like(self.low)
        return np.clip(-self.low / (self.high - self.low), 0.0, 1.0)

    def caption(self) -> str:
        """Returns a description of the pictures; empty for plain images."""
        shown = shown_panels(self.event_shape, self.kind)
        parts = []
        if self.kind == "series":
            channels = self.num_columns
            parts.append("One line per series" if channels == 1 else f"One line per channel ({_listed(self.names)})")
        elif self.kind == "table" and self.num_columns > MAX_BARS:
            parts.append(f"One line per row, through its {self.num_columns} values")
        elif self.kind == "table":
            parts.append(f"One bar per column, from left to right: {_listed(self.names)}")
        elif shown:
            part, total = ("slice", self.event_shape[0]) if self.kind == "volume" else ("band", self.event_shape[2])
            some = "" if len(shown) == total else f" (of {total})"
            parts.append(f"One panel per {part}, row by row: {_listed([str(i) for i in shown])}{some}")
        if self.is_scaled:
            parts.append(self._range_caption(shown))
        return f"{'; '.join(parts)}." if parts else ""

    def _range_caption(self, shown: Sequence[int]) -> str:
        ends = {"series": "bottom to top", "table": "bottom to top"}.get(self.kind, "black to white")
        if not self.low.ndim:
            return f"{ends}: {self.low:.4g} to {self.high:.4g}"
        which = list(shown) if self.kind == "image" else list(range(len(self.low)))
        if len(which) > _MAX_RANGES:
            return f"{ends}, each with its own range"
        ranges = [f"{self.names[i]}: {self.low[i]:.4g} to {self.high[i]:.4g}" for i in which]
        return f"{ends}, each with its own range: {', '.join(ranges)}"


def to_displayable_values(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Applies `to_displayable` to the values and keeps their shape."""
    return to_displayable(values.reshape(len(values), -1, 1, 1)).reshape(values.shape)


def _scale(array: NDArray[np.float64], kind: Kind) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the ends of the scale: one pair, or one pair per column, channel or band if they have different units."""
    event_shape = array.shape[1:]
    if kind == "table":
        columns = array.reshape(len(array), -1)
    elif kind == "series":
        columns = array.reshape(-1, series_shape(event_shape)[1])
    elif shown_panels(event_shape, kind) and kind == "image":
        columns = array.reshape(-1, event_shape[2])
    else:
        columns = array.reshape(-1, 1)
    ends = np.array([_ends(column) for column in columns.T])  # [columns, 2]
    low, high = ends[:, 0], ends[:, 1]
    spans = (high - low)[high > low]
    # Compares the common range, too: a column of years has the same span as one of ages, but very different values.
    have_one_unit = not spans.size or high.max() - low.min() <= _UNIT_RATIO * spans.min()
    if have_one_unit or (kind == "table" and len(ends) > MAX_BARS):
        low, high = low.min(keepdims=True)[0], high.max(keepdims=True)[0]
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    margin = np.where(high > low, 0.0, 1.0)  # for constant columns
    return low - margin, high + margin


def _ends(column: NDArray[np.float64]) -> tuple[float, float]:
    finite = column[np.isfinite(column)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    inner_low, inner_high = np.quantile(finite, [0.005, 0.995])
    if inner_high > inner_low and high - low > _OUTLIER_RATIO * (inner_high - inner_low):
        return float(inner_low), float(inner_high)
    return low, high


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _MAX_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MAX_NAMES - 1])}, ... {names[-1]}"
