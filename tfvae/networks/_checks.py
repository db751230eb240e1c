"""Argument checks that the networks share."""

from collections.abc import Sequence


def positive_sizes(sizes: Sequence[int], name: str) -> list[int]:
    """Returns the sizes as Python ints.

    Raises:
        ValueError: If a size is not an integer of at least 1.
    """
    if any(int(size) != size or size < 1 for size in sizes):
        raise ValueError(f"`{name}` must contain only integers of at least 1. Received: {name}={list(sizes)}")
    return [int(size) for size in sizes]


def positive_size(size: int, name: str) -> int:
    """Returns the size as a Python int.

    Raises:
        ValueError: If the size is not an integer of at least 1.
    """
    if int(size) != size or size < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={size}")
    return int(size)


def image_shape_of(shape: Sequence[int]) -> tuple[int, int, int]:
    """Returns the shape as (height, width, channels).

    Raises:
        ValueError: If the shape is not that of an image.
    """
    if len(shape) != 3 or any(size < 1 for size in shape):
        raise ValueError(
            "A convolutional network requires an image shape (height, width, channels). Use networks.mlp for other "
            f"data. Received: image_shape={tuple(shape)}"
        )
    height, width, channels = (int(size) for size in shape)
    return height, width, channels
