"""A posterior with full covariance."""

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
    """N(loc, L L^T) with L lower triangular: a posterior whose latent dimensions may be correlated.

    Prefer `MultivariateNormalDiag` unless the correlations matter: this takes D (D + 3) / 2 parameters, not 2 D.

    Args:
        event_size: D, the number of dimensions.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., D (D + 3) / 2]`: loc, then the triangle as `tfp.math.fill_triangular` orders it.

    Returns:
        `MultivariateNormalTriL(loc, scale_tril)`.

    Numerics:
        The diagonal of L is softplus(raw) + 1e-5.
    """

    @staticmethod
    def new(params: Tensor, event_size: int, validate_args: bool = False, name: str | None = None) -> Distribution:
        """The distribution with these parameters `[..., event_size (event_size + 3) / 2]`."""
        # TFP's own `new` gives the same numbers, but the gradient of the `set_diag` in it does not compile under XLA
        # with a batch size that is unknown when traced.
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
        """The number of parameters a distribution of this size takes."""
        size = event_size_of(event_size)
        return size * (size + 3) // 2
