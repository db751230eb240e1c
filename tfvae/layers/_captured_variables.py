"""Finds the variables that a user's function reads but no layer owns.

Keras trains and saves the weights of layers. A function given to a layer may read other variables: a `tf.Variable`, a
`tfp.util.TransformedVariable`, or the weights of a Keras layer that no other layer tracks. The layer that calls the
function tracks these variables, so they are trained and saved with it.
"""

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfvae.typing import Distribution, Tensor

_INPUT = "input"  # key of a tensor's description in a configuration


class _VariableRecorder(keras.StatelessScope):
    """Records the Keras variables that are read, without changing them."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[int, keras.Variable] = {}

    def get_current_value(self, variable: keras.Variable) -> Tensor | None:
        self.variables[id(variable)] = variable
        return super().get_current_value(variable)


class _SharedVariable(keras.Variable):
    """Keras variable that shares the value of an existing `tf.Variable`."""

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


# Maps each `tf.Variable` to one Keras variable, even if several layers read it, so that an optimizer updates it once.
_shared: weakref.WeakValueDictionary[int, _SharedVariable] = weakref.WeakValueDictionary()


def _as_keras(variable: tf.Variable) -> keras.Variable:
    keras_variable = _shared.get(id(variable))
    if keras_variable is None:
        keras_variable = _shared[id(variable)] = _SharedVariable(variable)
    return keras_variable


def captured_variables(function: Callable[[], Any], owner: str) -> list[keras.Variable]:
    """Returns the variables that a function reads.

    These are the trainable variables of TensorFlow, and all variables of Keras except the states of seed generators.

    Args:
        function: Function to call. It is called once, and again if it reads a variable.
        owner: Description of the function for the error message.

    Raises:
        ValueError: If the function creates new variables in each call.
    """
    found = _variables_read(function)
    if found and {id(variable) for variable in _variables_read(function)} != {id(variable) for variable in found}:
        names = ", ".join(sorted({repr(variable.name) for variable in found}))
        raise ValueError(
            f"{owner} creates variables each time it is called, so they can never be trained. Create the Keras layers "
            f"or variables once, outside the function. Received: a function that reads {names}"
        )
    return found


def trainable_variables_of(distribution: Distribution) -> list[Any]:
    """Returns the trainable variables that a distribution owns or reads during sampling."""
    own = list(distribution.trainable_variables)
    return own or [variable for variable in _variables_read(lambda: draw_once(distribution)) if variable.trainable]


def draw_once(distribution: Distribution) -> None:
    """Draws one sample and discards it, to find out which variables sampling reads."""
    with contextlib.suppress(NotImplementedError):
        distribution.sample(seed=(0, 0))


def _variables_read(function: Callable[[], Any]) -> list[keras.Variable]:
    with _VariableRecorder() as recorder, tf.GradientTape() as tape:
        function()
    keras_variables = list(recorder.variables.values())
    values = [variable._value for variable in keras_variables]
    seen = {id(part) for value in values for part in (value, *getattr(value, "values", ()))}  # one per replica
    others = [_as_keras(variable) for variable in tape.watched_variables() if id(variable) not in seen]
    return [variable for variable in keras_variables if variable.name != "seed_generator_state"] + others


def specs_config(arguments: Any) -> Any:
    """Returns call arguments as JSON, with the shape and dtype in place of each tensor."""

    def leaf(value: Any) -> Any:
        if not (keras.backend.is_keras_tensor(value) or tf.is_tensor(value)):
            return value
        return {_INPUT: [list(value.shape), keras.backend.standardize_dtype(value.dtype)]}

    return keras.tree.map_structure(leaf, arguments)


def specs_from_config(config: Any) -> Any:
    """Restores the call arguments of `specs_config`, with a `KerasTensor` for each tensor."""
    if isinstance(config, dict) and set(config) == {_INPUT}:
        shape, dtype = config[_INPUT]
        return keras.KerasTensor(tuple(shape), dtype=dtype)
    if isinstance(config, dict):
        return {name: specs_from_config(value) for name, value in config.items()}
    return [specs_from_config(value) for value in config] if isinstance(config, list | tuple) else config
