"""Distribution layer for normal distributions with a full covariance."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import softplus_scale
from tfvae._serialization import register
from tfvae.layers import _normal
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.typing import Distribution, Tensor


@register
class MultivariateNormalTriL(EventSizeLayer):
    """Normal distribution N(loc, L L^T) with a lower triangular L, for correlated latent dimensions.

    Prefer `MultivariateNormalDiag` unless correlations matter. This layer has D (D + 3) / 2 parameters instead of 2 D.

    Args:
        event_size: Number of dimensions, D.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., D (D + 3) / 2]`: loc, then the triangle in the order of `tfp.math.fill_triangular`.

    Returns:
        `MultivariateNormalTriL(loc, scale_tril)`.

    Numerics:
        The diagonal of L is softplus(raw) + 1e-5.
    """

    @staticmethod
    def new(params: Tensor, event_size: int, validate_args: bool = False, name: str | None = None) -> Distribution:
        """Creates the distribution from parameters `[..., event_size (event_size + 3) / 2]`."""
        # TFP's `new` computes the same values, but XLA cannot compile the gradient of its `set_diag` for an unknown
        # batch size.
        loc, raw = tf.split(tf.convert_to_tensor(params), [event_size, event_size * (event_size + 1) // 2], axis=-1)
        raw_scale = tfp.math.fill_triangular(raw)  # [..., D, D]
        is_diagonal = tf.eye(event_size, dtype=tf.bool)
        return _normal.MultivariateNormalTriL(
            loc,
            tf.where(is_diagonal, softplus_scale(raw_scale), raw_scale),
            validate_args=validate_args,
            name=name or "MultivariateNormalTriL",
        )

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        size = event_size_of(event_size)
        return size * (size + 3) // 2
