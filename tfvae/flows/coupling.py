"""Affine coupling transform of a normalizing flow."""

import tensorflow as tf

from tfvae._serialization import register
from tfvae.flows._coupling_transform import CouplingTransform
from tfvae.flows._network_transform import bounded_log_scale
from tfvae.typing import Tensor


@register
class Coupling(CouplingTransform):
    """Affine coupling (RealNVP): one half of the elements is scaled and shifted by functions of the other half.

    Both directions take one pass through the network, so densities of given z are as cheap as draws. Each transform
    moves only one half: use at least two, in alternate orders, and more than of `InverseAutoregressive`. `Spline`
    replaces the scale and shift by a flexible function.

    Args:
        hidden_units: Number of units of each hidden layer of the network.
        context_size: Number of parameters that the encoder computes for each example, a second input of the network.
            With 0, the transform is the same for all examples. In a `tfvae.priors.Flow`, the context is a weight.
        activation: Activation of the hidden layers.
        input_order: With "left-to-right", the last D - D // 2 elements move, given the first ones. With
            "right-to-left", the first ones move. Alternate it between the transforms of a flow, or put `Reverse`
            between them.
        seed: Integer seed of the initial kernels. None uses Keras' random seed.
        **kwargs: See `Transform`.

    Raises:
        ValueError: If a size or `input_order` is invalid.

    Numerics:
        scale = exp(3 tanh(raw / 3)), so no transform scales by more than exp(3). The last layer of the network is
        initialised to zero, so that the transform starts as the identity, exactly. The network computes in float32 or
        float64.

    References:
        Dinh, Sohl-Dickstein & Bengio, Density Estimation Using Real NVP, 2017, arXiv 1605.08803, section 3.
    """

    @property
    def num_raw(self) -> int:
        return 2

    def move(self, values: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = _shift_and_log_scale(raw)
        return values * tf.exp(log_scale) + shift, log_scale

    def move_back(self, values: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = _shift_and_log_scale(raw)
        return (values - shift) * tf.exp(-log_scale), log_scale


def _shift_and_log_scale(raw: Tensor) -> tuple[Tensor, Tensor]:
    shift, raw_scale = tf.unstack(raw, num=2, axis=-1)
    return shift, bounded_log_scale(raw_scale)
