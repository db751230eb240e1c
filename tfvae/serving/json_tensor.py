"""Conversion of nested JSON lists of numbers to arrays, which rejects invalid lists without extra cost."""

import itertools
from typing import Any

import numpy as np

from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.signature import TensorInfo

_MAX_SHOWN_AXES = 8
_KINDS = {bool: "true or false", str: "text", type(None): "null", dict: "an object"}


def read_tensor(value: Any, name: str, info: TensorInfo) -> np.ndarray:
    """Converts the JSON value of an input to an array.

    The lists are checked level by level by the types of their elements. `np.asarray` would pad all values to the
    longest string among them, and accept true as 1. An integer may be written as 3.0, as in JSON Schema.

    Args:
        value: Value read from JSON.
        name: Name of the input.
        info: Expected dtype and shape.

    Raises:
        RefusedRequest: If the value does not match `info`, with status 400.
    """
    expected = f"{name} must be {_described(info)}"
    level, shape = [value], []
    for length in info.shape:
        kinds = set(map(type, level))
        if kinds != {list}:
            raise _refused(expected, _received(value, kinds))
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise _refused(expected, "lists of unequal lengths")
        shape.append(lengths.pop())
        if length not in (None, shape[-1]) or not shape[-1]:
            raise _refused(expected, f"shape {_shape(_shape_of(value))}")
        level = list(itertools.chain.from_iterable(level))
    kinds = set(map(type, level))
    if not kinds <= {int, float}:
        raise _refused(expected, _received(value, kinds))
    return (_integers if info.is_whole else _floats)(level, expected, info).reshape(shape)


def _integers(values: list[Any], expected: str, info: TensorInfo) -> np.ndarray:
    if set(map(type, values)) != {int}:
        if not all(float(value).is_integer() for value in values):
            raise _refused(expected, "fractions")
        values = [int(value) for value in values]
    bounds = np.iinfo(info.dtype)
    if min(values) < bounds.min or max(values) > bounds.max:
        raise _refused(expected, f"a number outside {bounds.min} to {bounds.max}")
    return np.array(values, info.dtype)


def _floats(values: list[Any], expected: str, info: TensorInfo) -> np.ndarray:
    array = np.array(values, np.float64)
    if np.abs(array).max() > float(np.finfo(info.dtype).max):
        raise _refused(expected, f"a number too large for {info.dtype}")
    return array.astype(info.dtype)


def _described(info: TensorInfo) -> str:
    if not info.shape:
        return "an integer" if info.is_whole else "a number"
    return f"{'integers' if info.is_whole else 'numbers'} of shape {_shape(info.shape)}"


def _received(value: Any, kinds: set[type]) -> str:
    """Describes a value that is not a list or not a number."""
    if named := [_KINDS[kind] for kind in _KINDS if kind in kinds]:
        return " and ".join(named)
    return "a mixture of numbers and lists" if len(kinds) > 1 and list in kinds else f"shape {_shape(_shape_of(value))}"


def _shape_of(value: Any) -> tuple[int, ...]:
    """Returns the length of the list, of its first element, and so on."""
    shape: list[int] = []
    while isinstance(value, list) and len(shape) < _MAX_SHOWN_AXES:
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _shape(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("any" if length is None else str(length) for length in shape) + "]"


def _refused(expected: str, received: str) -> RefusedRequest:
    return RefusedRequest(400, f"{expected}. Received: {received}")
