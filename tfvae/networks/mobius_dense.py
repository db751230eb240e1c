"""Dense layer between Poincare balls."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._poincare import exp_origin, log_origin, mobius_add
from tfvae._serialization import register
from tfvae.networks._ball_dense import BallDense
from tfvae.networks._ball_inputs import as_points
from tfvae.networks._products import multiply_kernel
from tfvae.typing import Tensor


@register
class MobiusDense(BallDense):
    """Dense layer from points of a Poincare ball to points of another one of the same curvature.

    It maps points to the tangent space of the origin, multiplies them by the kernel, maps the result back, and adds the
    bias, a point of the ball, by Mobius addition. After it, `PoincareLogMap` leads to ordinary layers. Prefer
    `Gyroplane` as the only hyperbolic layer of a decoder.

    Args:
        units: Number of dimensions of the outputs.
        curvature: Curvature c of both balls, above 0.
        activation: Activation, applied in the tangent space of the origin.
        use_bias: Whether to add a bias.
        kernel_initializer: Initializer of the kernel `[D, units]`.
        bias_initializer: Initializer of the bias in the tangent space of the origin, `[units]`.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: Points `[..., D]`. Points outside the ball are moved to its boundary.

    Returns:
        Points `[..., units]`, float32 also under mixed precision.

    Raises:
        ValueError: If `units` is below 1, `curvature` is not above 0, or Keras does not know the activation.

    References:
        Ganea, Becigneul & Hofmann, Hyperbolic Neural Networks, 2018, arXiv 1805.09112, section 3.2.
    """

    def call(self, z: Any) -> Tensor:
        points = as_points(self, z)
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), points.dtype)
        found = exp_origin(multiply_kernel(log_origin(points, self.curvature), kernel), self.curvature)
        if self.bias is not None:
            bias = tf.cast(tf.convert_to_tensor(self.bias), points.dtype)
            found = mobius_add(found, exp_origin(bias, self.curvature), self.curvature)
        if self.activation is not keras.activations.linear:
            found = exp_origin(self.activation(log_origin(found, self.curvature)), self.curvature)
        return found

    def compute_output_spec(self, z: Any) -> keras.KerasTensor:
        dtype = "float64" if self.variable_dtype == "float64" else "float32"
        return keras.KerasTensor((*z.shape[:-1], self.units), dtype=dtype)
