"""Inverse autoregressive transform of a normalizing flow."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._serialization import register
from tfvae.flows._masked_autoregressive import start_as_identity
from tfvae.flows._network_transform import NetworkTransform, bounded_log_scale
from tfvae.networks import AutoregressiveNetwork
from tfvae.typing import Tensor


@register
class InverseAutoregressive(NetworkTransform):
    """Inverse autoregressive transform z_i = u_i scale_i(u_<i, h) + shift_i(u_<i, h) with a context h of the encoder.

    A draw and its density take one pass through a masked network, and the inverse D passes. Each element depends on
    all elements before it, so two transforms with opposite orders already make a flexible posterior. Prefer `Coupling`
    or `Spline` where the inverse is needed in training, as by estimators that evaluate q(z|x) at fixed z, or to sample
    from a `tfvae.priors.Flow`.

    Args:
        hidden_units: Number of units of each hidden layer of the network.
        context_size: Size of h, the number of parameters that the encoder computes for each example. With 0, the
            transform is the same for all examples. In a `tfvae.priors.Flow`, h is a weight.
        activation: Activation of the hidden layers.
        input_order: "left-to-right" or "right-to-left", the order of the elements. Alternate it between the transforms
            of a flow, or put `Reverse` between them.
        seed: Integer seed of the initial kernels. None uses Keras' random seed.
        **kwargs: See `Transform`.

    Raises:
        ValueError: If a size or `input_order` is invalid.

    Numerics:
        scale = exp(3 tanh(raw / 3)), so no transform scales by more than exp(3). The last layer of the network is
        initialised to zero, so that the transform starts as the identity, exactly. (The paper scales by sigmoids
        that start near one, which bounds the scale by one.) The network computes in float32 or float64.

    References:
        Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling, Improving Variational Inference with Inverse
        Autoregressive Flow, 2016, arXiv 1606.04934, section 3 and algorithm 1.
    """

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        self.network = AutoregressiveNetwork(
            params=2,
            event_shape=size,
            conditional=self.context_size > 0,
            conditional_event_shape=self.context_size or None,
            hidden_units=self.hidden_units,
            input_order=self.input_order,
            activation=self.activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self.seed),
            seed=0,  # only of random orders, which this network does not have
            trainable=self.trainable,
            dtype=self.dtype_policy,
            name="network",
        )
        self.network.build((None, size), (None, self.context_size) if self.context_size else None)
        start_as_identity(self.network)
        self.built = True

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(u, parameters)
        return u * tf.exp(log_scale) + shift, tf.reduce_sum(log_scale, axis=-1)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        size = z.shape[-1]
        order = tf.range(size)[::-1] if self.right_to_left else tf.range(size)

        def step(index: Tensor, u: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            shift, new = self._shift_and_log_scale(u, parameters)
            is_next = order == index
            # Later elements stay zero: values at random could grow from step to step.
            return index + 1, tf.where(is_next, (z - shift) * tf.exp(-new), u), tf.where(is_next, new, log_scale)

        # Every pass has the shape of the outputs, also where parameters have more leading axes than z.
        _, *start = step(tf.constant(0), tf.zeros_like(z), tf.zeros_like(z))
        _, u, log_scale = tf.while_loop(
            lambda index, *_: index < size, step, (tf.constant(1), *start), maximum_iterations=size - 1
        )
        return u, tf.reduce_sum(log_scale, axis=-1)

    def _shift_and_log_scale(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        inputs = (u,) if self.context(parameters) is None else (u, self.context(parameters))
        shift, raw = tf.unstack(tf.cast(self.network(*inputs), u.dtype), num=2, axis=-1)
        return shift, bounded_log_scale(raw)
