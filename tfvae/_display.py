"""How the examples of one data set are shown: their kind, the range of their values, and the names of columns."""

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

# Values of one row that are drawn as bars; more of them are a line.
MOST_BARS = 40
# Columns of which one spans so many times what another does are measured in different units.
_UNITS_APART = 10.0
# Data in [0, 1] that stay below this are no images as they stand: they would be black.
_DARK = 0.1
# Where a few values lie so many times further out than all others, the scale is of the others.
_FAR_OUT = 4.0
_MOST_NAMED = 12
_MOST_RANGES = 8
# As many values tell the scale of larger data; every so many examples are read.
_MOST_VALUES = 2**23


class Layout(NamedTuple):
    """How an example's values lie in a picture.

    Attributes:
        shape: of the picture, `(H, W, 1 or 3)`.
        pixels: the number of each pixel's value in the example, -1 for none; None where they are in order.
    """

    shape: tuple[int, int, int]
    pixels: list[int] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Display:
    """Turns examples and what a model makes of them into pictures on one scale.

    Attributes:
        event_shape: of one example.
        kind: what an example is.
        low: the value drawn as black or at the bottom; one number, or one for each band, channel or column.
        high: the value drawn as white or at the top, likewise.
        names: of columns or channels; their numbers where they have no names.
    """

    event_shape: tuple[int, ...]
    kind: Kind
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, x: ArrayLike, names: Sequence[str] | None = None) -> "Display":
        """The display of data `[N, *event]`: images in [0, 1] and 8-bit images as they are, others on their own range.

        Raises:
            ValueError: for data without values, or names that are not one a column or channel.
        """
        array = np.asarray(x)
        if array.ndim < 1 or not array.size:
            raise ValueError(f"Pictures need data [N, *event] with values in them. Received shape {array.shape}.")
        event_shape = array.shape[1:]
        is_8_bit = array.dtype == np.uint8
        array = array[:: math.ceil(array.size / _MOST_VALUES)].astype(np.float64)
        finite = array[np.isfinite(array)]
        in_unit_interval = bool(is_8_bit or not finite.size or (finite.min() >= 0.0 and finite.max() <= 1.0))
        kind = kind_of(event_shape, in_unit_interval=in_unit_interval)
        if kind in ("image", "volume") and in_unit_interval and (is_8_bit or not finite.size or finite.max() > _DARK):
            low, high = np.array(0.0), np.array(1.0)
        else:
            low, high = _scale(array, kind)
        given = names is not None
        found = cls(event_shape, kind, low, high, tuple(map(str, names or ())))
        if given and len(found.names) != found.num_columns:
            raise ValueError(
                f"Each column or channel has one name. Expected {found.num_columns} names, received {len(found.names)}."
            )
        return found if given else dataclasses.replace(found, names=tuple(map(str, range(found.num_columns))))

    @property
    def num_columns(self) -> int:
        """Columns of a table, channels of a series; bands of an image."""
        if self.kind == "series":
            return series_shape(self.event_shape)[1]
        if self.kind == "table":
            return int(np.prod(self.event_shape, dtype=int))
        return self.event_shape[-1] if len(self.event_shape) > 2 else 1

    @property
    def is_scaled(self) -> bool:
        """Whether black and white are not 0 and 1."""
        return self.kind in ("series", "table") or not (np.all(self.low == 0.0) and np.all(self.high == 1.0))

    @property
    def has_color_bar(self) -> bool:
        """Whether one bar says what the grays mean."""
        return self.kind in ("image", "volume") and self.is_scaled and self.low.ndim == 0 and not self._has_colors

    @property
    def _has_colors(self) -> bool:
        return self.kind == "image" and len(self.event_shape) == 3 and self.event_shape[2] == 3

    def scaled(self, x: ArrayLike) -> NDArray[np.floating]:
        """The values with `low` at 0 and `high` at 1: `[N, T, C]` of series, `[N, D]` of tables, else `[N, *event]`."""
        array = np.asarray(x, np.float64)
        if self.kind == "series":
            array = array.reshape(len(array), *series_shape(self.event_shape))
        elif self.kind == "table":
            array = array.reshape(len(array), -1)
        return (array - self.low) / (self.high - self.low)

    def pictures(self, x: ArrayLike) -> NDArray[np.uint8]:
        """8-bit pictures `[N, H, W, 1 or 3]` of data `[N, *event]`; values that are not finite are red."""
        array = np.asarray(x)
        if self.kind == "series":
            return _plots.lines(self.scaled(array))
        if self.kind == "table":
            values = self.scaled(array)
            if values.shape[1] > MOST_BARS:
                return _plots.lines(values[..., np.newaxis])
            return _plots.bars(values, np.broadcast_to(self.foot, values.shape[1:]))
        values = array if array.dtype == np.uint8 or not self.is_scaled else self.scaled(array)
        pictures = as_pictures(to_displayable_values(values), self.kind, BACKGROUND)
        if array.dtype != np.uint8 and not np.isfinite(array).all():
            wrong = as_pictures(~np.isfinite(array), self.kind, False).any(axis=-1)
            pictures = np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures.copy()
            pictures[wrong] = _plots.NOT_FINITE
        return pictures

    @property
    def line_shape(self) -> tuple[int, int] | None:
        """Steps and lines of what is drawn as lines; None for bars and images."""
        if self.kind == "series":
            return series_shape(self.event_shape)
        return (self.num_columns, 1) if self.kind == "table" and self.num_columns > MOST_BARS else None

    def layout(self) -> Layout:
        """Where the values of an image or a volume lie in its picture."""
        numbers = np.arange(np.prod(self.event_shape, dtype=int)).reshape(1, *self.event_shape)
        pictures = as_pictures(numbers, self.kind, -1)
        in_order = pictures.size == numbers.size and bool(np.all(np.diff(pictures.ravel()) == 1))
        height, width, channels = pictures.shape[1:]
        return Layout((height, width, channels), None if in_order else pictures.ravel().tolist())

    @property
    def foot(self) -> NDArray[np.float64]:
        """Where the bars of a table begin, on the scale from 0 to 1: at nought, or at the end that is next to it."""
        if self.low.ndim:
            return np.zeros_like(self.low)
        return np.clip(-self.low / (self.high - self.low), 0.0, 1.0)

    def words(self) -> str:
        """What a reader must know to read the pictures; empty for plain images."""
        shown = shown_panels(self.event_shape, self.kind)
        parts = []
        if self.kind == "series":
            channels = self.num_columns
            parts.append("A line for each series" if channels == 1 else f"A line a channel ({_listed(self.names)})")
        elif self.kind == "table" and self.num_columns > MOST_BARS:
            parts.append(f"The {self.num_columns} values of a row as a line")
        elif self.kind == "table":
            parts.append(f"A bar a column, from left to right {_listed(self.names)}")
        elif shown:
            part, total = ("slice", self.event_shape[0]) if self.kind == "volume" else ("band", self.event_shape[2])
            some = "" if len(shown) == total else f" (of {total})"
            parts.append(f"A panel a {part}, row by row {_listed([str(i) for i in shown])}{some}")
        if self.is_scaled:
            parts.append(self._range_words(shown))
        return f"{'; '.join(parts)}." if parts else ""

    def _range_words(self, shown: Sequence[int]) -> str:
        ends = {"series": "bottom to top", "table": "bottom to top"}.get(self.kind, "black to white")
        if not self.low.ndim:
            return f"{ends}: {self.low:.4g} to {self.high:.4g}"
        which = list(shown) if self.kind == "image" else list(range(len(self.low)))
        if len(which) > _MOST_RANGES:
            return f"{ends}, each on its own range"
        ranges = [f"{self.names[i]}: {self.low[i]:.4g} to {self.high[i]:.4g}" for i in which]
        return f"{ends}, each on its own range: {', '.join(ranges)}"


def to_displayable_values(values: NDArray[Any]) -> NDArray[np.uint8]:
    """`to_displayable` of the values alone, in the shape they have."""
    return to_displayable(values.reshape(len(values), -1, 1, 1)).reshape(values.shape)


def _scale(array: NDArray[np.float64], kind: Kind) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of the scale: one pair, or one for each column, channel or band where they have no common unit."""
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
    # The ends as well: a column of years spans no more than one of ages, and on its scale all ages are one.
    have_one_unit = not spans.size or high.max() - low.min() <= _UNITS_APART * spans.min()
    if have_one_unit or (kind == "table" and len(ends) > MOST_BARS):
        low, high = low.min(keepdims=True)[0], high.max(keepdims=True)[0]
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    still = np.where(high > low, 0.0, 1.0)
    return low - still, high + still


def _ends(column: NDArray[np.float64]) -> tuple[float, float]:
    finite = column[np.isfinite(column)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    inner_low, inner_high = np.quantile(finite, [0.005, 0.995])
    if inner_high > inner_low and high - low > _FAR_OUT * (inner_high - inner_low):
        return float(inner_low), float(inner_high)
    return low, high


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMED - 1])}, ... {names[-1]}"
