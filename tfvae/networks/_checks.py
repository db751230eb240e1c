"""Checks that the network builders share."""

from collections.abc import Sequence


def positive_sizes(sizes: Sequence[int], name: str) -> list[int]:
    """The sizes as plain ints; ValueError for one below 1."""
    if any(int(size) != size or size < 1 for size in sizes):
        raise ValueError(f"{name} are whole numbers, at least 1. Received: {list(sizes)}.")
    return [int(size) for size in sizes]


def image_shape_of(shape: Sequence[int]) -> tuple[int, int, int]:
    """The shape as (height, width, channels).

    Raises:
        ValueError: for data that are not images.
    """
    if len(shape) != 3 or any(size < 1 for size in shape):
        raise ValueError(
            f"A convolutional network needs images of shape (height, width, channels). Received: {tuple(shape)}. "
            "Use networks.mlp for other data."
        )
    height, width, channels = (int(size) for size in shape)
    return height, width, channels
