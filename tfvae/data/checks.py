"""Checks of data without TensorFlow and without reading them."""

import dataclasses
import os
from typing import Any

from tfvae._errors import quoted
from tfvae.data.conditions import LABEL
from tfvae.data.errors import DataError
from tfvae.data.requests import ImageSize, request_of, source_for, source_of_examples

_SPLIT_NAMES = ("train", "validation", "test")


def check_name(
    name: str | os.PathLike[str],
    condition: str | None = None,
    missing: str | None = None,
    image_size: ImageSize = None,
    label: str | None = None,
    id: str | None = None,
    weight: str | None = None,
) -> None:
    """Checks a name or path without TensorFlow and without reading the data.

    Args:
        name: As for `load`.
        condition: As for `load`.
        missing: As for `load`.
        image_size: As for `load`.
        label: As for `load`.
        id: As for `load`.
        weight: As for `load`.

    Raises:
        DataError: If the name is unknown, the path does not exist, or `load` would refuse the file by its headers.
        MemoryError: If the arrays, with the copies that loading makes, need more memory than is free.
    """
    request = request_of(
        name, condition=condition, missing=missing, image_size=image_size, label=label, id=id, weight=weight
    )
    source = source_for(request)
    is_made = condition == LABEL and not source.has_conditions
    source.check(dataclasses.replace(request, condition=None) if is_made else request)


def check_examples(
    name: str | os.PathLike[str],
    condition: str | None = None,
    missing: str | None = None,
    image_size: ImageSize = None,
) -> None:
    """Checks as `check_name` data for `load_examples`."""
    request = request_of(name, condition=condition, missing=missing)
    source, request = source_of_examples(request, image_size)
    source.check(request)


def check_source(name: str | os.PathLike[str], **options: Any) -> None:
    """Checks data for shards as `check_name` does, with its options; some data may be larger than memory."""
    request = request_of(name, **options)
    source = source_for(request)
    if source.stream is None and (source.on_disk is None or source.on_disk(request) is None):
        check_name(name, **options)


def check_split(split: str) -> str:
    """Returns the name of a split; raises DataError for other names."""
    if split not in _SPLIT_NAMES:
        raise DataError(f"split must be one of {', '.join(_SPLIT_NAMES)}. Received: split={quoted(split)}")
    return split
