"""Copy of an array to the device."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._chunks import in_chunks
from tfvae.typing import Tensor

_ALIGNMENT = 64  # of TensorFlow's own buffers, in bytes


def on_device(array: np.ndarray, dtype: str) -> Tensor:
    """Copies an array to the device, in the given floating-point dtype. Later changes of the array have no effect.

    `tf.convert_to_tensor` copies an array twice, because its first copy is not aligned. Here the only copy is aligned,
    and several threads make it, so that the time to first touch its memory is shared as well.
    """
    copy = _aligned(array.shape, np.dtype(dtype))

    def fill(rows: slice) -> None:
        with np.errstate(over="ignore"):  # as in `tf.cast`
            copy[rows] = array[rows]

    in_chunks(fill, array)
    # On a CPU, `tf.identity` copies nothing.
    return tf.identity(tf.experimental.dlpack.from_dlpack(copy.__dlpack__()))


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """Returns an array of undefined values whose memory a tensor can share."""
    num_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(num_bytes + _ALIGNMENT, "uint8")
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + num_bytes].view(dtype).reshape(shape)
