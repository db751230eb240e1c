"""From lists of numbers, as JSON has them, to tensors; what is no such list costs no more to refuse."""

import itertools
from typing import Any

import numpy as np

from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.signature import TensorInfo

_MOST_SHOWN = 8
_KINDS = {bool: "true or false", str: "text", type(None): "null", dict: "an object"}


def read_tensor(value: Any, name: str, info: TensorInfo) -> np.ndarray:
    """The tensor of an input.

    Level by level, and by the types of what is there: `np.asarray` would pad all values to the longest text among
    them, and take true for 1. A whole number may be written 3.0, as JSON Schema has it.

    Args:
        value: as read from JSON.
        name: of the input.
        info: what it has to be.

    Raises:
        RefusedRequest: with status 400.
    """
    wanted = f"{name} is {_described(info)}"
    level, shape = [value], []
    for length in info.shape:
        kinds = set(map(type, level))
        if kinds != {list}:
            raise _refused(wanted, _received(value, kinds))
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise _refused(wanted, "lists of unequal lengths")
        shape.append(lengths.pop())
        if length not in (None, shape[-1]) or not shape[-1]:
            raise _refused(wanted, f"shape {_shape(_shape_of(value))}")
        level = list(itertools.chain.from_iterable(level))
    kinds = set(map(type, level))
    if not kinds <= {int, float}:
        raise _refused(wanted, _received(value, kinds))
    return (_whole if info.is_whole else _real)(level, wanted, info).reshape(shape)


def _whole(values: list[Any], wanted: str, info: TensorInfo) -> np.ndarray:
    if set(map(type, values)) != {int}:
        if not all(float(value).is_integer() for value in values):
            raise _refused(wanted, "fractions")
        values = [int(value) for value in values]
    bounds = np.iinfo(info.dtype)
    if min(values) < bounds.min or max(values) > bounds.max:
        raise _refused(wanted, f"a number outside {bounds.min} to {bounds.max}")
    return np.array(values, info.dtype)


def _real(values: list[Any], wanted: str, info: TensorInfo) -> np.ndarray:
    array = np.array(values, np.float64)
    if np.abs(array).max() > float(np.finfo(info.dtype).max):
        raise _refused(wanted, f"a number too large for {info.dtype}")
    return array.astype(info.dtype)


def _described(info: TensorInfo) -> str:
    if not info.shape:
        return "one whole number" if info.is_whole else "one number"
    return f"{'whole numbers' if info.is_whole else 'numbers'} of shape {_shape(info.shape)}"


def _received(value: Any, kinds: set[type]) -> str:
    """What is there instead of lists, or of numbers."""
    if named := [_KINDS[kind] for kind in _KINDS if kind in kinds]:
        return " and ".join(named)
    return "numbers beside lists" if len(kinds) > 1 and list in kinds else f"shape {_shape(_shape_of(value))}"


def _shape_of(value: Any) -> tuple[int, ...]:
    """The lengths of the first list, of the first list within it, and so on."""
    shape: list[int] = []
    while isinstance(value, list) and len(shape) < _MOST_SHOWN:
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _shape(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("any" if length is None else str(length) for length in shape) + "]"


def _refused(wanted: str, received: str) -> RefusedRequest:
    return RefusedRequest(400, f"{wanted}; received {received}.")
