"""Values of arguments of parts: their types, from the signatures of the constructors, and limits that Keras leaves out.

A mistake is then an error that names the argument, before anything is built.
"""

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfvae._checks import number, whole_number
from tfvae._errors import quoted
from tfvae.parts.activations import ACTIVATIONS
from tfvae.parts.part import FAMILIES, nearest

_POSITIVE = functools.partial(number, above=0)
_NOT_NEGATIVE = functools.partial(number, at_least=0)
_SHARE = functools.partial(number, at_least=0, at_most=1)
_BELOW_ONE = functools.partial(number, at_least=0, below=1)
_COUNT = functools.partial(whole_number, at_least=0)
_POSITIVE_COUNT = functools.partial(whole_number, at_least=1)

# What Keras does not check, or reports without the name of the argument, and what would be checked after data are read.
_LIMITS: Mapping[str, Mapping[str, Callable[[Any, str], Any]]] = {
    "training.optimizer": {
        **dict.fromkeys(("beta_1", "beta_2", "adam_beta_1", "adam_beta_2", "rho"), _BELOW_ONE),
        **dict.fromkeys(("momentum", "ema_momentum"), _SHARE),
        **dict.fromkeys(
            (
                "adam_weight_decay", "epsilon", "epsilon_1", "epsilon_2", "initial_accumulator_value", "weight_decay",
                "l1_regularization_strength", "l2_regularization_strength", "l2_shrinkage_regularization_strength",
            ),
            _NOT_NEGATIVE,
        ),
        **dict.fromkeys(("clipnorm", "clipvalue", "clip_threshold", "global_clipnorm", "loss_scale_factor"), _POSITIVE),
        "ema_overwrite_frequency": _POSITIVE_COUNT,
        "gradient_accumulation_steps": functools.partial(whole_number, at_least=2),
        "ns_steps": _POSITIVE_COUNT,
    },
    "training.learning_rate": {
        **dict.fromkeys(("decay_rate", "t_mul", "m_mul"), _POSITIVE),
        **dict.fromkeys(("decay_steps", "first_decay_steps"), _POSITIVE_COUNT),
        **dict.fromkeys(("initial_learning_rate", "end_learning_rate", "warmup_target", "power"), _NOT_NEGATIVE),
        "alpha": _SHARE,
        "warmup_steps": _COUNT,
    },
    "training.estimator": {
        "num_steps": _POSITIVE_COUNT,
        **dict.fromkeys(("step_size", "max_step_size"), _POSITIVE),
        "temperature": functools.partial(number, above=1),
    },
    "training.callbacks": {
        **dict.fromkeys(("patience", "cooldown", "start_from_epoch"), _COUNT),
        **dict.fromkeys(("min_delta", "min_lr"), _NOT_NEGATIVE),
        "baseline": number,
        "factor": functools.partial(number, above=0, below=1),
    },
}  # fmt: skip
# Arguments that are counts of something in every part.
_COUNTS = (
    "chunk_size", "num_blocks", "num_bounds", "num_classes", "num_components", "num_importance_samples", "num_samples",
    "num_transforms", "num_vectors", "rank", "total_count",
)  # fmt: skip
_METRICS = ("elbo", "kl", "log_likelihood", "loss")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "training.callbacks.mode": ("min", "max"),
    "training.callbacks.monitor": (*(f"val_{name}" for name in _METRICS), *_METRICS),
}
_LISTS_OF_NUMBERS = ("training.learning_rate.boundaries", "training.learning_rate.values")


def check_argument(setting: str, parameter: inspect.Parameter, value: Any) -> None:
    """Checks the value of an argument of a part.

    Args:
        setting: The setting that the part belongs to.
        parameter: The argument, of the constructor.
        value: Its value.

    Raises:
        ValueError: If the value has another type than the argument, or is outside its limits.
    """
    name = f"{setting}.{parameter.name}"
    if name in FAMILIES:
        return  # a part itself
    limit = _POSITIVE_COUNT if parameter.name in _COUNTS else _LIMITS.get(setting, {}).get(parameter.name)
    if limit is not None:
        try:
            limit(value, name)
        except ValueError as error:
            raise ValueError(str(error).replace("`", "")) from None
        return
    if parameter.name == "activation" and isinstance(value, str):
        require_choice(value, name, ACTIVATIONS)
    if name in _CHOICES:
        require_choice(value, name, _CHOICES[name])
    annotation = parameter.annotation
    if name in _LISTS_OF_NUMBERS:
        annotation = Sequence[float]
    elif annotation is parameter.empty:
        is_typed = parameter.default is not parameter.empty and parameter.default is not None
        annotation = type(parameter.default) if is_typed else Any
        annotation = float if annotation is int else annotation  # Keras writes 0 for 0.0
    expected = _expected(annotation)
    if expected is not None:
        require(_fits(value, annotation), name, expected, value)


def require_choice(value: Any, name: str, choices: Sequence[str]) -> None:
    """Raises ValueError if a value is not one of the choices for a setting or argument."""
    if value not in choices:
        raise ValueError(
            f"{name} must be one of {', '.join(choices)}.{nearest(value, choices)} Received: {name}={quoted(value)}"
        )


def _expected(annotation: Any) -> str | None:
    """Returns the values of a type in words. None if they are not known."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is Sequence and inner[0] in _WORDS:
        return f"a list, each {_WORDS[inner[0]]}"
    if origin is Mapping:
        return "a table"
    if origin in (typing.Union, types.UnionType):
        words = [_expected(each) for each in inner if each not in (type(None), type)]
        return None if None in words else " or ".join(word for word in words if word is not None)
    return None


def _fits(value: Any, annotation: Any) -> bool:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return any(value == each and type(value) is type(each) for each in inner)
    if origin is Sequence:
        return isinstance(value, list | tuple) and all(_fits(each, inner[0]) for each in value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    return type(value) is annotation


_WORDS: Mapping[Any, str] = {int: "an integer", float: "a number", str: "text", bool: "true or false"}


def require(condition: bool, name: str, expected: str, received: Any) -> None:
    """Raises ValueError if a setting or argument does not meet a condition."""
    if not condition:
        raise ValueError(f"{name} must be {expected}. Received: {name}={quoted(received)}")
