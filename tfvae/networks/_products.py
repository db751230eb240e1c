"""Products of values of any rank with a kernel."""

import tensorflow as tf

from tfvae.typing import Tensor


def multiply_kernel(values: Tensor, kernel: Tensor) -> Tensor:
    """Multiplies `[..., n]` by a kernel `[n, m]` to `[..., m]`."""
    # `tf.tensordot` reshapes to the sizes of the values. With an unknown batch size, XLA rejects this in the gradient
    # of a loop, such as the loop that samples from a flow.
    rank = values.shape.rank
    if rank in (None, 2):
        return tf.matmul(values, kernel)
    axes = "abcdefgh"[: rank - 1]
    return tf.einsum(f"{axes}n,nm->{axes}m", values, kernel)
