"""Constructors of parts: their arguments, checked against their signatures, and what they make."""

import importlib
import inspect
import re
from collections.abc import Mapping
from typing import Any

from tfvae._errors import quoted, reason
from tfvae.parts.arguments import check_argument
from tfvae.parts.part import FAMILIES, named, nearest, part_of

# The argument that a constructor's error begins with.
_ARGUMENT = re.compile(r"(?:Argument )?`(\w+)` (.*)")
# Arguments that every part of a library has, and that change no number: they can be given, but are not written down.
# The number of spatial axes is that of the data.
_NOT_WRITTEN = ("name", "convert_to_tensor_fn", "validate_args", "num_axes")


def constructor(path: str) -> Any:
    """Returns the class or function at "module:name".

    Raises:
        ValueError: If it cannot be imported.
    """
    module, name = path.split(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{quoted(path)} cannot be imported: {reason(error)}. Expected a module that Python finds, such as a file "
            "in the current folder, and a function in it."
        ) from error


def parameters_of(make: Any) -> dict[str, inspect.Parameter]:
    """Returns the parameters of a class or function by name.

    For a class whose `__init__` is inherited, `inspect.signature` of some versions of Python gives that of Keras'
    `Layer.__new__`, which takes anything.
    """
    if not inspect.isclass(make):
        return dict(inspect.signature(make).parameters)
    _, *parameters = inspect.signature(make.__init__).parameters.items()
    return dict(parameters)


def arguments_of(setting: str, kind: str) -> dict[str, inspect.Parameter]:
    """Returns the arguments of a kind that can be given, by name."""
    family = FAMILIES[setting]
    parameters = parameters_of(constructor(family.kinds[kind])).values()
    return {
        each.name: each
        for each in parameters
        if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL) and each.name not in family.given
    }


def resolved(value: Any, setting: str) -> Any:
    """Returns a part with the defaults of its constructor written out, in its shortest form.

    Raises:
        ValueError: If an argument is unknown or missing, or its value has another type or is out of range.
    """
    kind, given = part_of(value, setting)
    known, shared = arguments_of(setting, kind), FAMILIES[setting].shared
    for name in given:
        if name not in known:
            raise ValueError(
                f"{setting}.{name} is not an argument of the {FAMILIES[setting].noun} {quoted(kind)}."
                f"{nearest(name, known)} Its arguments: {', '.join(known) or 'none'}. "
                f"Received: {setting}={quoted(value)}"
            )
        check_argument(setting, known[name], given[name])
        if f"{setting}.{name}" in FAMILIES:
            given[name] = resolved(given[name], f"{setting}.{name}")
    missing = [
        name for name, each in known.items() if each.default is each.empty and name not in given and name not in shared
    ]
    if missing:
        example = f"{{kind = {quoted(kind)}, {missing[0]} = ...}}"
        raise ValueError(
            f"{setting} needs {' and '.join(missing)}, as in {setting} = {example}. Received: {setting}={quoted(value)}"
        )
    defaults = {
        name: each.default
        for name, each in known.items()
        if name not in (*shared, *_NOT_WRITTEN) and _is_plain(each.default)
    }
    return named(kind, {name: _as_toml(each) for name, each in {**defaults, **given}.items()})


def build(value: Any, setting: str, **available: Any) -> Any:
    """Makes a part.

    Args:
        value: The part, as in a file.
        setting: The setting that it belongs to.
        **available: Arguments that the constructor takes if it has one of that name.

    Raises:
        ValueError: If the constructor refuses an argument. The message names the setting.
    """
    kind, arguments = part_of(value, setting)
    return call(FAMILIES[setting].kinds[kind], setting, arguments, available)


def call(
    path: str, setting: str, arguments: Mapping[str, Any], available: Mapping[str, Any], method: str | None = None
) -> Any:
    """Calls the constructor at "module:name", or a static method of it; see `build`."""
    make = constructor(path) if method is None else getattr(constructor(path), method)
    parameters = parameters_of(make)
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    offered = {k: v for k, v in available.items() if k in parameters or (takes_all and k == "name")}
    nested = {name: _nested(each, f"{setting}.{name}") for name, each in arguments.items()}
    try:
        return make(**{**offered, **nested})
    except (TypeError, ValueError) as error:
        raise ValueError(_refusal(setting, arguments, reason(error))) from error


def _nested(value: Any, setting: str) -> Any:
    """Makes an argument that is a part. Other values are returned unchanged."""
    return build(value, setting) if setting in FAMILIES and not FAMILIES[setting].several else value


def _refusal(setting: str, arguments: Mapping[str, Any], why: str) -> str:
    """Returns the message for an error of a constructor, which names the argument if the error does."""
    if why.startswith(f"{setting}."):
        return why  # of a part within this one
    match = _ARGUMENT.fullmatch(why)
    if match is None or match[1] not in arguments:
        return f"{setting} cannot be made: {why}"
    name = f"{setting}.{match[1]}"
    received = f"Received: {match[1]}="
    rest = match[2] if received in match[2] else f"{match[2]}. {received}{quoted(arguments[match[1]])}"
    return f"{name} {rest.replace(received, f'Received: {name}=')}"


def _as_toml(value: Any) -> Any:
    """Returns a value in the types that TOML reads."""
    if isinstance(value, Mapping):
        return {name: _as_toml(each) for name, each in value.items()}
    return list(map(_as_toml, value)) if isinstance(value, list | tuple) else value


def _is_plain(value: Any) -> bool:
    """Whether a default can be written to TOML."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str) and value is not inspect.Parameter.empty
