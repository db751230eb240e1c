"""Layer from points of the Poincare ball to vectors."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._poincare import checked_curvature, log_origin
from tfvae._serialization import register
from tfvae.networks._ball_inputs import as_points
from tfvae.typing import Tensor


@register
class PoincareLogMap(keras.layers.Layer):
    """Logarithm map at the origin of the Poincare ball: vectors with the direction of z and the length d(0, z).

    As the first layer of a decoder, it lets any network take hyperbolic latents. It keeps directions and distances from
    the origin, but not distances between other points. `Gyroplane` uses these too.

    Args:
        curvature: Curvature c of the ball, above 0.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: Points `[..., D]`. Points outside the ball are moved to its boundary.

    Returns:
        Vectors 2 artanh(sqrt(c) |z|) z / (sqrt(c) |z|) of the shape of `z`.

    Raises:
        ValueError: If `curvature` is not above 0.

    Numerics:
        Computed in float32 at least. The result is at most 12.2 / sqrt(c) long, 23.7 / sqrt(c) in float64.

    References:
        Ganea, Becigneul & Hofmann, Hyperbolic Neural Networks, 2018, arXiv 1805.09112, lemma 2.
    """

    def __init__(self, curvature: float = 1.0, **kwargs: Any):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.curvature = checked_curvature(curvature)

    def call(self, z: Any) -> Tensor:
        return tf.cast(2.0 * log_origin(as_points(self, z), self.curvature), self.compute_dtype)

    def compute_output_shape(self, z_shape: Any) -> tuple[Any, ...]:
        return tuple(z_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "curvature": self.curvature}
