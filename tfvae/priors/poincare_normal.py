"""Wrapped normal prior on the Poincare ball."""

import keras
import tensorflow as tf

from tfvae._serialization import PACKAGE
from tfvae.layers._ball_parameters import max_wrapped_scale
from tfvae.layers._ball_wrapped_normal import BallWrappedNormal
from tfvae.priors._ball_prior import BallPrior
from tfvae.typing import Distribution


@keras.saving.register_keras_serializable(package=PACKAGE, name="PoincareNormalPrior")  # the layer has the short name
class PoincareNormal(BallPrior):
    """Wrapped normal at the origin of the Poincare ball, the prior of `tfvae.layers.PoincareNormal`.

    Draws are at the distance |v| from the origin for v ~ N(0, scale^2 I). The KL has no closed form, so estimators
    compute it from draws.

    Args:
        latent_size: Number of latent dimensions, D.
        curvature: Curvature c of the ball, that of the posterior.
        scale: Scale, in units of distance.
        learned: Whether the scale is trained, from `scale` on.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        ValueError: If `latent_size` is below 1, or `curvature` or `scale` is not above 0, or `scale` is so large that
            draws round to the boundary of the ball: if (sqrt(D) + 3) sqrt(c) scale is above 12.2, or 23.7 in float64.

    References:
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3.
    """

    max_scale = staticmethod(max_wrapped_scale)

    def distribution(self) -> Distribution:
        loc = tf.zeros([self.latent_size], self.distribution_dtype)
        return BallWrappedNormal(loc, self.current_scale[tf.newaxis], self.curvature, name="prior")
