"""Small plots as pixels for grids of examples: many series or rows of a table at once."""

import math

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 64, 96
_WHITE, _LIGHT_GRAY = 255, 205
NOT_FINITE, MISSING = np.array([214, 39, 40], np.uint8), np.array([128, 128, 128], np.uint8)
# The colours of matplotlib's cycle without red, which marks values that are not finite.
COLORS = np.array(
    [
        [31, 119, 180], [255, 127, 14], [44, 160, 44], [148, 103, 189], [140, 86, 75],
        [227, 119, 194], [127, 127, 127], [188, 189, 34], [23, 190, 207],
    ],
    np.float32,
)  # fmt: skip


def lines(values: NDArray[np.floating], mark: NDArray[np.uint8] = NOT_FINITE) -> NDArray[np.uint8]:
    """Plots series `[N, T, C]` scaled to [0, 1] as pictures `[N, 64, 96, 3]` with one line per channel.

    Values outside the scale are clipped. If a value is not finite, the plot has the colour `mark` from top to bottom.
    """
    num, length, channels = values.shape
    picture = np.full((num, HEIGHT, WIDTH, 3), _WHITE, np.float32)
    positions, columns = _sample_positions(length)
    rows = np.arange(HEIGHT, dtype=np.float32)[:, np.newaxis]  # [H, 1]
    for channel in range(channels):
        series = values[..., channel].astype(np.float32)
        y = (HEIGHT - 3) * (1.0 - np.clip(series, -0.02, 1.02)) + 1.0
        left = np.floor(positions).astype(int)
        right = np.minimum(left + 1, length - 1)
        weight = (positions - left).astype(np.float32)
        curve = (1.0 - weight) * y[:, left] + weight * y[:, right]  # [N, samples]
        curve = curve.reshape(num, WIDTH, columns)
        # The line covers a pixel column from its lowest to its highest point, and up to the start of the next column.
        following = np.concatenate([curve[:, 1:, 0], curve[:, -1:, -1]], axis=1)[..., np.newaxis]
        spans = np.concatenate([curve, following], axis=2)
        top, bottom = spans.min(axis=2)[:, np.newaxis], spans.max(axis=2)[:, np.newaxis]  # [N, 1, W]
        distance = np.maximum(np.maximum(top - rows, rows - bottom), 0.0)
        opacity = np.clip(1.4 - distance, 0.0, 1.0)[..., np.newaxis]
        opacity = np.where(np.isfinite(opacity), opacity, 0.0)
        picture = (1.0 - opacity) * picture + opacity * COLORS[channel % len(COLORS)]
    pixels = np.rint(picture).astype(np.uint8)
    return _mark_columns(pixels, ~np.isfinite(values).all(axis=2), mark)


def bars(
    values: NDArray[np.floating], bases: NDArray[np.floating], mark: NDArray[np.uint8] = NOT_FINITE
) -> NDArray[np.uint8]:
    """Plots rows `[N, D]` scaled to [0, 1] as pictures `[N, 64, 96 or more, 3]` with one bar per column.

    Args:
        values: Heights of the bars, `[N, D]`.
        bases: Start of each bar, `[D]`.
        mark: Colour of the columns of values that are not finite.
    """
    num, size = values.shape
    step = max(2, WIDTH // size)
    pixel = np.arange(size * step)
    column = pixel // step
    is_bar = (pixel % step >= step // 6) & (pixel % step < max(step - step // 6, 1))
    y = (HEIGHT - 3) * (1.0 - np.clip(values, 0.0, 1.0)) + 1.0
    base = (HEIGHT - 3) * (1.0 - np.clip(bases, 0.0, 1.0)) + 1.0
    rows = np.arange(HEIGHT)[:, np.newaxis]
    top, bottom = np.floor(np.minimum(y, base)), np.ceil(np.maximum(y, base))  # [N, D]
    inside = (rows >= top[:, np.newaxis, column]) & (rows <= bottom[:, np.newaxis, column]) & is_bar
    picture = np.full((num, HEIGHT, len(pixel), 3), _WHITE, np.uint8)
    on_base = np.abs(rows - np.rint(base)[column]) < 1
    picture[:, on_base] = _LIGHT_GRAY
    picture[inside] = COLORS[0].astype(np.uint8)
    return _mark_columns(picture, ~np.isfinite(values), mark)


def _sample_positions(length: int) -> tuple[NDArray[np.floating], int]:
    """Returns the positions at which a series is read, and their number per pixel column, so that no peak is missed."""
    columns = max(2, math.ceil(2 * length / WIDTH))
    return np.linspace(0.0, length - 1, WIDTH * columns), columns


def _mark_columns(
    pictures: NDArray[np.uint8], marked: NDArray[np.bool_], color: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Returns the plots with columns of a colour where `marked` `[N, length]` is True."""
    if marked.any():
        width = pictures.shape[2]
        length = marked.shape[1]
        pixel = np.minimum(np.arange(width) * length // width, length - 1)
        marks = marked[:, pixel]
        for step in np.argwhere(marked):  # also marks steps narrower than a pixel
            marks[step[0], min(step[1] * width // length, width - 1)] = True
        pictures[np.broadcast_to(marks[:, np.newaxis], pictures.shape[:3])] = color
    return pictures
