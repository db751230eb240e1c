"""Serialisation of functions and distributions as plain JSON, without pickle or bytecode.

Keras serialises layers and registered functions. This module adds TFP distributions, and a clear error for Python
lambdas.
"""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution

tfd = tfp.distributions

PACKAGE = "tfvae"
register = keras.saving.register_keras_serializable(package=PACKAGE)

_DISTRIBUTION_KEY = "tfp_distribution"
_PARTS_KEY = "parts"


class Unserializable:
    """Placeholder in a configuration for a value that cannot be saved.

    `clone_model` and `from_config` read the value from it. Writing the configuration to a file calls `get_config`,
    which raises an error.
    """

    def __init__(self, value: Any, message: str):
        self.value = value
        self._message = message

    def get_config(self) -> dict[str, Any]:
        raise ValueError(self._message)


def serialize_function(fn: Callable[..., Any], argument: str) -> Any:
    """Returns the configuration of a registered function or object, or an `Unserializable` for another function."""
    is_object = hasattr(fn, "get_config")
    if not is_object and keras.saving.get_registered_object(keras.saving.get_registered_name(fn)) is not fn:
        return Unserializable(
            fn,
            f"{argument}={getattr(fn, '__name__', repr(fn))} cannot be saved, because it is a Python function that is "
            "not registered with Keras, and tfvae does not save code. Define it with `def`, decorate it with "
            "`@keras.saving.register_keras_serializable(package='my_package')`, and create the layer with it.",
        )
    config = keras.saving.serialize_keras_object(fn)
    # When Keras serialises an object twice, it marks the object as shared in the first dictionary. An outer layer may
    # have saved a copy of that dictionary without the mark. Serialising twice here adds the mark before any copy.
    return keras.saving.serialize_keras_object(fn) if isinstance(fn, keras.layers.Layer) else config


def deserialize_function(config: Any) -> Any:
    """Restores the function from a configuration of `serialize_function`; other values are returned unchanged."""
    if isinstance(config, Unserializable):
        return config.value
    return keras.saving.deserialize_keras_object(config) if isinstance(config, dict) else config


_SEED_KEY = "seed_generator_state"


def save_seed_state(generator: keras.random.SeedGenerator, store: Any) -> None:
    """Adds a random state to a layer's saved variables.

    Keras does not save it, so a loaded model would draw other numbers.
    """
    store[_SEED_KEY] = generator.state.numpy()


def load_seed_state(generator: keras.random.SeedGenerator, store: Any) -> dict[str, Any]:
    """Restores the state saved by `save_seed_state`, and returns the other variables."""
    if _SEED_KEY in store:
        generator.state.assign(store[_SEED_KEY])
    return {key: store[key] for key in store.keys() if key != _SEED_KEY}


_LAYERS_SEEDS_KEY = "layers_seed_generator_states"


def save_layers_seed_states(model: keras.Model, store: Any) -> None:
    """Adds the random states of all layers in a model, such as `Dropout`, to the saved variables of the model."""
    states = _layers_seed_states(model)
    if states:
        store[_LAYERS_SEEDS_KEY] = np.stack([state.numpy() for state in states])


def load_layers_seed_states(model: keras.Model, store: Any) -> dict[str, Any]:
    """Restores the states saved by `save_layers_seed_states`, and returns the other variables."""
    if _LAYERS_SEEDS_KEY in store:
        for state, value in zip(_layers_seed_states(model), np.asarray(store[_LAYERS_SEEDS_KEY]), strict=True):
            state.assign(value)
    return {key: store[key] for key in store.keys() if key != _LAYERS_SEEDS_KEY}


def _layers_seed_states(model: keras.Model) -> list[keras.Variable]:
    # `weights` does not contain the states. `variables` has them in the order in which the layers were created.
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def serialize_distribution(distribution: Distribution) -> dict[str, Any]:
    """Serialises a TFP distribution as its class name and constructor arguments.

    Raises:
        ValueError: If an argument is a variable, whose training would be lost, or cannot be represented in JSON.
    """
    cls = public_class(type(distribution))
    if cls is None:
        raise ValueError(
            f"{distribution!r} cannot be saved, because its class is not in tfp.distributions. "
            "Use a layer of tfvae.priors, or a registered function that creates the distribution."
        )
    skipped = {"name", "validate_args", "allow_nan_stats", "experimental_use_kahan_sum"}
    return {
        _DISTRIBUTION_KEY: cls.__name__,
        "arguments": {
            name: serialize_value(value, f"{cls.__name__}.{name}", distribution.dtype)
            for name, value in distribution.parameters.items()
            if name not in skipped and value is not None
        },
    }


