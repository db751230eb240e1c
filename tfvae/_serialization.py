"""Configurations that hold functions and distributions, as plain JSON: no pickle, no bytecode.

Keras serialises layers and registered functions; this adds TFP distributions and a clear refusal for Python lambdas.
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


class Unsaved:
    """Stands in a configuration for a value that cannot be stored.

    `clone_model` and `from_config` take the value from it; what writes the configuration to a file calls `get_config`,
    which refuses.
    """

    def __init__(self, value: Any, message: str):
        self.value = value
        self._message = message

    def get_config(self) -> dict[str, Any]:
        raise ValueError(self._message)


def serialize_function(fn: Callable[..., Any], argument: str) -> Any:
    """The configuration of a registered function or object; for another function, what is refused when it is saved."""
    is_object = hasattr(fn, "get_config")
    if not is_object and keras.saving.get_registered_object(keras.saving.get_registered_name(fn)) is not fn:
        return Unsaved(
            fn,
            f"{argument}={getattr(fn, '__name__', repr(fn))} cannot be saved: it is a Python function that Keras does "
            "not know by name, and tfvae never stores code. Define it with `def` and decorate it with "
            "`@keras.saving.register_keras_serializable(package='my_package')`, then build the layer with it.",
        )
    config = keras.saving.serialize_keras_object(fn)
    # Keras marks an object that it meets a second time, in the dictionary that it made the first time; of that a layer
    # that holds this one saves a copy. Met twice here, the mark is there from the start.
    return keras.saving.serialize_keras_object(fn) if isinstance(fn, keras.layers.Layer) else config


def deserialize_function(config: Any) -> Any:
    """The function that `serialize_function` described; anything else (a string, a function) is returned as it is."""
    if isinstance(config, Unsaved):
        return config.value
    return keras.saving.deserialize_keras_object(config) if isinstance(config, dict) else config


_SEED_KEY = "seed_generator_state"


def save_seed_state(generator: keras.random.SeedGenerator, store: Any) -> None:
    """Adds a random state to a layer's saved variables; Keras leaves it out, and a loaded model would draw anew."""
    store[_SEED_KEY] = generator.state.numpy()


def load_seed_state(generator: keras.random.SeedGenerator, store: Any) -> dict[str, Any]:
    """Restores what `save_seed_state` added; returns the other variables."""
    if _SEED_KEY in store:
        generator.state.assign(store[_SEED_KEY])
    return {key: store[key] for key in store.keys() if key != _SEED_KEY}


_LAYERS_SEEDS_KEY = "layers_seed_generator_states"


def save_layers_seed_states(model: keras.Model, store: Any) -> None:
    """Adds the random states of all layers in a model, such as `Dropout`, to its own saved variables."""
    states = _layers_seed_states(model)
    if states:
        store[_LAYERS_SEEDS_KEY] = np.stack([state.numpy() for state in states])


def load_layers_seed_states(model: keras.Model, store: Any) -> dict[str, Any]:
    """Restores what `save_layers_seed_states` added; returns the other variables."""
    if _LAYERS_SEEDS_KEY in store:
        for state, value in zip(_layers_seed_states(model), np.asarray(store[_LAYERS_SEEDS_KEY]), strict=True):
            state.assign(value)
    return {key: store[key] for key in store.keys() if key != _LAYERS_SEEDS_KEY}


def _layers_seed_states(model: keras.Model) -> list[keras.Variable]:
    # Not among `weights`; a model's `variables` come layer by layer, in the order they were made.
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def serialize_distribution(distribution: Distribution) -> dict[str, Any]:
    """A TFP distribution as its class name and constructor arguments.

    Raises:
        ValueError: when an argument is a variable (whose training would be lost) or has no JSON form.
    """
    cls = public_class(type(distribution))
    if cls is None:
        raise ValueError(
            f"{distribution!r} cannot be saved: its class is not one of tfp.distributions. "
            "Use a layer of tfvae.priors, or a registered function that makes the distribution."
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
    """The distribution that `serialize_distribution` described; only classes of `tfp.distributions` are made."""
    cls = deserialize_class(config[_DISTRIBUTION_KEY])
    return cls(**{name: deserialize_value(value) for name, value in config["arguments"].items()})


def serialize_class(cls: type) -> Any:
    """The name of a distribution class in `tfp.distributions`; for another class, what is refused when it is saved."""
    if getattr(tfd, cls.__name__, None) is cls:
        return cls.__name__
    return Unsaved(
        cls,
        f"distribution_class={cls.__name__} cannot be saved: it is not one of tfp.distributions. Use a "
        "DistributionLambda with a registered function that makes it.",
    )


def deserialize_class(config: Any) -> Any:
    """The distribution class of that name; a class is returned as it is.

    Raises:
        ValueError: for a name that `tfp.distributions` does not have.
    """
    cls = getattr(tfd, config, None) if isinstance(config, str) else deserialize_function(config)
    if isinstance(config, str) and not (isinstance(cls, type) and issubclass(cls, tfd.Distribution)):
        raise ValueError(f"tfp.distributions has no distribution {config!r}.")
    return cls


def is_serialized_distribution(config: Any) -> bool:
    """Whether `config` came from `serialize_distribution`."""
    return isinstance(config, dict) and _DISTRIBUTION_KEY in config


def public_class(cls: type) -> type | None:
    """The class of `tfp.distributions` that a class is or, by ours of the same name, stands for; None for another."""
    # Some classes of TFP make an instance of a private base (`_Independent`): the public one is named without "_".
    public = getattr(tfd, cls.__name__.lstrip("_"), None)
    # Ours of the same name are TFP's in other operations.
    ours = cls.__module__.startswith(f"{PACKAGE}.")
    is_it = isinstance(public, type) and (issubclass(public, cls) or (ours and issubclass(cls, public)))
    return public if is_it else None


def serialize_value(value: Any, where: str, dtype: Any = None) -> Any:
    """A constructor argument of a distribution as JSON.

    Args:
        value: the argument.
        where: names it in the error for one that has no such form.
        dtype: of the distribution: what it makes of a list of Python numbers.
    """
    if isinstance(value, tfd.Distribution):
        return serialize_distribution(value)
    if isinstance(value, tf.Variable | keras.Variable):
        raise ValueError(
            f"{where} is a variable, whose training a saved distribution would lose. "
            "Use a layer of tfvae.priors, which owns its weights."
        )
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tf.DType):
        return {"dtype": value.name, "value": None}
    if inspect.isfunction(value):
        config = serialize_function(value, where)
        return config.get_config() if isinstance(config, Unsaved) else config
    if _has_parts(value):  # of a joint distribution
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
        f"{where} cannot be saved: {type(value).__name__} has no JSON form. "
        "Use a layer of tfvae.priors, or a registered function that makes the distribution."
    )


def _has_parts(value: Any) -> bool:
    if not isinstance(value, list | tuple | dict):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return any(isinstance(part, tfd.Distribution) or inspect.isfunction(part) for part in parts)


def deserialize_value(config: Any) -> Any:
    """The argument that `serialize_value` described; what is no description is returned as it is."""
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
