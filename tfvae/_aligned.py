"""Arrays whose memory tensors share."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor

_ALIGNMENT = 64  # of TensorFlow's own memory, in bytes


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """Returns an array of undefined values whose memory `as_tensor` can share."""
    num_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(num_bytes + _ALIGNMENT, np.uint8)
    first = -memory.__array_interface__["data"][0] % _ALIGNMENT
    return memory[first : first + num_bytes].view(dtype).reshape(shape)


def as_tensor(array: np.ndarray) -> Tensor:
    """Returns a tensor with the memory of an array of `aligned`, which must not change any more.

    TensorFlow requires aligned memory. No operation runs.
    """
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
