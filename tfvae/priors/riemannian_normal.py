"""Riemannian normal prior on the Poincare ball."""

import keras
import tensorflow as tf

from tfvae._serialization import PACKAGE
from tfvae.layers._ball_parameters import capped_scale, max_riemannian_scale
from tfvae.layers._ball_riemannian_normal import BallRiemannianNormal
from tfvae.priors._ball_prior import BallPrior
from tfvae.typing import Distribution


@keras.saving.register_keras_serializable(package=PACKAGE, name="RiemannianNormalPrior")  # as the layer's short name
class RiemannianNormal(BallPrior):
    """Riemannian normal at the origin of the Poincare ball, the prior of `tfvae.layers.RiemannianNormal`.

    Most draws are at the distance (D - 1) sqrt(c) scale^2 from the origin if this is large, so a scale of 1 is for few
    dimensions. The KL has no closed form, so estimators compute it from draws.

    Args:
        latent_size: Number of latent dimensions, D.
        curvature: Curvature c of the ball, that of the posterior.
        scale: Scale, in units of distance.
        learned: Whether the scale is trained, from `scale` on.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        ValueError: If `latent_size` is below 1, or `curvature` or `scale` is not above 0, or `scale` is so large that
            draws round to the boundary of the ball: if (D - 1) s^2 + 3 s is above 12.2 for s = sqrt(c) scale, or above
            23.7 in float64.

    References:
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3.
    """

    max_scale = staticmethod(max_riemannian_scale)

    def distribution(self) -> Distribution:
        loc = tf.zeros([self.latent_size], self.distribution_dtype)
        scale = capped_scale(self.current_scale, self.latent_size, self.curvature)
        return BallRiemannianNormal(loc, scale, self.curvature, name="prior")
