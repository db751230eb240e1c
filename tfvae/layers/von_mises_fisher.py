"""A posterior on the sphere."""

from typing import Any

import tensorflow as tf

from tfvae._numerics import softplus_scale
from tfvae._serialization import register
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._von_mises_fisher import ReparameterizedVonMisesFisher
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor


@register
class VonMisesFisher(EventSizeLayer):
    """The von Mises-Fisher distribution over unit vectors: the posterior of a hyperspherical VAE.

    Its prior is `tfd.SphericalUniform(D)`, to which the KL depends on the concentration alone: unlike a normal's it
    does not draw the latents to one point. The one concentration serves all D dimensions, a strong restriction where
    there are many; prefer `MultivariateNormalDiag` there.

    Args:
        event_size: D, the number of dimensions of the space that the sphere lies in, at least 2.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., D + 1]`: the mean direction, of any length but zero; then the raw concentration.

    Returns:
        A `tfd.VonMisesFisher(mean_direction, concentration)` whose samples are differentiable by both parameters, for
        every D.

    Raises:
        ValueError: for an event size below 2.

    Numerics:
        concentration = softplus(raw) + 1e-5, so that zeros give nearly the uniform distribution (0.69). A direction
        of zero length counts as the first axis, with that axis' gradient, which leads away from it. Density, KL to the
        uniform distribution and gradients are accurate for concentrations from 0 to 1e6 and beyond, in float32 too.

    Example:
        >>> encoder = keras.Sequential([keras.layers.Dense(VonMisesFisher.params_size(8)), VonMisesFisher(8)])
        >>> vae = tfvae.models.VAE(encoder, decoder, prior=tfvae.priors.Fixed(tfd.SphericalUniform(8)))

    References:
        Davidson, Falorsi, De Cao, Kipf & Tomczak, Hyperspherical Variational Auto-Encoders, 2018, arXiv 1804.00891.
    """

    def __init__(
        self,
        event_size: int,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_size, convert_to_tensor_fn, validate_args, **kwargs)
        _at_least_two(self.event_size)

    @staticmethod
    def new(params: Tensor, event_size: int, validate_args: bool = False, name: str | None = None) -> Distribution:
        """The distribution with these parameters `[..., event_size + 1]`."""
        event_size = _at_least_two(event_size)
        direction, raw_concentration = tf.split(tf.convert_to_tensor(params), [event_size, 1], axis=-1)
        return ReparameterizedVonMisesFisher(
            _normalize(direction),
            softplus_scale(raw_concentration[..., 0]),
            validate_args=validate_args,
            name=name or "VonMisesFisher",
        )

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """The number of parameters a distribution of this size takes."""
        return _at_least_two(event_size) + 1


def _at_least_two(event_size: int) -> int:
    size = event_size_of(event_size)
    if size < 2:
        raise ValueError(f"A sphere lies in at least 2 dimensions: event_size is at least 2. Received: {size}.")
    return size


def _normalize(direction: Tensor) -> Tensor:
    """Unit vectors; in units of the largest entry, whose square neither overflows nor vanishes."""
    size = tf.stop_gradient(tf.reduce_max(tf.abs(direction), axis=-1, keepdims=True))
    is_zero = size < 1e-18
    first_axis = tf.one_hot(0, direction.shape[-1], dtype=direction.dtype)
    direction = tf.where(is_zero, direction + first_axis, direction / tf.where(is_zero, tf.ones_like(size), size))
    return direction / tf.norm(direction, axis=-1, keepdims=True)
