"""Base class of distributions that have the shapes of another distribution."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor


class SameShape(tfp.distributions.Distribution):
    """Base class of distributions with the batch shape, event shape and properties of a `distribution`.

    Args:
        distribution: The other distribution.
        name: Name of this distribution.
        **parameters: Further arguments of the subclass.
    """

    def __init__(self, distribution: Distribution, name: str, **parameters: Any):
        self.distribution = distribution
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=distribution.reparameterization_type,
            validate_args=distribution.validate_args,
            allow_nan_stats=distribution.allow_nan_stats,
            parameters={"distribution": distribution, **parameters},
            name=name,
        )

    def _batch_shape(self) -> tf.TensorShape:
        return self.distribution.batch_shape

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return self.distribution.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return self.distribution.event_shape

    def _event_shape_tensor(self) -> Tensor:
        return self.distribution.event_shape_tensor()
