"""Masked network for autoregressive flows and densities."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._serialization import register
from tfvae.networks._checks import positive_size, positive_sizes
from tfvae.networks._products import multiply_kernel
from tfvae.typing import Shape, Tensor


@register
class AutoregressiveNetwork(keras.layers.Layer):
    """Masked dense network whose outputs for x_i depend only on the x_j before it in some order (MADE).

    The names and arguments are those of `tfb.AutoregressiveNetwork`, plus `seed`. Use `params=2` for a
    `tfb.MaskedAutoregressiveFlow` or a `tfvae.layers.AutoregressiveTransform`.

    Args:
        params: Number of outputs for each element of x, P.
        event_shape: Number of elements of x, D, or `(D,)`. None infers it from the first input.
        conditional: Whether the network has a second input, on which all outputs may depend.
        conditional_event_shape: Size of the second input, C, or `(C,)`.
        conditional_input_layers: "all_layers" adds the second input to every layer, "first_layer" only to the first.
        hidden_units: Number of units of each hidden layer. None and () mean no hidden layer.
        input_order: "left-to-right", "right-to-left", "random", or the position of each element, a permutation of
            1..D.
        hidden_degrees: Assignment of the hidden units to the positions 1..D-1, "equal" or "random".
        activation: Activation of the hidden layers.
        use_bias: Whether the layers have a bias.
        kernel_initializer: Initializer of the kernels, before masking. A seeded initializer gets a different seed for
            each kernel.
        bias_initializer: Initializer of the biases.
        kernel_regularizer: Regularizer of every kernel.
        bias_regularizer: Regularizer of every bias.
        kernel_constraint: Constraint on every kernel.
        bias_constraint: Constraint on every bias.
        validate_args: Whether to check inputs for NaN and infinity at run time. XLA ignores these checks.
        seed: Integer seed of the "random" order and degrees, saved in the configuration. None draws a random seed.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Data `[..., D]`.
        conditional_input: Second input `[..., C]`. Its leading axes broadcast against those of x.

    Returns:
        The outputs `[..., D, P]`.

    Raises:
        ValueError: If a size, the order or the degrees are invalid, or if a conditional input is missing or unexpected.

    Numerics:
        Kernels are masked in every forward pass, so an optimizer, a regulariser or `set_weights` cannot violate the
        order. The network computes in float32 (or float64 for a layer of that dtype) under any mixed-precision policy,
        because half precision is not accurate enough to invert a flow.

    Example:
        >>> made = AutoregressiveNetwork(params=2, event_shape=3, hidden_units=[10, 10], activation="relu")
        >>> made(np.zeros((5, 3))).shape
        TensorShape([5, 3, 2])

    References:
        Germain, Gregor, Murray & Larochelle, MADE: Masked Autoencoder for Distribution Estimation, 2015,
        arXiv 1502.03509, section 4.
    """

    def __init__(
        self,
        params: int,
        event_shape: Shape | int | None = None,
        conditional: bool = False,
        conditional_event_shape: Shape | int | None = None,
        conditional_input_layers: str = "all_layers",
        hidden_units: Sequence[int] | None = None,
        input_order: str | Sequence[int] = "left-to-right",
        hidden_degrees: str = "equal",
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        validate_args: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.params = positive_size(params, "params")
        self.event_shape = None if event_shape is None else _vector_shape(event_shape, "event_shape")
        self.conditional = conditional
        self.conditional_event_shape = (
            None
            if conditional_event_shape is None
            else _vector_shape(conditional_event_shape, "conditional_event_shape")
        )
        if conditional != (conditional_event_shape is not None):
            raise ValueError(
                "`conditional=True` and `conditional_event_shape` must be set together. "
                f"Received: conditional={conditional}, conditional_event_shape={conditional_event_shape}"
            )
        self.conditional_input_layers = _one_of(
            conditional_input_layers, ("all_layers", "first_layer"), "conditional_input_layers"
        )
        self.hidden_units = tuple(positive_sizes(hidden_units or (), "hidden_units"))
        self.input_order = (
            _one_of(input_order, ("left-to-right", "right-to-left", "random"), "input_order")
            if isinstance(input_order, str)
            else tuple(int(place) for place in input_order)
        )
        self.hidden_degrees = _one_of(hidden_degrees, ("equal", "random"), "hidden_degrees")
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.validate_args = validate_args
        # Drawn here, with the generator that `keras.utils.set_random_seed` seeds, and stored, because a loaded network
        # must have the same random order.
        self.seed = random.randrange(10**9) if seed is None else int(seed)  # noqa: S311
        self.kernels: list[Any] = []
        self.biases: list[Any] = []
        self.conditional_kernels: list[Any] = []
        if self.event_shape is not None:
            self._degrees(self.event_shape[0])  # reports an invalid order at construction

    def _degrees(self, event_size: int) -> list[np.ndarray]:
        """Returns the positions of all units: one array for the input and one for each hidden layer."""
        rng = np.random.default_rng(self.seed)
        if self.input_order == "random":
            degrees = [rng.permutation(event_size) + 1]
        elif isinstance(self.input_order, str):
            ascending = np.arange(1, event_size + 1)
            degrees = [ascending if self.input_order == "left-to-right" else ascending[::-1]]
        else:
            degrees = [np.asarray(self.input_order)]
            if sorted(self.input_order) != list(range(1, event_size + 1)):
                raise ValueError(
                    f"`input_order` must be a permutation of 1..{event_size}, one position for each element of x. "
                    f"Received: input_order={self.input_order}"
                )
        for units in self.hidden_units:
            # At least the lowest position of the layer before, so that each unit has an input; below the last element.
            lowest = min(degrees[-1].min(), event_size - 1)
            if self.hidden_degrees == "random":
                degrees.append(rng.integers(lowest, event_size, size=units))
            else:
                evenly = np.ceil(np.arange(1, units + 1) * (event_size - 1) / (units + 1)).astype(int)
                degrees.append(np.maximum(evenly, lowest))
        return degrees

    def _masks(self, event_size: int) -> list[np.ndarray]:
        """Returns one mask `[inputs, outputs]` per layer.

        A hidden unit is connected to inputs at its own or earlier positions, and an output only to earlier positions.
        """
        degrees = self._degrees(event_size)
        hidden = [before[:, None] <= after for before, after in itertools.pairwise(degrees)]
        output = degrees[-1][:, None] < np.repeat(degrees[0], self.params)  # the P outputs of x_i lie side by side
        return [*hidden, output]

    def build(self, x_shape: Any, conditional_input_shape: Any = None) -> None:
        event_size = x_shape[-1] if len(x_shape) else None
        expected = event_size if self.event_shape is None else self.event_shape[0]
        if event_size is None or event_size != expected:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' expects x of shape (..., {'D' if expected is None else expected})"
                f" with a last axis of known length. Received: shape={tuple(x_shape)}"
            )
        self.event_shape = (event_size,)
        self._layer_masks = self._masks(event_size)
        for k, mask in enumerate(self._layer_masks):
            self.kernels.append(self._add_kernel(f"kernel_{k}", mask.shape, 2 * k, mask))
            if self.use_bias:
                self.biases.append(
                    self.add_weight(
                        name=f"bias_{k}",
                        shape=mask.shape[1:],
                        initializer=self.bias_initializer,
                        regularizer=self.bias_regularizer,
                        constraint=self.bias_constraint,
                        autocast=False,
                    )
                )
            if self.conditional_event_shape is not None and (k == 0 or self.conditional_input_layers == "all_layers"):
                shape = (self.conditional_event_shape[0], mask.shape[1])
                self.conditional_kernels.append(self._add_kernel(f"conditional_kernel_{k}", shape, 2 * k + 1))
        self.built = True

    def _add_kernel(self, name: str, shape: Shape, index: int, mask: np.ndarray | None = None) -> Any:
        initializer = _with_kernel_seed(self.kernel_initializer, index)

        # Masked entries are zero from the start, so regularisers ignore them.
        def masked(shape: Shape, dtype: Any = None) -> Tensor:
            values = initializer(shape, dtype=dtype)
            return values if mask is None else values * tf.constant(mask, values.dtype)

        return self.add_weight(
            name=name,
            shape=shape,
            initializer=masked,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            autocast=False,  # autocast=False of the layer has no effect in a direct call
        )

    def call(self, x: Tensor, conditional_input: Tensor | None = None) -> Tensor:
        if self.conditional != (conditional_input is not None):
            raise ValueError(
                f"{type(self).__name__} '{self.name}' is {'' if self.conditional else 'not '}conditional, so call it "
                f"{'with' if self.conditional else 'without'} a conditional_input. "
                f"Received: conditional_input={conditional_input!r}"
            )
        hidden = self._checked(x, "x")
        condition = None if conditional_input is None else self._checked(conditional_input, "conditional_input")
        last = len(self._layer_masks) - 1
        for k, mask in enumerate(self._layer_masks):
            kernel = tf.convert_to_tensor(self.kernels[k])
            output = multiply_kernel(hidden, kernel * tf.constant(mask, kernel.dtype))
            if self.use_bias:
                output += tf.convert_to_tensor(self.biases[k])
            if condition is not None and k < len(self.conditional_kernels):
                output += multiply_kernel(condition, tf.convert_to_tensor(self.conditional_kernels[k]))
            hidden = output if k == last else self.activation(output)
        event_size = self._layer_masks[0].shape[0]
        return tf.reshape(hidden, tf.concat([tf.shape(hidden)[:-1], [event_size, self.params]], axis=0))

    def _checked(self, values: Any, name: str) -> Tensor:
        values = tf.cast(values, self.variable_dtype)
        return tf.debugging.check_numerics(values, f"{name} of {self.name}") if self.validate_args else values

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "params": self.params,
            "event_shape": self.event_shape,
            "conditional": self.conditional,
            "conditional_event_shape": self.conditional_event_shape,
            "conditional_input_layers": self.conditional_input_layers,
            "hidden_units": self.hidden_units,
            "input_order": self.input_order,
            "hidden_degrees": self.hidden_degrees,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "validate_args": self.validate_args,
            "seed": self.seed,
        }


def _vector_shape(shape: Shape | int, name: str) -> tuple[int]:
    axes = tuple(shape) if isinstance(shape, Sequence | np.ndarray | tf.TensorShape) else (shape,)
    if len(axes) != 1:
        raise ValueError(f"`{name}` must be an integer or a shape with one axis. Received: {name}={shape!r}")
    return (positive_size(axes[0], name),)


def _one_of(value: str, allowed: tuple[str, ...], name: str) -> str:
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, allowed))}. Received: {name}={value!r}")
    return value


def _with_kernel_seed(initializer: Any, index: int) -> Any:
    """Returns the initializer with another seed, because a Keras initializer returns the same values in each call."""
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = initializer.get_config()
    if isinstance(config.get("seed"), int):
        config["seed"] += index
    return type(initializer).from_config(config)
