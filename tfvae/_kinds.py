"""What one example is: an image, a series, a row of a table or a volume. Reports, TensorBoard and the page ask here."""

import math
from collections.abc import Sequence
from typing import Literal

Kind = Literal["image", "series", "table", "volume"]

# An array of two axes is a series where the second one is as short as this, or a quarter of the first and short.
_FEW_CHANNELS, _MOST_CHANNELS, _LONG = 7, 16, 4
# Vectors in [0, 1] of at least so many values are flattened images, where they fill a square, or about one.
_SQUARE_SIZE, _RECTANGLE_SIZE = 64, 400


def kind_of(event_shape: Sequence[int], *, in_unit_interval: bool = False) -> Kind:
    """The kind of data that arrays `[N, *event]` are.

    * `(H, W, C)` is an image, with any number of channels; `(T, 1, C)` and narrow `(T, few, 1)` are series.
    * `(T, C)` is a series where there are few channels; about square ones are gray images.
    * `(D, H, W, C)` is a volume.
    * `(D,)` is a row of a table, unless it is a flattened image; other shapes are taken as rows too.

    Args:
        event_shape: of one example.
        in_unit_interval: whether the values lie in [0, 1].
    """
    shape = tuple(event_shape)
    if len(shape) == 3:
        height, width, channels = shape
        if min(height, width) == 1 < max(height, width):
            return "series"
        if channels == 1 and width <= _FEW_CHANNELS and height >= _LONG * width:
            return "series"
        return "image"
    if len(shape) == 2:
        length, channels = shape
        is_narrow = channels <= _FEW_CHANNELS or (channels <= _MOST_CHANNELS and length >= _LONG * channels)
        return "series" if min(shape) == 1 or (is_narrow and length > channels) else "image"
    if len(shape) == 4:
        return "volume"
    return "image" if len(shape) == 1 and in_unit_interval and flattened_shape(shape[0]) else "table"


def flattened_shape(size: int) -> tuple[int, int] | None:
    """Height and width of the image that a vector of this length may be; None where it is none.

    Taller than wide, as Frey Face is (28 rows of 20 pixels).
    """
    width = next(divisor for divisor in range(math.isqrt(size), 0, -1) if size % divisor == 0)
    height = size // width
    if size >= _SQUARE_SIZE and height == width:
        return height, width
    return (height, width) if size >= _RECTANGLE_SIZE and height <= 2 * width else None


def series_shape(event_shape: Sequence[int]) -> tuple[int, int]:
    """Steps and channels of a series, in whatever shape it comes."""
    shape = [length for length in event_shape if length > 1] or [1]
    return (shape[0], math.prod(shape[1:]))
