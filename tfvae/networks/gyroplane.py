"""Layer of signed distances to hyperplanes of the Poincare ball."""

import math
from typing import Any

import tensorflow as tf

from tfvae._poincare import conformal_factor, project
from tfvae._serialization import register
from tfvae.networks._ball_dense import BallDense
from tfvae.networks._ball_inputs import as_points
from tfvae.networks._products import multiply_kernel
from tfvae.typing import Tensor

_MAX_OFFSET = 40.0


@register
class Gyroplane(BallDense):
    """Signed distances to hyperplanes of the Poincare ball, times weights: what `Dense` is for real vectors.

    A dense layer computes |a| times the signed distance of x from the hyperplane <a, x> + b = 0. This layer does the
    same with the distance in the ball, and hyperplanes that consist of geodesics. It is the first layer of a decoder of
    hyperbolic latents (`tfvae.layers.PoincareNormal`, `RiemannianNormal`), after which ordinary layers follow. Unlike
    a dense layer, it separates points near the boundary, whose coordinates hardly differ.

    Args:
        units: Number of hyperplanes.
        curvature: Curvature c of the ball, above 0.
        activation: Activation of the outputs.
        use_bias: Whether hyperplanes have an offset. Without it they contain the origin.
        kernel_initializer: Initializer of the normals a of the hyperplanes, `[D, units]`.
        bias_initializer: Initializer of the offsets, the distances of the origin from the hyperplanes, with sign.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: Points `[..., D]`. Points outside the ball are moved to its boundary.

    Returns:
        activation(|a| d(z, H)) `[..., units]`. As c goes to zero, |a| d(z, H) becomes <a, 2 z> + |a| b.

    Raises:
        ValueError: If `units` is below 1, `curvature` is not above 0, or Keras does not know the activation.

    Numerics:
        d(z, H) = asinh(lambda_z sqrt(c) <a, z> / |a| cosh(o) + (lambda_z - 1) sinh(o)) / sqrt(c) with o = sqrt(c) b,
        lambda_z = 2 / (1 - c |z|^2). It takes one matrix product, and no point of the hyperplane. It is computed in
        float32 at least, and o is limited to 40. Under mixed precision, begin a `Sequential` decoder with
        `keras.Input((D,), dtype="float32")`, because Keras otherwise rounds z before this layer.

    References:
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3 (gyroplane layer).
        Ganea, Becigneul & Hofmann, Hyperbolic Neural Networks, 2018, arXiv 1805.09112, section 3.1.
        Shimizu, Mukuta & Harada, Hyperbolic Neural Networks++, 2021, arXiv 2006.08210, section 3.1 (offsets as
        distances).
    """

    def call(self, z: Any) -> Tensor:
        points = project(as_points(self, z), self.curvature)
        unit = math.sqrt(self.curvature)
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), points.dtype)
        length = tf.sqrt(tf.reduce_sum(tf.square(kernel), axis=0) + _tiny(points.dtype))  # [units]
        factor = conformal_factor(points, self.curvature)
        sinh_distance = factor * unit * multiply_kernel(points, kernel / length)
        if self.bias is not None:
            offset = unit * tf.cast(tf.convert_to_tensor(self.bias), points.dtype)
            offset = tf.clip_by_value(offset, -_MAX_OFFSET, _MAX_OFFSET)
            sinh_distance = sinh_distance * tf.cosh(offset) + (factor - 1.0) * tf.sinh(offset)
        found = tf.cast(length / unit * tf.asinh(sinh_distance), self.compute_dtype)
        return self.activation(found)

    def compute_output_shape(self, z_shape: Any) -> tuple[Any, ...]:
        return (*z_shape[:-1], self.units)


def _tiny(dtype: tf.DType) -> Tensor:
    return tf.constant(1e-30, dtype)
