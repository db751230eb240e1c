"""Variables that a user's function reads although no layer owns them, found by running it once and listening.

Keras trains and saves the weights of layers. A function given to a layer may read other variables: a `tf.Variable`, a
`tfp.util.TransformedVariable`, or the weights of a Keras layer that is held nowhere else. The layer that runs the
function tracks them, so that they train and are saved with it.
"""

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfvae.typing import Distribution, Tensor

_INPUT = "input"  # marks what stands for a tensor in a configuration


class _Readings(keras.StatelessScope):
    """Lists the Keras variables that are read; changes none."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[int, keras.Variable] = {}

    def get_current_value(self, variable: keras.Variable) -> Tensor | None:
        self.variables[id(variable)] = variable
        return super().get_current_value(variable)


class _SharedVariable(keras.Variable):
    """A Keras variable whose value is a `tf.Variable` that exists already: training one is training the other."""

    def __init__(self, variable: tf.Variable):
        self._shared = variable
        super().__init__(
            lambda shape, dtype: tf.convert_to_tensor(variable),
            shape=tuple(variable.shape),
            dtype=variable.dtype.name,
            trainable=True,
            name=variable.name.split(":")[0].split("/")[-1],
        )

    def _initialize_with_initializer(self, initializer: Any) -> None:
        self._initialize(self._shared)


# One Keras variable for one `tf.Variable`, however many layers read it, so that an optimizer changes it once.
_shared: weakref.WeakValueDictionary[int, _SharedVariable] = weakref.WeakValueDictionary()


def _as_keras(variable: tf.Variable) -> keras.Variable:
    made = _shared.get(id(variable))
    if made is None:
        made = _shared[id(variable)] = _SharedVariable(variable)
    return made


def captured_variables(function: Callable[[], Any], owner: str) -> list[keras.Variable]:
    """The variables that a function reads: trainable ones of TensorFlow, all of Keras but the states of random numbers.

    Args:
        function: is called once, and again when it reads a variable.
        owner: names the function in the error.

    Raises:
        ValueError: When the function makes its variables anew in every call.
    """
    found = _variables_read(function)
    if found and {id(variable) for variable in _variables_read(function)} != {id(variable) for variable in found}:
        names = ", ".join(sorted({repr(variable.name) for variable in found}))
        raise ValueError(
            f"{owner} creates variables each time it is called, so they can never be trained. Create the Keras layers "
            f"or variables once, outside of the function. Received a function that reads: {names}"
        )
    return found


def trainable_variables_of(distribution: Distribution) -> list[Any]:
    """The trainable variables that a distribution holds or reads when it draws, such as the weights of a network."""
    held = list(distribution.trainable_variables)
    return held or [variable for variable in _variables_read(lambda: draw(distribution)) if variable.trainable]


def draw(distribution: Distribution) -> None:
    """Draws once, for what is read on the way."""
    with contextlib.suppress(NotImplementedError):
        distribution.sample(seed=(0, 0))


def _variables_read(function: Callable[[], Any]) -> list[keras.Variable]:
    with _Readings() as readings, tf.GradientTape() as tape:
        function()
    of_keras = list(readings.variables.values())
    values = [variable._value for variable in of_keras]
    seen = {id(part) for value in values for part in (value, *getattr(value, "values", ()))}  # with one a replica
    others = [_as_keras(variable) for variable in tape.watched_variables() if id(variable) not in seen]
    return [variable for variable in of_keras if variable.name != "seed_generator_state"] + others


def specs_config(arguments: Any) -> Any:
    """Call arguments as JSON, with the shape and dtype of each tensor."""

    def leaf(value: Any) -> Any:
        if not (keras.backend.is_keras_tensor(value) or tf.is_tensor(value)):
            return value
        return {_INPUT: [list(value.shape), keras.backend.standardize_dtype(value.dtype)]}

    return keras.tree.map_structure(leaf, arguments)


def specs_from_config(config: Any) -> Any:
    """The call arguments that `specs_config` described, with a `KerasTensor` for each tensor."""
    if isinstance(config, dict) and set(config) == {_INPUT}:
        shape, dtype = config[_INPUT]
        return keras.KerasTensor(tuple(shape), dtype=dtype)
    if isinstance(config, dict):
        return {name: specs_from_config(value) for name, value in config.items()}
    return [specs_from_config(value) for value in config] if isinstance(config, list | tuple) else config
