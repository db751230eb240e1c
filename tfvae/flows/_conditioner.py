"""The network of a coupling transform: what it does to one half of the elements, given the other half."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae._serialization import register
from tfvae.networks._products import multiply_kernel
from tfvae.typing import Tensor


@register
class Conditioner(keras.layers.Layer):
    """Dense network that computes parameters of each element of one half from the other half, which stays as it is.

    It also splits and joins the halves. Its last layer is initialised to zero.

    Args:
        hidden_units: Number of units of each hidden layer.
        num_outputs: Number of raw parameters of each element that moves, P.
        context_size: Size of the second input, C; 0 for none.
        activation: Activation of the hidden layers.
        moves_first: Whether the first elements move, given the last ones.
        seed: Integer seed of the initial kernels, or None.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        hidden_units: Sequence[int],
        num_outputs: int,
        context_size: int,
        activation: Any,
        moves_first: bool,
        seed: int | None,
        **kwargs: Any,
    ):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.hidden_units, self.num_outputs, self.context_size = tuple(hidden_units), num_outputs, context_size
        self.activation, self.moves_first, self.seed = keras.activations.get(activation), moves_first, seed
        self.kernels: list[Any] = []
        self.biases: list[Any] = []

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        self.num_kept = size // 2  # the larger half moves
        inputs, outputs = self.num_kept, (size - self.num_kept) * self.num_outputs
        sizes = [*self.hidden_units, outputs]
        for k, units in enumerate(sizes):
            is_last = k == len(sizes) - 1
            self.kernels.append(self._weight(f"kernel_{k}", (inputs, units), 2 * k, is_last))
            self.biases.append(self._weight(f"bias_{k}", (units,), 0, True))
            if k == 0 and self.context_size:
                self.context_kernel = self._weight("context_kernel", (self.context_size, units), 1, is_last)
            inputs = units
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...], index: int, is_zero: bool) -> Any:
        seed = None if self.seed is None else self.seed + index
        initializer = keras.initializers.Zeros() if is_zero else keras.initializers.GlorotUniform(seed=seed)
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the elements that stay `[..., D // 2]` and those that move `[..., D - D // 2]`."""
        if self.moves_first:
            count = values.shape[-1] - self.num_kept
            return values[..., count:], values[..., :count]
        return values[..., : self.num_kept], values[..., self.num_kept :]

    def join(self, kept: Tensor, moved: Tensor) -> Tensor:
        """Returns all elements `[..., D]`; the leading axes may be those of the context."""
        if kept.shape[:-1] != moved.shape[:-1]:
            kept = tf.broadcast_to(kept, tf.concat([tf.shape(moved)[:-1], tf.shape(kept)[-1:]], axis=0))
        return tf.concat([moved, kept] if self.moves_first else [kept, moved], axis=-1)

    def call(self, kept: Tensor, context: Tensor | None) -> Tensor:
        """Computes raw parameters `[..., D - D // 2, P]` of the elements that move."""
        hidden = tf.cast(kept, self.variable_dtype)
        for k, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            output = multiply_kernel(hidden, tf.convert_to_tensor(kernel)) + tf.convert_to_tensor(bias)
            if k == 0 and context is not None:
                output += multiply_kernel(
                    tf.cast(context, self.variable_dtype), tf.convert_to_tensor(self.context_kernel)
                )
            hidden = output if k == len(self.kernels) - 1 else self.activation(output)
        shape = tf.concat([tf.shape(hidden)[:-1], [hidden.shape[-1] // self.num_outputs, self.num_outputs]], axis=0)
        return tf.cast(tf.reshape(hidden, shape), kept.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "num_outputs": self.num_outputs,
            "context_size": self.context_size,
            "activation": keras.activations.serialize(self.activation),
            "moves_first": self.moves_first,
            "seed": self.seed,
        }
