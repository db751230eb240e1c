"""Distribution layer for wrapped normals on the Poincare ball."""

from typing import Any

import tensorflow as tf

from tfvae._numerics import softplus_scale
from tfvae._poincare import checked_curvature
from tfvae._serialization import register
from tfvae.layers._ball_parameters import ball_loc
from tfvae.layers._ball_wrapped_normal import BallWrappedNormal
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor


@register
class PoincareNormal(EventSizeLayer):
    """Wrapped normal on the Poincare ball, the posterior of a VAE with hyperbolic latents.

    z are the points with c |z|^2 < 1. Distances grow without limit towards the boundary, and the volume within a
    distance grows exponentially, as the number of nodes of a tree with its depth. A draw is the end of a geodesic from
    the location, whose initial velocity v ~ N(0, diag(scale^2)). Its prior is `tfvae.priors.PoincareNormal` or
    `tfvae.priors.RiemannianNormal` of the same curvature. Prefer it to `RiemannianNormal` if dimensions need scales of
    their own, or for many dimensions; its draws are cheaper too.

    A dense layer can take z. Near the boundary, where coordinates hardly differ, `tfvae.networks.Gyroplane` or
    `tfvae.networks.PoincareLogMap` is a better first layer of the decoder.

    Args:
        event_size: Number of dimensions, D.
        curvature: The ball has the curvature -c and the radius 1 / sqrt(c); c is above 0. As c goes to zero, 2 z
            becomes a normal variable N(2 loc, diag(scale^2)).
        isotropic: Whether all dimensions have the same scale.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 D]`, or `[..., D + 1]` if isotropic: the location in the tangent space of the
            origin, then raw scales.

    Returns:
        A distribution of points `[..., D]` with reparameterised draws. `log_prob` is the density with respect to dz,
        which contains D log lambda_z, lambda_z = 2 / (1 - c |z|^2). The literature has densities with respect to the
        volume lambda_z^D dz of the ball; the KL is the same. `mean` and `stddev` of z have no closed form: they are
        averages over 128 fixed draws.

    Raises:
        ValueError: If `event_size` is below 1, or `curvature` is not above 0.

    Numerics:
        loc = tanh(sqrt(c) |raw|) raw / (sqrt(c) |raw|), at the distance 2 |raw| from the origin; scale =
        softplus(raw_scale) + 1e-5, in units of distance. In float32, points end at sqrt(c) |z| = 1 - 1e-5, the distance
        12.2 / sqrt(c) from the origin, in float64 at 1 - 1e-10 (23.7). Locations and draws beyond it are moved there,
        and nothing is NaN, but the density does not count such draws: choose a smaller curvature if they are many.

    Example:
        >>> encoder = keras.Sequential([keras.layers.Dense(PoincareNormal.params_size(2)), PoincareNormal(2)])
        >>> decoder = keras.Sequential([tfvae.networks.Gyroplane(64, activation="relu"), keras.layers.Dense(784), ...])
        >>> vae = tfvae.models.VAE(encoder, decoder, prior=tfvae.priors.PoincareNormal(2))

    References:
        Nagano, Yamaguchi, Fujita & Koyama, A Wrapped Normal Distribution on Hyperbolic Space for Gradient-Based
        Learning, 2019, arXiv 1902.02992, section 3.
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3.
    """

    def __init__(
        self,
        event_size: int,
        curvature: float = 1.0,
        isotropic: bool = False,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_size, convert_to_tensor_fn, validate_args, **kwargs)
        self.curvature = checked_curvature(curvature)
        self.isotropic = bool(isotropic)

    @property
    def parameters_size(self) -> int | None:
        return self._known_size(self.params_size(self.event_size, self.isotropic))

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.curvature, self.isotropic, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        event_size: int,
        curvature: float = 1.0,
        isotropic: bool = False,
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution from parameters `[..., params_size(event_size, isotropic)]`."""
        size, curvature = event_size_of(event_size), checked_curvature(curvature)
        raw_loc, raw_scale = tf.split(tf.convert_to_tensor(params), [size, 1 if isotropic else size], axis=-1)
        return BallWrappedNormal(
            ball_loc(raw_loc, curvature),
            softplus_scale(raw_scale),
            curvature,
            validate_args=validate_args,
            name=name or "PoincareNormal",
        )

    @staticmethod
    def params_size(event_size: int, isotropic: bool = False, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        size = event_size_of(event_size)
        return size + 1 if isotropic else 2 * size

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "curvature": self.curvature, "isotropic": self.isotropic}