def deserialize_distribution(config: dict[str, Any]) -> Distribution:
    """Restores the distribution of `serialize_distribution`; only classes of `tfp.distributions` are created."""
    cls = deserialize_class(config[_DISTRIBUTION_KEY])
    return cls(**{name: deserialize_value(value) for name, value in config["arguments"].items()})


def serialize_class(cls: type) -> Any:
    """Returns the name of a class in `tfp.distributions`, or an `Unserializable` for another class."""
    if getattr(tfd, cls.__name__, None) is cls:
        return cls.__name__
    return Unserializable(
        cls,
        f"distribution_class={cls.__name__} cannot be saved, because it is not in tfp.distributions. Use a "
        "DistributionLambda with a registered function that creates the distribution.",
    )


def deserialize_class(config: Any) -> Any:
    """Returns the distribution class with a name; a class is returned unchanged.

    Raises:
        ValueError: If `tfp.distributions` does not have this name.
    """
    cls = getattr(tfd, config, None) if isinstance(config, str) else deserialize_function(config)
    if isinstance(config, str) and not (isinstance(cls, type) and issubclass(cls, tfd.Distribution)):
        raise ValueError(f"Expected the name of a distribution in tfp.distributions. Received: {config!r}")
    return cls


def is_serialized_distribution(config: Any) -> bool:
    """Whether `config` is a configuration of `serialize_distribution`."""
    return isinstance(config, dict) and _DISTRIBUTION_KEY in config


def public_class(cls: type) -> type | None:
    """Returns the class of `tfp.distributions` that a class is or replaces, or None for another class.

    Classes of tfvae replace the class of `tfp.distributions` with the same name.
    """
    # Some TFP classes return instances of a private base class (`_Independent`); the public name has no "_".
    public = getattr(tfd, cls.__name__.lstrip("_"), None)
    # Classes of tfvae with the same name implement the same distribution.
    is_ours = cls.__module__.startswith(f"{PACKAGE}.")
    matches = isinstance(public, type) and (issubclass(public, cls) or (is_ours and issubclass(cls, public)))
    return public if matches else None


def serialize_value(value: Any, where: str, dtype: Any = None) -> Any:
    """Serialises a constructor argument of a distribution as JSON.

    Args:
        value: The argument.
        where: Name of the argument for error messages.
        dtype: Dtype of the distribution, to which lists of Python floats are converted.
    """
    if isinstance(value, tfd.Distribution):
        return serialize_distribution(value)
    if isinstance(value, tf.Variable | keras.Variable):
        raise ValueError(
            f"{where} cannot be saved, because it is a variable and its training would be lost. "
            "Use a layer of tfvae.priors, which owns its weights."
        )
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tf.DType):
        return {"dtype": value.name, "value": None}
    if inspect.isfunction(value):
        config = serialize_function(value, where)
        return config.get_config() if isinstance(config, Unserializable) else config
    if _has_parts(value):  # a joint distribution
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        parts = [(name, serialize_value(part, f"{where}[{name!r}]")) for name, part in pairs]
        return {_PARTS_KEY: dict(parts) if isinstance(value, dict) else [part for _, part in parts]}
    if tf.is_tensor(value) or isinstance(value, np.ndarray | np.generic | list | tuple | tf.TensorShape):
        try:
            array = np.asarray(value)
        except (NotImplementedError, TypeError, ValueError):
            array = np.asarray(None)
        if isinstance(value, list | tuple) and array.dtype.kind == "f":
            is_floating = isinstance(dtype, tf.DType) and dtype.is_floating
            array = array.astype(dtype.as_numpy_dtype if is_floating else "float32")
        if array.dtype.kind in "biuf":
            return {"dtype": array.dtype.name, "value": array.tolist()}
    raise ValueError(
        f"{where} cannot be saved, because a {type(value).__name__} cannot be represented in JSON. "
        "Use a layer of tfvae.priors, or a registered function that creates the distribution."
    )


def _has_parts(value: Any) -> bool:
    if not isinstance(value, list | tuple | dict):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return any(isinstance(part, tfd.Distribution) or inspect.isfunction(part) for part in parts)


def deserialize_value(config: Any) -> Any:
    """Restores the argument from a configuration of `serialize_value`; other values are returned unchanged."""
    if is_serialized_distribution(config):
        return deserialize_distribution(config)
    if isinstance(config, dict) and _PARTS_KEY in config:
        parts = config[_PARTS_KEY]
        if isinstance(parts, dict):
            return {name: deserialize_value(part) for name, part in parts.items()}
        return [deserialize_value(part) for part in parts]
    if isinstance(config, dict) and "dtype" not in config:
        return deserialize_function(config)
    if isinstance(config, dict):
        return tf.as_dtype(config["dtype"]) if config["value"] is None else np.asarray(config["value"], config["dtype"])
    return config
