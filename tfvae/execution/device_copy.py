"""Copy of an array to the device."""

import numpy as np
import tensorflow as tf

from tfvae._aligned import aligned, as_tensor
from tfvae._chunks import in_chunks
from tfvae.typing import Tensor


def on_device(array: np.ndarray, dtype: str) -> Tensor:
    """Copies an array to the device, in the given floating-point dtype. Later changes of the array have no effect.

    `tf.convert_to_tensor` copies an array twice, because its first copy is not aligned. Here the only copy is aligned,
    and several threads make it, so that the time to first touch its memory is shared as well.
    """
    copy = aligned(array.shape, np.dtype(dtype))

    def fill(rows: slice) -> None:
        with np.errstate(over="ignore"):  # as in `tf.cast`
            copy[rows] = array[rows]

    in_chunks(fill, array)
    # On a CPU, `tf.identity` copies nothing.
    return tf.identity(as_tensor(copy))
