"""Some examples with everything that goes with each of them, as shards are written and read."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Block(NamedTuple):
    """Some examples.

    Attributes:
        x: Examples `[n, *event]` as a `Split` stores them: uint8 levels or float32 values.
        labels: Labels `[n]`, or None.
        condition: Conditions `[n, *shape]`, float32, or None.
        observed: Boolean array of the shape of `x`, False at missing values, or None.
    """

    x: np.ndarray
    labels: np.ndarray | None = None
    condition: np.ndarray | None = None
    observed: np.ndarray | None = None

    def map(self, fn: Callable[[np.ndarray], np.ndarray]) -> "Block":
        """Applies a function to each part that is there."""
        return Block(*(None if part is None else fn(part) for part in self))  # type: ignore[arg-type]

    def rows(self, rows: slice | np.ndarray) -> "Block":
        """Returns some of the examples."""
        return self.map(lambda part: part[rows])


def joined(blocks: Sequence[Block]) -> Block:
    """Joins blocks that have the same parts."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    found = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name, part in first._asdict().items()
        if part is not None
    }
    return Block(**found)
