"""Conversion of nested JSON lists of numbers to arrays, which rejects invalid lists without extra cost."""

import itertools
import math
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

    A condition that is a vector may also be given as the index of a class, which becomes a one-hot vector. A single
    index serves all examples. Missing values of x are null.

    Args:
        value: Value read from JSON.
        name: Name of the input.
        info: Expected dtype and shape.

    Raises:
        RefusedRequest: If the value does not match `info`, with status 400.
    """
    expected = f"{name} must be {_described(info)}"
    if info.num_classes is not None and (indices := _indices(value, info)) is not None:
        return _classes(indices, name, info)
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
    if info.takes_null and type(None) in kinds:
        level = [math.nan if number is None else number for number in level]
        kinds -= {type(None)}
    if not kinds <= {int, float}:
        raise _refused(expected, _received(value, kinds))
    return (_integers if info.is_whole else _floats)(level, expected, info).reshape(shape)


def _indices(value: Any, info: TensorInfo) -> list[Any] | None:
    """Returns indices of classes, one for all examples or one for each. None for other values."""
    values = value if isinstance(value, list) else [value]
    if info.is_whole:  # 3.0 is an integer
        values = [int(one) if type(one) is float and one.is_integer() else one for one in values]
    return values if values and set(map(type, values)) == {int} else None


def _classes(indices: list[int], name: str, info: TensorInfo) -> np.ndarray:
    """Returns indices `[B]`, where -1 is a label that is drawn, or one-hot vectors `[B, K]`."""
    lowest, count = -1 if info.is_whole else 0, info.num_classes or 0
    unknown = next((index for index in indices if not lowest <= index < count), None)
    if unknown is not None:
        drawn = ", or -1 for a label that is drawn" if info.is_whole else ""
        raise _refused(f"{name} must be an integer from 0 to {count - 1}{drawn}", f"{name}={unknown}")
    return np.array(indices, info.dtype) if info.is_whole else np.eye(count, dtype=info.dtype)[indices]


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
    if (np.abs(array) > float(np.finfo(info.dtype).max)).any():  # false for NaN
        raise _refused(expected, f"a number too large for {info.dtype}")
    return array.astype(info.dtype)


def _described(info: TensorInfo) -> str:
    if not info.shape:
        return "an integer" if info.is_whole else "a number"
    indices = " or indices of classes" if info.num_classes is not None and not info.is_whole else ""
    return f"{'integers' if info.is_whole else 'numbers'} of shape {_shape(info.shape)}{indices}"


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
