"""The settings in the header of a folder of shards, and checks of them."""

from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")

_DTYPES = ("uint8", "float32")
_LARGEST = float(np.finfo(np.float32).max)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**63


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_count(count) for count in value)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(end, int | float) and abs(end) <= _LARGEST for end in value)
        and value[0] <= value[1]
    )


def _are_names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(name, str) for name in value))


# Fields that headers of earlier versions lack.
LATER_FIELDS: dict[str, Any] = {
    "has_missing": False,
    "condition": "",
    "condition_shape": None,
    "class_names": None,
    "condition_names": None,
    "schema": None,
}
CHECKS = {
    "name": lambda value: isinstance(value, str),
    "event_shape": _are_counts,
    "dtype": lambda value: value in _DTYPES,
    "num_levels": lambda value: value is None or (_is_count(value) and 2 <= value <= 256),
    "value_range": _is_range,
    "has_labels": lambda value: isinstance(value, bool),
    "num_examples": lambda value: (
        isinstance(value, dict)
        and "train" in value
        and set(value) <= set(SPLITS)
        and all(_are_counts(sizes) for sizes in value.values())
    ),
    "has_missing": lambda value: isinstance(value, bool),
    "condition": lambda value: isinstance(value, str),
    "condition_shape": lambda value: value is None or _are_counts(value),
    "class_names": _are_names,
    "condition_names": _are_names,
    "schema": lambda value: value is None or isinstance(value, dict),
}
