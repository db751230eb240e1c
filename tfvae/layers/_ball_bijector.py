"""Bijector from real vectors to the Poincare ball."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._poincare import exp_origin, log_origin, log_sinhc, norm
from tfvae.typing import Tensor

# The class of bijectors that are no composite tensors.
_Bijector: Any = tfp.bijectors.Bijector


class BallBijector(_Bijector):
    """Exponential map at the origin, from vectors u to points z = tanh(sqrt(c) |u|) u / (sqrt(c) |u|) of the ball.

    Args:
        curvature: Curvature c, for the ball c |z|^2 < 1.
        validate_args: Whether to check values at run time.
        name: Name of the bijector.

    Numerics:
        log |det dz/du| = log sech^2(t) + (D - 1) log(tanh(t) / t) with t = sqrt(c) |u|. z stays within the largest norm
        of `tfvae._poincare`.
    """

    def __init__(self, curvature: float, validate_args: bool = False, name: str = "ball"):
        self.curvature = float(curvature)
        super().__init__(
            forward_min_event_ndims=1,
            validate_args=validate_args,
            parameters={"curvature": curvature, "validate_args": validate_args, "name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        return {}

    def _forward(self, u: Tensor) -> Tensor:
        return exp_origin(u, self.curvature)

    def _inverse(self, z: Tensor) -> Tensor:
        return log_origin(z, self.curvature)

    def _forward_log_det_jacobian(self, u: Tensor) -> Tensor:
        t = math.sqrt(self.curvature) * norm(u)[..., 0]
        # log sech(t) = log 2 - t - softplus(-2 t); log(tanh(t) / t) = log(sinh(t) / t) + log sech(t).
        log_sech = math.log(2.0) - t - tf.nn.softplus(-2.0 * t)
        return 2.0 * log_sech + (u.shape[-1] - 1) * (log_sinhc(t) + log_sech)
