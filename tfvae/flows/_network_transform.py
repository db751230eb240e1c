"""What transforms with a network have in common: their arguments, and the bound of their log scales."""

from collections.abc import Sequence
from typing import Any

import keras

from tfvae._checks import whole_number
from tfvae._numerics import softly_bounded
from tfvae.flows.transform import Transform
from tfvae.typing import Tensor

# Bound on the absolute log scale of one transform.
_LOG_SCALE_BOUND = 3.0
_ORDERS = ("left-to-right", "right-to-left")


class NetworkTransform(Transform):
    """Base class of transforms whose network sees other elements of u, and a context that the encoder computes.

    The raw parameters of an example are its context, which is input of the network. The network is a weight of the
    transform.
    """

    def __init__(
        self,
        hidden_units: Sequence[int] = (64, 64),
        context_size: int = 0,
        activation: Any = "tanh",
        input_order: str = "left-to-right",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_units = tuple(whole_number(units, "hidden_units") for units in hidden_units)
        self.context_size = whole_number(context_size, "context_size", at_least=0)
        self.activation = keras.activations.get(activation)
        if input_order not in _ORDERS:
            raise ValueError(
                f"`input_order` must be {' or '.join(map(repr, _ORDERS))}. Received: input_order={input_order!r}"
            )
        self.input_order = input_order
        self.seed = seed

    @property
    def right_to_left(self) -> bool:
        """Whether the last elements come first."""
        return self.input_order == "right-to-left"

    def params_size(self, event_size: int) -> int:
        return self.context_size

    def context(self, parameters: Tensor) -> Tensor | None:
        """Returns the second input of the network `[..., context_size]`, or None."""
        return parameters if self.context_size else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "context_size": self.context_size,
            "activation": keras.activations.serialize(self.activation),
            "input_order": self.input_order,
            "seed": self.seed,
        }


def bounded_log_scale(raw: Tensor) -> Tensor:
    """Maps real numbers to log scales in (-3, 3), and zero to zero."""
    return softly_bounded(raw, _LOG_SCALE_BOUND)
