"""Base class of the transforms of a normalizing flow."""

from typing import Any

import keras
import numpy as np

from tfvae.flows._transform_bijector import TransformBijector
from tfvae.typing import Tensor


class Transform(keras.layers.Layer):
    """Base class of invertible maps z = f(u) of vectors, the steps of a normalizing flow.

    A transform has parameters for each example, which an encoder computes (or which are weights of a prior), and may
    have weights that all examples share. `tfvae.layers.NormalizingFlow` makes posteriors of transforms, and
    `tfvae.priors.Flow` priors.

    Subclasses define `params_size`, `forward` and `inverse`, create weights in `build`, and save their arguments in
    `get_config`. Raw parameters are any real numbers: the transform maps them to its constraints.

    Args:
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        u: Vectors `[..., D]`.
        parameters: Raw parameters `[..., params_size(D)]`. Their leading axes broadcast against those of u.

    Returns:
        The vectors z `[..., D]`.

    References:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, 2015, arXiv 1505.05770.
    """

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("autocast", False)  # half precision is not accurate enough to invert a flow
        super().__init__(**kwargs)

    def params_size(self, event_size: int) -> int:
        """Returns the number of raw parameters of one example, P, for vectors of `event_size` elements."""
        raise NotImplementedError(f"{type(self).__name__} must define params_size.")

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Computes z = f(u) `[..., D]` and log |det dz/du| `[...]` from raw parameters `[..., P]`."""
        raise NotImplementedError(f"{type(self).__name__} must define forward.")

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Computes u = f^-1(z) `[..., D]`, and log |det dz/du| `[...]` there. Both have gradients."""
        raise NotImplementedError(f"{type(self).__name__} must define inverse.")

    def initial_parameters(self, event_size: int, rng: np.random.Generator) -> np.ndarray:
        """Draws raw parameters `[P]` at which the transform is the identity and from which it can be trained."""
        return np.zeros(self.params_size(event_size))

    def bijector(self, parameters: Tensor) -> Any:
        """Returns the TFP bijector u -> z with these raw parameters `[..., P]`."""
        return TransformBijector(self, parameters)

    def build(self, input_shape: Any) -> None:
        """Creates the weights for vectors of `input_shape[-1]` elements."""
        self.built = True

    def call(self, u: Tensor, parameters: Tensor) -> Tensor:
        return self.forward(u, parameters)[0]


def checked_transforms(transforms: Any) -> list[Transform]:
    """Returns the list of transforms.

    Raises:
        TypeError: If it is not a sequence of transforms.
        ValueError: If it is empty or has one twice.
    """
    if not isinstance(transforms, list | tuple) or not all(isinstance(one, Transform) for one in transforms):
        raise TypeError(
            "`transforms` must be a list of transforms of tfvae.flows, such as [tfvae.flows.Planar()]. "
            f"Received: transforms={transforms!r}"
        )
    if not transforms or len({id(one) for one in transforms}) < len(transforms):
        raise ValueError(
            "`transforms` must have at least one transform, and each one once. To repeat a step, create another "
            f"transform of the same class. Received: transforms={transforms!r}"
        )
    return list(transforms)
