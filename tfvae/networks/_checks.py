"""Argument checks that the networks share."""

from collections.abc import Sequence


def positive_sizes(sizes: Sequence[int], name: str, *, can_be_empty: bool = True) -> list[int]:
    """Returns the sizes as Python ints.

    Raises:
        ValueError: If a size is not an integer of at least 1, or there is none but must be one.
    """
    if len(sizes) == 0 and not can_be_empty:
        raise ValueError(f"`{name}` must contain at least one size. Received: {name}={sizes}")
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
