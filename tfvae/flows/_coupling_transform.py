"""What coupling transforms have in common: one half of the elements moves, by parameters from the other half."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae.flows._conditioner import Conditioner
from tfvae.flows._network_transform import NetworkTransform
from tfvae.typing import Tensor


class CouplingTransform(NetworkTransform):
    """Base class of transforms that move each element of one half by a function of it, which the other half determines.

    Subclasses define `num_raw`, `move` and `move_back`.
    """

    @property
    def num_raw(self) -> int:
        """The number of raw parameters of one function, P."""
        raise NotImplementedError(f"{type(self).__name__} must define num_raw.")

    def move(self, values: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Computes functions of values `[...]`, and their log slopes, from raw parameters `[..., P]`."""
        raise NotImplementedError(f"{type(self).__name__} must define move.")

    def move_back(self, values: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Computes the inverse functions of values `[...]`, and the log slopes of the functions there."""
        raise NotImplementedError(f"{type(self).__name__} must define move_back.")

    def build(self, input_shape: Any) -> None:
        self.conditioner = Conditioner(
            self.hidden_units,
            self.num_raw,
            self.context_size,
            self.activation,
            moves_first=self.right_to_left,
            seed=self.seed,
            trainable=self.trainable,
            dtype=self.dtype_policy,
            name="network",
        )
        self.conditioner.build(input_shape)
        self.built = True

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self._coupled(self.move, u, parameters)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self._coupled(self.move_back, z, parameters)

    def _coupled(
        self, function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], values: Tensor, parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        kept, moved = self.conditioner.split(values)
        moved, log_slope = function(moved, self.conditioner(kept, self.context(parameters)))
        return self.conditioner.join(kept, moved), tf.reduce_sum(log_slope, axis=-1)
