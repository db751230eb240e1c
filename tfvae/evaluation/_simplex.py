"""A bijector from unconstrained numbers to shares that add up to one."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor


class Simplex(tfp.bijectors.Bijector):
    """The map z = softmax([u, 0]) from u `[..., D - 1]` to z `[..., D]`.

    TFP's `SoftmaxCentered` is the same map, but it measures volume on the simplex itself, while the densities of
    `Dirichlet` and `RelaxedOneHotCategorical` are with respect to the first D - 1 shares. Their integrals would be too
    large by sqrt(D). TFP 0.25 also fails to construct it under NumPy 2.4.
    """

    def __init__(self, name: str = "simplex"):
        parameters: dict[str, Any] = {"name": name}
        super().__init__(forward_min_event_ndims=1, is_constant_jacobian=False, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        return {}

    def _forward(self, u: Tensor) -> Tensor:
        return tf.nn.softmax(_with_zero(u))

    def _inverse(self, z: Tensor) -> Tensor:
        log_z = tf.math.log(z)
        return log_z[..., :-1] - log_z[..., -1:]

    def _forward_log_det_jacobian(self, u: Tensor) -> Tensor:
        return tf.reduce_sum(tf.nn.log_softmax(_with_zero(u)), axis=-1)  # the product of all shares

    def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        return shape[:-1].concatenate(shape[-1] + 1)

    def _forward_event_shape_tensor(self, shape: Tensor) -> Tensor:
        return tf.concat([shape[:-1], shape[-1:] + 1], 0)

    def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        return shape[:-1].concatenate(shape[-1] - 1)

    def _inverse_event_shape_tensor(self, shape: Tensor) -> Tensor:
        return tf.concat([shape[:-1], shape[-1:] - 1], 0)


def _with_zero(u: Tensor) -> Tensor:
    return tf.concat([u, tf.zeros_like(u[..., :1])], axis=-1)
