"""Networks of a joint distribution: their inputs, their construction and their outputs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._seeds import split_seed
from tfvae.layers._coercion import as_distribution, reshape_batch
from tfvae.layers._joint_distribution import Conditional, Given, JointDistributionOfParts, PartSpec, flattened
from tfvae.layers._networks import input_names, is_functional, output_layer, sublayers
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# Name of the input of a joint layer in `given`.
INPUTS = "inputs"
_RESERVED = (INPUTS, "value", "name")  # the last two name arguments of TFP's joint distributions


class Conditionals:
    """Conditionals of a joint distribution, in the order of drawing.

    Args:
        parts: Networks that end in a distribution layer, or priors, by name. A prior depends on no other part.
        given: Names of the inputs of each part. See `tfvae.layers.Joint`.
        owner: Name of the joint layer, for error messages.
        has_inputs: Whether the joint layer has an input, on which every part may depend.

    Attributes:
        given: Names of the inputs of each part, in the order of drawing.

    Raises:
        TypeError: If a part is not a layer or does not end in a distribution layer.
        ValueError: If there are no parts, a name is reserved, or a part depends on a part that is not drawn before it.
    """

    def __init__(
        self,
        parts: Mapping[str, keras.layers.Layer],
        given: Mapping[str, Sequence[str]] | None,
        *,
        owner: str,
        has_inputs: bool,
    ):
        self._parts, self._owner, self._has_inputs = dict(parts), owner, has_inputs
        self._check_parts(given or {})
        self.given: dict[str, tuple[str, ...]] = {}
        for name, layer in self._parts.items():
            before = [INPUTS] * has_inputs + list(self.given)
            self.given[name] = self._chosen(name, layer, before, (given or {}).get(name))

    def _check_parts(self, given: Mapping[str, Any]) -> None:
        if not self._parts:
            raise ValueError(f"{self._owner} needs at least one part. Received: parts={self._parts!r}")
        for name, layer in self._parts.items():
            if not isinstance(name, str) or not name or name in _RESERVED:
                raise ValueError(
                    f"The parts of {self._owner} need names other than {', '.join(map(repr, _RESERVED))}. "
                    f"Received: name={name!r}"
                )
            if not isinstance(layer, keras.layers.Layer):
                raise TypeError(
                    f"Part {name!r} of {self._owner} must be a Keras layer or model that ends in a distribution layer. "
                    f"Received: {name}={layer!r} (of type {type(layer).__name__})"
                )
            if not _depends_on_nothing(layer):
                output_layer(layer, "conditional")
                self._check_layers(name, layer)
        if unknown := sorted(set(given) - set(self._parts)):
            raise ValueError(
                f"`given` names parts that {self._owner} does not have: {unknown}. Its parts are {list(self._parts)}. "
                f"Received: given={dict(given)!r}"
            )

    def _check_layers(self, name: str, network: keras.layers.Layer) -> None:
        """Raises ValueError for layers whose effect differs between the evaluations of a conditional."""
        for layer in sublayers(network):
            where = f"Part {name!r} of {self._owner} has the layer '{layer.name}' ({type(layer).__name__})"
            if isinstance(layer, keras.layers.BatchNormalization):
                raise ValueError(
                    f"{where}, whose output depends on other draws, so the density would not be that of the draw. "
                    "Use keras.layers.LayerNormalization, or normalize before the joint layer."
                )
            regularizers = ("activity_regularizer", "distribution_regularizer")  # of Keras and of tfvae
            if any(getattr(layer, regularizer, None) is not None for regularizer in regularizers):
                raise ValueError(
                    f"{where}, whose activity_regularizer would count once for each evaluation. Use a "
                    "kernel_regularizer, or regularize a layer before the joint layer."
                )

    def _chosen(self, name: str, layer: Any, before: list[str], names: Sequence[str] | None) -> tuple[str, ...]:
        """Returns the names of the inputs of a part, in the order of drawing."""
        if names is None:
            names = [] if _depends_on_nothing(layer) else input_names(layer) or before
        if isinstance(names, str) or not set(names) <= set(before):
            raise ValueError(
                f"Part {name!r} of {self._owner} can be given {before}: the parts before it"
                f"{' and the input of the layer' if self._has_inputs else ''}. Received: given[{name!r}]={names!r}"
            )
        if _depends_on_nothing(layer) and (names or self._has_inputs):
            raise ValueError(
                f"Part {name!r} of {self._owner} is a prior, which depends on nothing. Use a network that ends in a "
                f"distribution layer. Received: {name}={layer!r}, given={list(names)}"
            )
        if not names and not _depends_on_nothing(layer):
            raise ValueError(
                f"Part {name!r} of {self._owner} is given nothing, but a network needs an input. Use a prior instead, "
                f"such as tfvae.priors.StandardNormal(latent_size). Received: {name}={layer!r}"
            )
        return tuple(other for other in before if other in names)

    # Building -----------------------------------------------------------------------------------------------------

    def build(self, inputs: keras.KerasTensor | None = None) -> dict[str, keras.KerasTensor]:
        """Builds the networks that are not built, and returns a symbolic draw of each part `[B, *event]`."""
        specs = {} if inputs is None else {INPUTS: inputs}
        self._specs: dict[str, PartSpec] = {}
        for name, names in self.given.items():
            given = [specs[other] for other in names]
            if given and not self._parts[name].built:
                self._parts[name](self._symbolic_argument(name, given))
            specs[name] = self._drawn(name, given)
        return {name: specs[name] for name in self._parts}

    def _symbolic_argument(self, name: str, given: list[keras.KerasTensor]) -> Any:
        structure = self._structure(name)
        if structure is not None or len(given) == 1:
            return self._as_argument(name, given)
        width = sum(math.prod(spec.shape[1:]) for spec in given)
        return keras.KerasTensor((given[0].shape[0], width), dtype=self._parts[name].variable_dtype)

    def _drawn(self, name: str, given: list[keras.KerasTensor]) -> keras.KerasTensor:
        """Records the known properties of the distribution of a part, and returns a symbolic draw."""

        def traced(*values: Tensor) -> None:
            made = self._make(name, [_of_batch(value) for value in values], training=False, states=[])
            self._specs[name] = PartSpec(made.event_shape, made.dtype, made.reparameterization_type)

        with keras.StatelessScope():  # a trace must not advance a seed
            tf.function(traced, autograph=False).get_concrete_function(
                *(tf.TensorSpec(spec.shape, spec.dtype) for spec in given)
            )
        spec = self._specs[name]
        if not isinstance(spec.dtype, tf.DType):
            raise TypeError(
                f"Part {name!r} of {self._owner} must be one tensor, not several. Received: {self._parts[name]!r}"
            )
        return keras.KerasTensor((None, *spec.event_shape), dtype=spec.dtype.name)

    # Making the distribution --------------------------------------------------------------------------------------

    def joint(
        self, inputs: Tensor | None = None, *, training: bool | None = False, seed: Tensor | None = None
    ) -> Distribution:
        """Returns the joint distribution with batch shape `[B]` for inputs `[B, ...]`, or `[]` without inputs.

        Args:
            inputs: Input of the joint layer.
            training: Whether the networks run in training mode.
            seed: Seed of layers in the networks that make draws. Their draws are equal in all evaluations of the
                distribution, so that a density is that of the draw.
        """
        states = self._seed_states()
        values = [tf.zeros([2], tf.int32)] * len(states) if seed is None else split_seed(seed, len(states), "joint")
        pairs = [(state, tf.cast(value, state.dtype)) for state, value in zip(states, values, strict=True)]
        first = [] if inputs is None else [_of_batch(inputs)]

        def conditional(name: str) -> Conditional:
            own = first if INPUTS in self.given[name] else []
            return Conditional(
                self._specs[name],
                tuple(other for other in self.given[name] if other != INPUTS),
                lambda given: self._make(name, [*own, *given], training=training, states=pairs),
            )

        batch_shape = tf.TensorShape([]) if inputs is None else inputs.shape[:1]
        return JointDistributionOfParts({name: conditional(name) for name in self._parts}, batch_shape)

    def _seed_states(self) -> list[Any]:
        variables = [variable for layer in self._parts.values() for variable in layer.variables]
        states = {id(variable): variable for variable in variables if variable.name == "seed_generator_state"}
        return list(states.values())

    def _make(self, name: str, given: list[Given], *, training: bool | None, states: list[Any]) -> Distribution:
        layer: Any = self._parts[name]
        if not given:
            return layer.distribution()
        flat, batch_shape = flattened(given)
        # Layers change no variables in this scope.
        with keras.StatelessScope(states):
            made = layer(self._as_argument(name, flat), training=training)
        if not isinstance(made, tfd.Distribution):
            raise TypeError(
                f"Part {name!r} of {self._owner} must return a distribution. End it in a distribution layer. "
                f"Received: {made!r}"
            )
        return as_distribution(made) if batch_shape.shape[0] == 1 else reshape_batch(made, batch_shape)

    def _structure(self, name: str) -> Any:
        """Returns the inputs of a functional model with several inputs. None for a network with one input."""
        layer = self._parts[name]
        inputs = layer.input if is_functional(layer) else None
        return inputs if isinstance(inputs, list | tuple | dict) else None

    def _as_argument(self, name: str, given: list[Any]) -> Any:
        """Returns the argument of a network: the structure of its inputs, or one tensor."""
        structure = self._structure(name)
        if structure is not None and len(structure) != len(given):
            raise ValueError(
                f"Part {name!r} of {self._owner} has {len(structure)} inputs, but is given {list(self.given[name])}. "
                "Set the names of its inputs in `given`."
            )
        if isinstance(structure, dict):
            return dict(zip(self.given[name], given, strict=True))
        if structure is not None:
            return given
        return given[0] if len(given) == 1 else _concatenated(given, self._parts[name].variable_dtype)


def _concatenated(values: list[Tensor], dtype: str) -> Tensor:
    """Flattens tensors `[N, ...]` to vectors and concatenates them to `[N, size]`."""
    rows = [tf.reshape(value, [tf.shape(value)[0], math.prod(value.shape[1:])]) for value in values]
    return tf.concat([tf.cast(row, dtype) for row in rows], axis=-1)


def _of_batch(value: Tensor) -> Given:
    return Given(value, value.shape.rank - 1)


def _depends_on_nothing(layer: Any) -> bool:
    return callable(getattr(layer, "distribution", None))
