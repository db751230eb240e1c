"""Distribution layer for von Mises-Fisher distributions on the unit sphere."""

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
    """Von Mises-Fisher distribution over unit vectors, the posterior of a hyperspherical VAE.

    Its prior is `tfd.SphericalUniform(D)`. The KL to it depends only on the concentration, so unlike the KL of a normal
    it does not pull the latents to one point. All D dimensions share one concentration, which is a strong restriction
    for large D; prefer `MultivariateNormalDiag` in this case.

    Args:
        event_size: Number of dimensions of the space that contains the sphere, D, at least 2.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., D + 1]`: the mean direction, of any nonzero length; then the raw concentration.

    Returns:
        A `tfd.VonMisesFisher(mean_direction, concentration)` whose samples are differentiable with respect to both
        parameters, for every D.

    Raises:
        ValueError: If `event_size` is below 2.

    Numerics:
        concentration = softplus(raw) + 1e-5, so inputs of zero give an almost uniform distribution (concentration
        0.69). A direction of length zero is replaced by the first axis, with a gradient that leads away from it.
        Density, KL to the uniform distribution and gradients are accurate for concentrations from 0 to 1e6 and beyond,
        even in float32.

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
        """Creates the distribution from parameters `[..., event_size + 1]`."""
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
        """Returns the number of parameters of a distribution of this size."""
        return _at_least_two(event_size) + 1


def _at_least_two(event_size: int) -> int:
    size = event_size_of(event_size)
    if size < 2:
        raise ValueError(f"`event_size` must be an integer of at least 2. Received: event_size={size}")
    return size


def _normalize(direction: Tensor) -> Tensor:
    """Returns unit vectors.

    The input is first divided by its largest entry, so that squares neither overflow nor underflow.
    """
    size = tf.stop_gradient(tf.reduce_max(tf.abs(direction), axis=-1, keepdims=True))
    is_zero = size < 1e-18
    first_axis = tf.one_hot(0, direction.shape[-1], dtype=direction.dtype)
    direction = tf.where(is_zero, direction + first_axis, direction / tf.where(is_zero, tf.ones_like(size), size))
    return direction / tf.norm(direction, axis=-1, keepdims=True)
