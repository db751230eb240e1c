"""Distribution layer for sticks with logit-normal fractions."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import softplus_scale
from tfvae._serialization import register
from tfvae.layers import _normal
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


@register
class LogitNormalSticks(EventSizeLayer):
    """Log-odds of independent logit-normal fractions, which are independent normal variables.

    The difference to `MultivariateNormalDiag` is the form: the KL to `tfvae.priors.StickBreaking` is found for each
    dimension, by the entropy in closed form and quadrature for the mean of softplus(u).

    Args:
        event_size: Number of log-odds, K - 1 for K shares.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 (K - 1)]`: loc, then raw scale.

    Returns:
        `Independent(Normal(loc, scale))` of log-odds `[..., K - 1]`.

    Raises:
        ValueError: If `event_size` is below 1.

    Numerics:
        scale = softplus(raw_scale) + 1e-5.

    References:
        Nalisnick & Smyth, Stick-Breaking Variational Autoencoders, 2017, arXiv 1605.06197, section 4.1.
    """

    @staticmethod
    def new(params: Tensor, event_size: int, validate_args: bool = False, name: str | None = None) -> Distribution:
        """Creates the distribution from parameters `[..., 2 * event_size]`."""
        loc, raw_scale = tf.split(tf.convert_to_tensor(params), [event_size, event_size], axis=-1)
        sticks = _normal.Normal(loc, softplus_scale(raw_scale), validate_args=validate_args)
        return tfd.Independent(sticks, 1, validate_args=validate_args, name=name or "LogitNormalSticks")

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return 2 * event_size_of(event_size)
