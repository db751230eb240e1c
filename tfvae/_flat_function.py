"""Calls of graph functions with little overhead."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._aligned import aligned, as_tensor
from tfvae.typing import Tensor

_MAX_BYTES = 2**16  # the copy of a larger array takes longer than the operation


class FlatFunction:
    """Graph function from a flat list of tensors to a flat list of tensors.

    A `tf.function` binds, checks and converts its arguments in each call, and records it for gradients. For a small
    program, this takes longer than the program itself. A call of this object only runs the program. It reads the
    current values of variables.

    Args:
        concrete: Traced function, whose arguments and results are tensors.
    """

    def __init__(self, concrete: Any):
        self._concrete = concrete  # owns the graph and keeps the variables alive
        self._call = concrete.inference_fn.call_flat
        self._captures = tuple(concrete.captured_inputs)

    def __call__(self, *inputs: Tensor) -> Sequence[Tensor]:
        """Runs the program. The inputs have the order, dtypes and shapes of those of the traced function."""
        return self._call(*inputs, *self._captures)


def as_input(array: np.ndarray) -> Tensor:
    """Copies an array of numbers to an input of a `FlatFunction`.

    `tf.constant` runs an operation, after which TensorFlow prepares the next call of a function anew. This takes 40
    microseconds. A small array therefore becomes a tensor through DLPack, which runs no operation.
    """
    if not 0 < array.nbytes <= _MAX_BYTES:
        return tf.constant(array)
    copied = aligned(array.shape, array.dtype)
    copied[...] = array
    return as_tensor(copied)
