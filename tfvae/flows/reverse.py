"""Reversal of the elements between the transforms of a normalizing flow."""

import tensorflow as tf

from tfvae._serialization import register
from tfvae.flows.transform import Transform
from tfvae.typing import Tensor


@register
class Reverse(Transform):
    """Reverses the elements of u, so that the next transform sees them in the opposite order.

    It has no weights and no parameters, and changes no density: its log-determinant is zero. Put it between two equal
    transforms that treat the first elements otherwise than the last ones, or give one of them the argument
    `input_order="right-to-left"`.

    Args:
        **kwargs: See `Transform`.

    Example:
        >>> transforms = [InverseAutoregressive(context_size=16), Reverse(), InverseAutoregressive(context_size=16)]
    """

    def params_size(self, event_size: int) -> int:
        return 0

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return tf.reverse(u, axis=[-1]), tf.zeros_like(u[..., 0])

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self.forward(z, parameters)
