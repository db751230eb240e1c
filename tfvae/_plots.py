"""Small plots as pixels: many series or rows of a table at once, for grids of examples."""

import math

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 64, 96
_PAPER, _FAINT = 255, 205
NOT_FINITE = np.array([214, 39, 40], np.uint8)
# The colours of matplotlib's cycle without its red, which stands for what is not finite.
COLORS = np.array(
    [
        [31, 119, 180], [255, 127, 14], [44, 160, 44], [148, 103, 189], [140, 86, 75],
        [227, 119, 194], [127, 127, 127], [188, 189, 34], [23, 190, 207],
    ],
    np.float32,
)  # fmt: skip


def lines(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Plots `[N, 64, 96, 3]` of series `[N, T, C]` scaled to [0, 1]: a line a channel, bottom to top.

    Values beyond the scale are cut off. Where a value is not finite, the plot is red from top to bottom.
    """
    num, length, channels = values.shape
    picture = np.full((num, HEIGHT, WIDTH, 3), _PAPER, np.float32)
    at, columns = _sampled(length)
    rows = np.arange(HEIGHT, dtype=np.float32)[:, np.newaxis]  # [H, 1]
    for channel in range(channels):
        series = values[..., channel].astype(np.float32)
        y = (HEIGHT - 3) * (1.0 - np.clip(series, -0.02, 1.02)) + 1.0
        left = np.floor(at).astype(int)
        right = np.minimum(left + 1, length - 1)
        share = (at - left).astype(np.float32)
        curve = (1.0 - share) * y[:, left] + share * y[:, right]  # [N, samples]
        curve = curve.reshape(num, WIDTH, columns)
        # A column of pixels is covered from its least to its greatest height, and on to where the next one begins.
        following = np.concatenate([curve[:, 1:, 0], curve[:, -1:, -1]], axis=1)[..., np.newaxis]
        spans = np.concatenate([curve, following], axis=2)
        top, bottom = spans.min(axis=2)[:, np.newaxis], spans.max(axis=2)[:, np.newaxis]  # [N, 1, W]
        away = np.maximum(np.maximum(top - rows, rows - bottom), 0.0)
        ink = np.clip(1.4 - away, 0.0, 1.0)[..., np.newaxis]
        ink = np.where(np.isfinite(ink), ink, 0.0)
        picture = (1.0 - ink) * picture + ink * COLORS[channel % len(COLORS)]
    finished = np.rint(picture).astype(np.uint8)
    return _marked(finished, ~np.isfinite(values).all(axis=2))


def bars(values: NDArray[np.floating], feet: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Plots `[N, 64, 96 or more, 3]` of rows `[N, D]` scaled to [0, 1]: a bar a column, from its foot `[D]`."""
    num, size = values.shape
    step = max(2, WIDTH // size)
    pixel = np.arange(size * step)
    column = pixel // step
    is_bar = (pixel % step >= step // 6) & (pixel % step < max(step - step // 6, 1))
    y = (HEIGHT - 3) * (1.0 - np.clip(values, 0.0, 1.0)) + 1.0
    foot = (HEIGHT - 3) * (1.0 - np.clip(feet, 0.0, 1.0)) + 1.0
    rows = np.arange(HEIGHT)[:, np.newaxis]
    top, bottom = np.floor(np.minimum(y, foot)), np.ceil(np.maximum(y, foot))  # [N, D]
    inside = (rows >= top[:, np.newaxis, column]) & (rows <= bottom[:, np.newaxis, column]) & is_bar
    picture = np.full((num, HEIGHT, len(pixel), 3), _PAPER, np.uint8)
    on_foot = np.abs(rows - np.rint(foot)[column]) < 1
    picture[:, on_foot] = _FAINT
    picture[inside] = COLORS[0].astype(np.uint8)
    return _marked(picture, ~np.isfinite(values))


def _sampled(length: int) -> tuple[NDArray[np.floating], int]:
    """Where a series is read, so many times for each column of pixels, so that no peak is left out."""
    columns = max(2, math.ceil(2 * length / WIDTH))
    return np.linspace(0.0, length - 1, WIDTH * columns), columns


def _marked(pictures: NDArray[np.uint8], wrong: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The plots with red columns where one of `wrong` `[N, length]` is."""
    if wrong.any():
        width = pictures.shape[2]
        length = wrong.shape[1]
        pixel = np.minimum(np.arange(width) * length // width, length - 1)
        marks = wrong[:, pixel]
        for step in np.argwhere(wrong):  # a step narrower than a pixel still shows
            marks[step[0], min(step[1] * width // length, width - 1)] = True
        pictures[np.broadcast_to(marks[:, np.newaxis], pictures.shape[:3])] = NOT_FINITE
    return pictures
