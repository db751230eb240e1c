"""Checks of latents that move freely: one tensor of real numbers."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import INDEPENDENT, SAMPLE
from tfvae.typing import Distribution

tfb, tfd = tfp.bijectors, tfp.distributions

_OVERRIDE = "_default_event_space_bijector"  # what classes of TFP define
# TFP gives them the bijectors of other spaces.
_SPHERES = (tfd.VonMisesFisher, tfd.SphericalUniform, tfd.PowerSpherical)


def require_tensor(event_shape: Any, estimator: Any) -> tuple[int, ...]:
    """Returns the shape of one z as a tuple.

    Raises:
        ValueError: If z has several parts, or its shape is not known.
    """
    is_one = isinstance(event_shape, tf.TensorShape | tuple | list)
    if not is_one or not all(isinstance(size, int) for size in event_shape):
        raise ValueError(
            f"{type(estimator).__name__} moves z along the gradient of log p(x, z), and needs a z that is one tensor "
            "of known shape. Use SGVB() or DReG(5) for a z of several parts, or make it one vector. "
            f"Received: latents of event_shape={event_shape}"
        )
    return tuple(event_shape)


def require_real(distribution: Distribution, estimator: Any) -> None:
    """Raises ValueError if a distribution of z is discrete, or its support is known not to be all real numbers."""
    if not distribution.dtype.is_floating or not _is_on_real_numbers(distribution):
        raise ValueError(
            f"{type(estimator).__name__} moves z along the gradient of log p(x, z), and needs latents that may be any "
            "real numbers. Use another estimator, such as SGVB() or DReG(5), or a posterior and a prior on real "
            f"numbers. Received: {distribution!r}"
        )


def _is_on_real_numbers(distribution: Any) -> bool:
    """Whether the support is all real numbers; true if it is not known."""
    if isinstance(distribution, _SPHERES):
        return False
    if isinstance(distribution, INDEPENDENT | SAMPLE):
        return _is_on_real_numbers(distribution.distribution)
    if isinstance(distribution, tfd.MixtureSameFamily):
        return _is_on_real_numbers(distribution.components_distribution)
    if getattr(type(distribution), _OVERRIDE, None) is getattr(tfd.TransformedDistribution, _OVERRIDE):
        return True  # a flow, unlike `tfd.LogNormal`, which declares a bijector of its own
    try:
        bijector = distribution.experimental_default_event_space_bijector()
    except NotImplementedError:
        return True
    except TypeError:  # what TFP 0.25 builds on SoftmaxCentered, under NumPy 2.4
        return False
    return bijector is None or isinstance(bijector, tfb.Identity)
