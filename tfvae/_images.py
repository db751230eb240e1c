"""Conversion of data to 8-bit pictures and grids, for TensorBoard and reports."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Gray is visible next to both black and white pictures.
BACKGROUND = 128
# Pictures are tall if their height exceeds this multiple of their width.
_TALL_RATIO = 4


def to_displayable(images: ArrayLike) -> NDArray[np.uint8]:
    """Converts data `[N, *event]` to 8-bit pictures `[N, H, W, 1 or 3]`.

    Args:
        images: Values in [0, 1]. Other values are clipped, NaN becomes black, and 8-bit values are not changed. An
            event `(H, W, C)` is a picture if it has 1 or 3 channels; otherwise its first channel is a picture. An event
            `(H, W)` is a gray picture. Any other event is a vector, whose values fill an approximately square picture
            row by row, followed by black pixels.

    Raises:
        ValueError: If the array has no batch axis or no values.
    """
    array = np.asarray(images)
    if array.ndim < 1 or not array.size:
        raise ValueError(f"Pictures need a non-empty array [N, *event]. Received: images of shape {array.shape}")
    if array.dtype != np.uint8:
        array = np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
        array = np.rint(np.clip(array, 0.0, 1.0) * 255).astype(np.uint8)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    elif array.ndim != 4:
        array = _vectors_as_pictures(array.reshape(len(array), -1))
    return array if array.shape[-1] in (1, 3) else array[..., :1]


def tile(images: ArrayLike, num_columns: int | None = None, padding: int = 1) -> NDArray[np.uint8]:
    """Arranges pictures in a grid `[H', W', C]`, row by row.

    Args:
        images: Data `[N, *event]`, as for `to_displayable`.
        num_columns: Number of pictures per row. None makes the grid approximately square.
        padding: Number of gray pixels between pictures. There is no padding at the border.

    Raises:
        ValueError: If there is less than one column, or if the padding is negative.
    """
    pictures = to_displayable(images)
    num, height, width, channels = pictures.shape
    if num_columns is None:
        # Tall pictures need more columns.
        aspect_ratio = height // width if height > _TALL_RATIO * width else 1
        num_columns = min(num, _square_columns(num * aspect_ratio, rows_each=1))
    if num_columns < 1 or padding < 0:
        raise ValueError(
            "A grid must have at least 1 column and a non-negative padding. "
            f"Received: num_columns={num_columns}, padding={padding}"
        )
    num_rows = math.ceil(num / num_columns)
    cells = np.full((num_rows * num_columns, height + padding, width + padding, channels), BACKGROUND, np.uint8)
    cells[:num, :height, :width] = pictures
    cells = cells.reshape(num_rows, num_columns, height + padding, width + padding, channels)
    grid = cells.transpose(0, 2, 1, 3, 4).reshape(num_rows * (height + padding), -1, channels)
    return grid[: grid.shape[0] - padding, : grid.shape[1] - padding]


def beside(
    originals: ArrayLike, reconstructions: ArrayLike, num_columns: int | None = None, padding: int = 1
) -> NDArray[np.uint8]:
    """Arranges pictures in a grid `[H', W', C]` with alternating rows: originals, and their reconstructions below them.

    Args:
        originals: Data `[N, *event]`, as for `to_displayable`.
        reconstructions: Reconstructions of the originals, in the same order and with the same shape.
        num_columns: Number of pictures per row. None makes the grid approximately square.
        padding: Number of gray pixels between pictures.

    Raises:
        ValueError: If the shapes differ, or for the reasons of `tile`.
    """
    above, below = _with_equal_channels(to_displayable(originals), to_displayable(reconstructions))
    if above.shape != below.shape:
        raise ValueError(
            "Originals and reconstructions must have the same shape. Received: originals of shape "
            f"{np.shape(originals)} and reconstructions of shape {np.shape(reconstructions)}"
        )
    num = len(above)
    num_columns = _square_columns(num, rows_each=2) if num_columns is None else num_columns
    if num_columns < 1:
        raise ValueError(f"A grid must have at least 1 column. Received: num_columns={num_columns}")
    empty = np.full((-num % num_columns, *above.shape[1:]), BACKGROUND, np.uint8)
    rows = [np.concatenate([part, empty]).reshape(-1, num_columns, *above.shape[1:]) for part in (above, below)]
    return tile(np.stack(rows, axis=1).reshape(-1, *above.shape[1:]), num_columns, padding)


def _with_equal_channels(*pictures: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Converts gray pictures to three channels if other pictures have colours, which also mark non-finite values."""
    if len({part.shape[-1] for part in pictures}) == 1:
        return list(pictures)
    return [np.repeat(part, 3, axis=-1) if part.shape[-1] == 1 else part for part in pictures]


def _square_columns(num: int, rows_each: int) -> int:
    """Returns the number of columns of an approximately square grid, with full rows if possible.

    Args:
        num: Number of pictures.
        rows_each: Number of rows per picture.
    """
    least = math.ceil(math.sqrt(rows_each * num))
    most = math.isqrt(2 * rows_each * num)
    return next((columns for columns in range(least, most + 1) if num % columns == 0), min(least, num))


def _vectors_as_pictures(vectors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    num, size = vectors.shape
    height, width = _picture_shape(size)
    padded = np.zeros((num, height * width), np.uint8)
    padded[:, :size] = vectors
    return padded.reshape(num, height, width, 1)


def _picture_shape(size: int) -> tuple[int, int]:
    """Returns height and width of a vector's picture: its most square factors, or a square with black at its end."""
    width = next(divisor for divisor in range(math.isqrt(size), 0, -1) if size % divisor == 0)
    # The height is larger than the width, as in Frey Face (28 x 20).
    if size <= 2 * width * width:
        return size // width, width
    width = math.ceil(math.sqrt(size))
    return math.ceil(size / width), width
