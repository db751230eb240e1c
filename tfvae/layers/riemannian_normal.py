"""Distribution layer for Riemannian normals on the Poincare ball."""

from typing import Any

import tensorflow as tf

from tfvae._numerics import softplus_scale
from tfvae._poincare import checked_curvature
from tfvae._serialization import register
from tfvae.layers._ball_parameters import ball_loc, capped_scale
from tfvae.layers._ball_riemannian_normal import BallRiemannianNormal
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor


@register
class RiemannianNormal(EventSizeLayer):
    """Riemannian normal on the Poincare ball: p(z) proportional to exp(-d(z, loc)^2 / (2 scale^2)) by volume.

    The other posterior of a VAE with hyperbolic latents, beside `PoincareNormal`. It has one scale for all dimensions,
    and the largest entropy for its expected squared distance from the location. Take it for few dimensions: the volume
    grows as exp((D - 1) sqrt(c) r), so its draws are about (D - 1) sqrt(c) scale^2 from the location. Its prior is
    `tfvae.priors.RiemannianNormal` or `tfvae.priors.PoincareNormal` of the same curvature.

    Args:
        event_size: Number of dimensions, D.
        curvature: The ball has the curvature -c and the radius 1 / sqrt(c); c is above 0. As c goes to zero, 2 z
            becomes a normal variable N(2 loc, scale^2 I).
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., D + 1]`: the location in the tangent space of the origin, then the raw scale.

    Returns:
        A distribution of points `[..., D]` with reparameterised draws. `log_prob` is the density with respect to dz, as
        that of `PoincareNormal`. `mean` and `stddev` of z have no closed form: they are averages over 128 fixed draws.

    Raises:
        ValueError: If `event_size` is below 1, or `curvature` is not above 0.

    Numerics:
        loc and the limits of points are those of `PoincareNormal`. scale = softplus(raw_scale) + 1e-5, at most the one
        with (D - 1) s^2 + 3 s = 12.2 (23.7 in float64) for s = sqrt(c) scale, so that few draws of a distribution at
        the origin are beyond the limit. The normalising constant comes from quadrature, because its closed form, an
        alternating sum, cancels; radii from Newton's method on the distribution function, with implicit gradients.

    Example:
        >>> encoder = keras.Sequential([keras.layers.Dense(RiemannianNormal.params_size(2)), RiemannianNormal(2)])
        >>> vae = tfvae.models.VAE(encoder, decoder, prior=tfvae.priors.RiemannianNormal(2))

    References:
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3.
    """

    def __init__(
        self,
        event_size: int,
        curvature: float = 1.0,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_size, convert_to_tensor_fn, validate_args, **kwargs)
        self.curvature = checked_curvature(curvature)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.curvature, self.validate_args)

    @staticmethod
    def new(
        params: Tensor, event_size: int, curvature: float = 1.0, validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """Creates the distribution from parameters `[..., event_size + 1]`."""
        size, curvature = event_size_of(event_size), checked_curvature(curvature)
        raw_loc, raw_scale = tf.split(tf.convert_to_tensor(params), [size, 1], axis=-1)
        return BallRiemannianNormal(
            ball_loc(raw_loc, curvature),
            capped_scale(softplus_scale(raw_scale[..., 0]), size, curvature),
            curvature,
            validate_args=validate_args,
            name=name or "RiemannianNormal",
        )

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return event_size_of(event_size) + 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "curvature": self.curvature}
