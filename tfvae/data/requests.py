"""Requests for data, and the sources that can answer them."""

import dataclasses
import os
from pathlib import Path
from typing import Any, TypeAlias

from tfvae._errors import quoted
from tfvae._targets import expanded
from tfvae.data.conditions import LABEL
from tfvae.data.errors import DataError
from tfvae.data.holes import NAN
from tfvae.data.sources.registry import source_of
from tfvae.data.sources.source import Request, Source

ImageSize: TypeAlias = str | int | tuple[int, int] | None

_LARGEST_SIZE = 65_535


def request_of(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: ImageSize = None,
    **others: Any,
) -> Request:
    """Returns the request of arguments of `load`.

    Args:
        name: As for `load`.
        data_dir: As for `load`.
        image_size: As for `load`.
        **others: Further attributes of the request.

    Raises:
        DataError: If `image_size` is not a size.
    """
    return Request(os.fspath(name), folder_of(data_dir), image_size=size_of(image_size), **others)


def folder_of(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """Returns the folder to look in, or None for the default."""
    return None if data_dir is None else expanded(data_dir, kind=DataError)


def size_of(image_size: ImageSize) -> tuple[int, int] | None:
    """Returns height and width.

    Raises:
        DataError: If it is not a size.
    """
    if image_size is None:
        return None
    parts = list(map(str, image_size)) if isinstance(image_size, tuple | list) else str(image_size).lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isdecimal() and 1 <= int(part) <= _LARGEST_SIZE for part in parts):
        raise DataError(
            'image_size must be one number of pixels, such as 28, or height and width, such as "32x48". '
            f"Received: image_size={quoted(image_size)}"
        )
    return int(parts[0]), int(parts[-1])


def source_for(request: Request) -> Source:
    """Returns the source of the data.

    Raises:
        DataError: If the data cannot have such a condition or such missing values, or cannot be resized.
    """
    source = source_of(request)
    missing, condition = request.missing, request.condition
    given = {name: getattr(request, name) for name in ("label", "columns", "id", "weight") if getattr(request, name)}
    if given and not source.has_columns:
        name, value = next(iter(given.items()))
        raise DataError(
            "label, columns, id and weight are for tables, such as .csv files; other data have their own labels. Leave "
            f"them out. Received: {name}={quoted(value)} for the data {quoted(request.name)}"
        )
    if source.has_columns:
        return source
    if missing is not None and source.has_conditions:
        raise DataError(
            "missing must be left out for shards, which have a mask if values are missing. "
            f"Received: missing={quoted(missing)} for the data {quoted(request.name)}"
        )
    if missing is not None and not (source.has_nan if missing == NAN else source.has_arrays):
        raise DataError(
            'missing must be "nan", for NaN in an .npy or .npz file, or the name of an array of an .npz file, False at '
            f"missing values. Received: missing={quoted(missing)} for the data {quoted(request.name)}"
        )
    if condition not in (None, LABEL) and not source.has_arrays:
        raise DataError(
            f'condition must be "label", the label of each example, or for an .npz file the name of one of its arrays. '
            f"Received: condition={quoted(condition)} for the data {quoted(request.name)}"
        )
    if request.image_size is not None and not source.resizes:
        raise DataError(
            "image_size is for folders of images. Leave it out for other data. "
            f"Received: image_size={quoted(request.image_size)} for the data {quoted(request.name)}"
        )
    return source


def source_of_examples(request: Request, image_size: ImageSize) -> tuple[Source, Request]:
    """Returns the source of examples, of which only images are resized, and only tables have columns."""
    without = dataclasses.replace(request, label=None, columns=None, id=None, weight=None)
    source = source_for(without)
    if not source.has_columns:
        request = without
    if request.condition == LABEL and not source.has_conditions:
        request = dataclasses.replace(request, condition=None)
    return source, dataclasses.replace(request, image_size=size_of(image_size) if source.resizes else None)
