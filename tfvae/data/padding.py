"""Examples of different lengths as one array, with a mask."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfvae.data.errors import DataError


class Padded(NamedTuple):
    """Examples of one shape.

    Attributes:
        x: Examples `[N, *event]`, with zeros after the end of each.
        observed: Boolean array of the shape of `x`, False after the end of each.
    """

    x: np.ndarray
    observed: np.ndarray


def pad(arrays: Sequence[ArrayLike]) -> Padded:
    """Pads examples of different lengths, such as series or volumes, at the end of each axis.

    Models are given both parts, so that the padding has no effect on the bound: `vae.fit({"x": x, "observed":
    observed})`. In a file, `numpy.savez("series.npz", x=x, observed=observed)`, they are for `tfvae train --data
    series.npz --missing observed`.

    Args:
        arrays: Examples with the same number of axes, such as series of shape `(length,)` or `(length, channels)`.

    Returns:
        The examples, float32 for floats and otherwise of their own type, and the mask of their values.

    Raises:
        DataError: If there are no examples, or they differ in the number of axes or are not numbers.

    Example:
        >>> x, observed = tfvae.data.pad([[1.5, 2.5], [3.5]])
        >>> x.tolist(), observed.tolist()
        ([[1.5, 2.5], [3.5, 0.0]], [[True, True], [True, False]])
    """
    examples = [np.asarray(array) for array in arrays]
    shapes = {example.shape for example in examples}
    if len({len(shape) for shape in shapes}) != 1 or () in shapes:
        raise DataError(
            "Examples must have the same number of axes, at least one, such as (length, channels). "
            f"Received: {len(examples)} examples of shapes {sorted(shapes)[:5]}"
        )
    dtype = np.result_type(*examples)
    if dtype.kind not in "buif":
        raise DataError(f"Examples must be numbers. Received: an array of type {dtype}")
    shape = (len(examples), *np.max(list(shapes), axis=0))
    x = np.zeros(shape, np.float32 if dtype.kind == "f" else dtype)
    observed = np.zeros(shape, bool)
    for row, example in enumerate(examples):
        inside = tuple(slice(length) for length in example.shape)
        x[row][inside], observed[row][inside] = example, True
    return Padded(x, observed)
