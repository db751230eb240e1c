"""Pictures of data, for TensorBoard and for reports: arrays of any event shape in, 8-bit images and grids out."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Mid-grey: it parts digits on black as well as drawings on white.
BACKGROUND = 128
# So many times as high as wide, pictures are tall.
_TALL = 4


def to_displayable(images: ArrayLike) -> NDArray[np.uint8]:
    """8-bit pictures `[N, H, W, 1 or 3]` of data `[N, *event]`.

    Args:
        images: values in [0, 1], where others are clipped and NaN is black; 8-bit values stay as they are. An event
            `(H, W, C)` with 1 or 3 channels is a picture, with another number of channels its first one is; `(H, W)`
            is a grey picture. Any other event is a vector, and its values fill a picture that is about square, row
            by row, with black after the last.

    Raises:
        ValueError: for an array without a batch axis, or without values.
    """
    array = np.asarray(images)
    if array.ndim < 1 or not array.size:
        raise ValueError(f"Pictures need an array [N, *event] with values in it. Received shape {array.shape}.")
    if array.dtype != np.uint8:
        array = np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
        array = np.rint(np.clip(array, 0.0, 1.0) * 255).astype(np.uint8)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    elif array.ndim != 4:
        array = _vectors_as_pictures(array.reshape(len(array), -1))
    return array if array.shape[-1] in (1, 3) else array[..., :1]


def tile(images: ArrayLike, num_columns: int | None = None, padding: int = 1) -> NDArray[np.uint8]:
    """A grid `[H', W', C]` of pictures, row by row, in the order of the data.

    Args:
        images: data `[N, *event]`, as `to_displayable` takes it.
        num_columns: pictures in a row; None makes the grid about square.
        padding: grey pixels between neighbours; there are none at the border.

    Raises:
        ValueError: for fewer than one column or a negative padding.
    """
    pictures = to_displayable(images)
    num, height, width, channels = pictures.shape
    if num_columns is None:
        # Tall pictures stand side by side.
        times_tall = height // width if height > _TALL * width else 1
        num_columns = min(num, _square_columns(num * times_tall, rows_each=1))
    if num_columns < 1 or padding < 0:
        raise ValueError(
            f"A grid has at least 1 column and a padding of 0 or more. Received: num_columns={num_columns}, "
            f"padding={padding}."
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
    """A grid `[H', W', C]` whose rows alternate: originals, and under each its reconstruction.

    Args:
        originals: data `[N, *event]`, as `to_displayable` takes it.
        reconstructions: theirs, in the same order and of the same shape.
        num_columns: pictures in a row; None makes the grid about square.
        padding: grey pixels between neighbours.

    Raises:
        ValueError: for different shapes, or as `tile` does.
    """
    above, below = _alike(to_displayable(originals), to_displayable(reconstructions))
    if above.shape != below.shape:
        raise ValueError(
            "Originals and reconstructions are shown in pairs and need the same shape. Received: "
            f"{np.shape(originals)} and {np.shape(reconstructions)}."
        )
    num = len(above)
    num_columns = _square_columns(num, rows_each=2) if num_columns is None else num_columns
    if num_columns < 1:
        raise ValueError(f"A grid has at least 1 column. Received: num_columns={num_columns}.")
    empty = np.full((-num % num_columns, *above.shape[1:]), BACKGROUND, np.uint8)
    rows = [np.concatenate([part, empty]).reshape(-1, num_columns, *above.shape[1:]) for part in (above, below)]
    return tile(np.stack(rows, axis=1).reshape(-1, *above.shape[1:]), num_columns, padding)


def _alike(*pictures: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Gray pictures beside coloured ones as colours too: pictures with values that are not finite are coloured."""
    if len({part.shape[-1] for part in pictures}) == 1:
        return list(pictures)
    return [np.repeat(part, 3, axis=-1) if part.shape[-1] == 1 else part for part in pictures]


def _square_columns(num: int, rows_each: int) -> int:
    """The columns of a grid about square of `num` pictures of so many rows each: full rows where there is a choice."""
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
    """Height and width of the picture a vector fills: its most square factors, or a square with black at its end."""
    width = next(divisor for divisor in range(math.isqrt(size), 0, -1) if size % divisor == 0)
    # Taller than wide, as Frey Face is (28 rows of 20 pixels).
    if size <= 2 * width * width:
        return size // width, width
    width = math.ceil(math.sqrt(size))
    return math.ceil(size / width), width
