"""Check that loading a saved model would give the same model."""

import functools
import random
import types
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._errors import reason
from tfvae.layers._networks import sublayers

_REGISTERED = "decorated with `@keras.saving.register_keras_serializable(package='my_package')`"
_ADVICE = f"Build the model with a function or class {_REGISTERED}."
_LOSS_ADVICE = f"Compile with `loss=tfvae.losses.negative_log_likelihood`, or with a function {_REGISTERED}."
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    np.ufunc,
)


def check_saving(model: keras.Model) -> None:
    """Raises an error if loading a `.keras` file of the model would not give the same model.

    Keras saves functions by name. A function that is not registered with Keras cannot be found when the file is loaded.
    A function that has the name of a function of Keras is loaded as the latter, which changes the model. `VAE.save`
    calls this check. Call it before `model.save` for a functional model.

    The check creates every layer again from its configuration, without its weights, and compares the functions of both.

    Args:
        model: A `VAE` or any Keras model, compiled or not.

    Raises:
        ValueError: If a layer, a regulariser, an initialiser, the loss or a metric would be missing or would be another
            one in the loaded model. The message names all of them and explains how to save them.

    Example:
        >>> tfvae.models.check_saving(model)
        >>> model.save("model.keras")
    """
    # Layers without a seed draw one from Python's generator, whose state must not change.
    state = random.getstate()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of Keras about lambdas, which are errors here
            faults = list(dict.fromkeys(_problems(model)))
    finally:
        random.setstate(state)
    if faults:
        raise ValueError(f"The model '{model.name}' cannot be saved. " + " ".join(faults))


def _problems(model: keras.Model) -> Iterator[str]:
    seen: set[int] = set()
    for layer in sublayers(model):
        if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
            continue
        seen.add(id(layer))
        where = f"Layer '{layer.name}' ({type(layer).__name__})"
        if not _is_known(type(layer)):
            yield f"{where} has a class that Keras would not find when it loads the file. {_ADVICE}"
        elif layer is not model and not _is_container(layer):
            yield from _problems_of(layer, where, functools.partial(_copy, layer))
    for name in ("estimator", "kl_weighting"):
        part = getattr(model, name, None)
        if hasattr(part, "get_config"):
            yield from _problems_of(part, f"The {name} {type(part).__name__}", functools.partial(_copy, part))
    if getattr(model, "compiled", False):
        yield from _compile_problems(model)


def _compile_problems(model: keras.Model) -> Iterator[str]:
    compiled = getattr(model, "_compile_config", None)  # the arguments of `compile`
    for name, value in getattr(compiled, "config", {}).items():
        if name in ("optimizer", "loss", "metrics", "weighted_metrics") and value is not None:
            yield from _problems_of(
                value, f"The model's {name}", functools.partial(_copy, value), is_loss=name == "loss"
            )


def _problems_of(original: Any, where: str, copy: Any, is_loss: bool = False) -> Iterator[str]:
    """Describes the functions and classes of an object that are missing in its copy or differ from it."""
    advice = _LOSS_ADVICE if is_loss else _ADVICE
    try:
        made = copy()
    except Exception as error:  # user classes and Keras may raise any error
        functions = sorted(set(_unregistered(original)))
        if "cannot be saved" in str(error):  # the message of tfvae's layers
            yield f"{where}: {error}"
        elif functions:
            what = f"contains {', '.join(functions)}, which Keras would not find when it loads the file"
            yield f"{where} {what}. {advice}"
        else:
            yield f"{where} cannot be created from its configuration: {reason(error)}"
        return
    for name, kept, found in _differences(original, made):
        source = getattr(kept, "__module__", None)
        yield (
            f"{where} has {f'{name}=' if name else ''}{_name(kept)}"
            f"{f' of {source}' if source else ''}, which would be loaded as {_name(found)}"
            f"{' of Keras' if str(getattr(found, '__module__', '')).startswith('keras.') else ''}. {advice}"
        )


def _copy(original: Any) -> Any:
    return keras.saving.deserialize_keras_object(_without_weights(keras.saving.serialize_keras_object(original)))


def _without_weights(config: Any) -> Any:
    """Returns a configuration from which Keras creates the object without building or compiling it."""
    if isinstance(config, dict):
        skipped = ("build_config", "compile_config")
        return {name: _without_weights(value) for name, value in config.items() if name not in skipped}
    return [_without_weights(value) for value in config] if isinstance(config, list | tuple) else config


def _is_known(cls: type) -> bool:
    is_keras = cls.__module__.split(".")[0] == "keras"
    return is_keras or keras.saving.get_registered_object(keras.saving.get_registered_name(cls)) is cls


def _is_container(layer: keras.layers.Layer) -> bool:
    """Whether a model is only a container of layers, which are checked one by one."""
    return isinstance(layer, keras.Sequential) or (isinstance(layer, keras.Model) and bool(getattr(layer, "inputs", 0)))


def _is_function(value: Any) -> bool:
    return isinstance(value, _FUNCTIONS) or hasattr(value, "python_function")


def _name(function: Any) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


def _attributes(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {str(name): part for name, part in value.items()}
    if isinstance(value, list | tuple):
        return {str(place): part for place, part in enumerate(value)}
    return dict(vars(value)) if hasattr(value, "get_config") else {}


def _differences(original: Any, copy: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yields the attribute, the original and the copy for the functions and classes that differ in a copy."""
    if original is copy:
        return
    if _is_function(original):
        code = getattr(original, "__code__", None)  # equal for functions that a class creates for each instance
        if (code is None or code is not getattr(copy, "__code__", None)) and not _are_equivalent(original, copy):
            yield name, original, copy
        return
    if hasattr(original, "get_config") and type(original) is not type(copy):
        if copy is not None:  # None is set when a layer is built
            yield name, type(original), type(copy)
        return
    copied = _attributes(copy)
    for key, part in _attributes(original).items():
        if key in copied and not isinstance(part, keras.layers.Layer):
            yield from _differences(part, copied[key], key)


def _are_equivalent(original: Any, copy: Any) -> bool:
    """Whether two functions of Keras and TensorFlow are equivalent, such as `tf.nn.relu` and Keras' "relu"."""
    libraries = {str(getattr(function, "__module__", None)).split(".")[0] for function in (original, copy)}
    if not libraries <= {"keras", "tensorflow"}:
        return False
    values = tf.constant([[-30.0, -3.0, -1.0, -0.3, 0.0, 0.3, 1.0, 3.0, 30.0]])
    try:
        return bool(np.allclose(original(values), copy(values), rtol=1e-5, atol=1e-6))
    except (TypeError, ValueError):  # the functions do not take a single tensor
        return False


def _unregistered(value: Any, depth: int = 0) -> Iterator[str]:
    """Yields the names of functions in an object that Keras cannot find by name."""
    if hasattr(value, "get_config") and not _is_function(value) and not _is_known(type(value)):
        yield f"class {type(value).__name__}"
    elif _is_function(value):
        module = str(getattr(value, "__module__", None))
        is_function = isinstance(value, types.FunctionType)
        registered = is_function and keras.saving.get_registered_object(keras.saving.get_registered_name(value))
        is_found = registered is value or (module.startswith("keras.") and not module.startswith("keras.src.ops."))
        if not is_found:
            yield "a Python lambda" if _name(value) == "<lambda>" else _name(value)
    elif depth < 3:
        for part in _attributes(value).values():
            if not isinstance(part, keras.layers.Layer):
                yield from _unregistered(part, depth + 1)
