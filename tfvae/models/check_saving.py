"""Whether a model that is saved now comes back as the same model."""

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
_WAY_OUT = f"Build the model with a function or class {_REGISTERED}."
_LOSS_WAY_OUT = f"Compile with `loss=tfvae.losses.negative_log_likelihood`, or with a function {_REGISTERED}."
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    np.ufunc,
)


def check_saving(model: keras.Model) -> None:
    """Raises an error where a `.keras` file would not give this model back.

    Keras saves functions by name. A function that is not registered with Keras cannot be found when the file is loaded;
    one that has the name of a function of Keras is loaded as that one, which is another model. `VAE.save` calls this
    check; call it before `model.save` for a functional model.

    Every layer is made once more from its configuration, without its weights, and the functions of both are compared.

    Args:
        model: a `VAE` or any Keras model, compiled or not.

    Raises:
        ValueError: When a layer, a regulariser, an initialiser, the loss or a metric would be lost or would be loaded
            as another one. The message names all of them and how to save them.

    Example:
        >>> tfvae.models.check_saving(model)
        >>> model.save("model.keras")
    """
    # Layers without a seed draw one from Python's generator, which a check must leave where it was.
    state = random.getstate()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Keras about lambdas, which are errors here
            faults = list(dict.fromkeys(_faults(model)))
    finally:
        random.setstate(state)
    if faults:
        raise ValueError(f"The model '{model.name}' cannot be saved. " + " ".join(faults))


def _faults(model: keras.Model) -> Iterator[str]:
    seen: set[int] = set()
    for layer in sublayers(model):
        if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
            continue
        seen.add(id(layer))
        where = f"Layer '{layer.name}' ({type(layer).__name__})"
        if not _is_known(type(layer)):
            yield f"{where} is of a class that Keras would not find when it loads the file. {_WAY_OUT}"
        elif layer is not model and not _is_container(layer):
            yield from _lost(layer, where, functools.partial(_copy, layer))
    for name in ("estimator", "kl_weighting"):
        part = getattr(model, name, None)
        if hasattr(part, "get_config"):
            yield from _lost(part, f"The {name} {type(part).__name__}", functools.partial(_copy, part))
    if getattr(model, "compiled", False):
        yield from _faults_of_compile(model)


def _faults_of_compile(model: keras.Model) -> Iterator[str]:
    compiled = getattr(model, "_compile_config", None)  # what `compile` was called with
    for name, value in getattr(compiled, "config", {}).items():
        if name in ("optimizer", "loss", "metrics", "weighted_metrics") and value is not None:
            yield from _lost(value, f"The model's {name}", functools.partial(_copy, value), is_loss=name == "loss")


def _lost(original: Any, where: str, copy: Any, is_loss: bool = False) -> Iterator[str]:
    """What of an object is lost or becomes another one in its copy."""
    way_out = _LOSS_WAY_OUT if is_loss else _WAY_OUT
    try:
        made = copy()
    except Exception as error:  # whatever a user's class or Keras raises, the object does not come back
        functions = sorted(set(_unregistered(original)))
        if "cannot be saved" in str(error):  # what our own layers say
            yield f"{where}: {error}"
        elif functions:
            what = f"holds {', '.join(functions)}, which Keras would not find when it loads the file"
            yield f"{where} {what}. {way_out}"
        else:
            yield f"{where} cannot be made from its configuration: {reason(error)}"
        return
    for name, kept, found in _different(original, made):
        source = getattr(kept, "__module__", None)
        yield (
            f"{where} has {f'{name}=' if name else ''}{_name(kept)}"
            f"{f' of {source}' if source else ''}, which would be loaded as {_name(found)}"
            f"{' of Keras' if str(getattr(found, '__module__', '')).startswith('keras.') else ''}. {way_out}"
        )


def _copy(original: Any) -> Any:
    return keras.saving.deserialize_keras_object(_without_weights(keras.saving.serialize_keras_object(original)))


def _without_weights(config: Any) -> Any:
    """A configuration of which Keras makes the object but neither builds nor compiles it."""
    if isinstance(config, dict):
        skipped = ("build_config", "compile_config")
        return {name: _without_weights(value) for name, value in config.items() if name not in skipped}
    return [_without_weights(value) for value in config] if isinstance(config, list | tuple) else config


def _is_known(cls: type) -> bool:
    is_keras = cls.__module__.split(".")[0] == "keras"
    return is_keras or keras.saving.get_registered_object(keras.saving.get_registered_name(cls)) is cls


def _is_container(layer: keras.layers.Layer) -> bool:
    """Whether a model is nothing but its layers, each of which is checked by itself."""
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


def _different(original: Any, copy: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The functions and classes of an object that are others in its copy, with the names of their attributes."""
    if original is copy:
        return
    if _is_function(original):
        code = getattr(original, "__code__", None)  # of functions that a class makes for each of its instances
        if (code is None or code is not getattr(copy, "__code__", None)) and not _agree(original, copy):
            yield name, original, copy
        return
    if hasattr(original, "get_config") and type(original) is not type(copy):
        if copy is not None:  # what a layer sets when it is built
            yield name, type(original), type(copy)
        return
    copied = _attributes(copy)
    for key, part in _attributes(original).items():
        if key in copied and not isinstance(part, keras.layers.Layer):
            yield from _different(part, copied[key], key)


def _agree(original: Any, copy: Any) -> bool:
    """Whether two functions of Keras and TensorFlow are one function, such as `tf.nn.relu` and Keras' "relu"."""
    libraries = {str(getattr(function, "__module__", None)).split(".")[0] for function in (original, copy)}
    if not libraries <= {"keras", "tensorflow"}:
        return False
    values = tf.constant([[-30.0, -3.0, -1.0, -0.3, 0.0, 0.3, 1.0, 3.0, 30.0]])
    try:
        return bool(np.allclose(original(values), copy(values), rtol=1e-5, atol=1e-6))
    except (TypeError, ValueError):  # no functions of one tensor
        return False


def _unregistered(value: Any, depth: int = 0) -> Iterator[str]:
    """The names of functions in an object that Keras does not find by name."""
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
