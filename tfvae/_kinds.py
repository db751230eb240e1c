"""Kinds of examples: images, series, rows of a table and volumes."""

import math
from collections.abc import Sequence
from typing import Literal

Kind = Literal["image", "series", "table", "volume"]

# An event (T, C) is a series if C <= _FEW_CHANNELS, or if C <= _MAX_CHANNELS and T >= _LENGTH_RATIO * C.
_FEW_CHANNELS, _MAX_CHANNELS, _LENGTH_RATIO = 7, 16, 4
# Measurements (T, C, 1), which are not in [0, 1], are a series if C <= _MAX_CHANNELS and T >= _MEASURED_RATIO * C.
_MEASURED_RATIO = 2
# Minimal sizes of vectors in [0, 1] that are flattened images: squares, and approximately square rectangles.
_SQUARE_SIZE, _RECTANGLE_SIZE = 64, 400


def kind_of(event_shape: Sequence[int], *, in_unit_interval: bool = False) -> Kind:
    """Returns the kind of data `[N, *event]`.

    * `(H, W, C)` is an image with any number of channels. `(T, 1, C)` and narrow `(T, few, 1)` are series; less narrow
      ones too, if their values do not lie in [0, 1].
    * `(T, C)` is a series if it has few channels. Approximately square ones are gray images.
    * `(D, H, W, C)` is a volume.
    * `(D,)` is a row of a table, unless it is a flattened image. Other shapes are rows of a table, too.

    Args:
        event_shape: Shape of one example.
        in_unit_interval: Whether the values lie in [0, 1].
    """
    shape = tuple(event_shape)
    if len(shape) == 3:
        height, width, channels = shape
        if min(height, width) == 1 < max(height, width):
            return "series"
        few, ratio = (_FEW_CHANNELS, _LENGTH_RATIO) if in_unit_interval else (_MAX_CHANNELS, _MEASURED_RATIO)
        return "series" if channels == 1 and width <= few and height >= ratio * width else "image"
    if len(shape) == 2:
        length, channels = shape
        is_narrow = channels <= _FEW_CHANNELS or (channels <= _MAX_CHANNELS and length >= _LENGTH_RATIO * channels)
        return "series" if min(shape) == 1 or (is_narrow and length > channels) else "image"
    if len(shape) == 4:
        return "volume"
    return "image" if len(shape) == 1 and in_unit_interval and flattened_shape(shape[0]) else "table"


def flattened_shape(size: int) -> tuple[int, int] | None:
    """Returns the height and width if a vector of this length may be a flattened image, else None.

    The height is larger than the width, as in Frey Face (28 x 20).
    """
    width = next(divisor for divisor in range(math.isqrt(size), 0, -1) if size % divisor == 0)
    height = size // width
    if size >= _SQUARE_SIZE and height == width:
        return height, width
    return (height, width) if size >= _RECTANGLE_SIZE and height <= 2 * width else None


def series_shape(event_shape: Sequence[int]) -> tuple[int, int]:
    """Returns the numbers of steps and channels of a series with any event shape."""
    shape = [length for length in event_shape if length > 1] or [1]
    return (shape[0], math.prod(shape[1:]))
