"""Distribution layer for normal distributions with a diagonal covariance, the paper's posterior."""

import tensorflow as tf

from tfvae._numerics import softplus_scale
from tfvae._serialization import register
from tfvae.layers import _normal
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.typing import Distribution, Tensor


@register
class MultivariateNormalDiag(EventSizeLayer):
    """Normal distribution N(loc, diag(scale^2)): the approximate posterior of Kingma & Welling 2013, equation 9.

    Args:
        event_size: Number of dimensions, D.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 D]`: loc, then raw scale.

    Returns:
        `MultivariateNormalDiag(loc, scale_diag)`.

    Numerics:
        scale = softplus(raw_scale) + 1e-5. It grows more slowly than the paper's exp(log_var / 2), and is bounded away
        from zero.
    """

    @staticmethod
    def new(params: Tensor, event_size: int, validate_args: bool = False, name: str | None = None) -> Distribution:
        """Creates the distribution from parameters `[..., 2 * event_size]`."""
        loc, raw_scale = tf.split(tf.convert_to_tensor(params), [event_size, event_size], axis=-1)
        return _normal.MultivariateNormalDiag(
            loc, softplus_scale(raw_scale), validate_args=validate_args, name=name or "MultivariateNormalDiag"
        )

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return 2 * event_size_of(event_size)
