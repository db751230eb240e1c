"""From a name or a path to splits."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tfvae._errors import quoted
from tfvae._targets import expanded
from tfvae.data.any_split import AnySplit
from tfvae.data.conditions import LABEL, conditioned_on_labels
from tfvae.data.errors import DataError
from tfvae.data.holes import NAN
from tfvae.data.sources.registry import NAMES, source_of
from tfvae.data.sources.source import Request, Source
from tfvae.data.splits import Splits

ImageSize: TypeAlias = str | int | tuple[int, int] | None

_LARGEST_SIZE = 65_535
_SPLIT_NAMES = ("train", "validation", "test")


def known_names() -> tuple[str, ...]:
    """Returns the names that `load` knows besides paths and "tfds:NAME"."""
    return tuple(NAMES)


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    condition: str | None = None,
    missing: str | None = None,
    image_size: ImageSize = None,
    label: str | None = None,
    columns: Mapping[str, Any] | None = None,
    id: str | None = None,
    weight: str | None = None,
) -> Splits:
    """Loads a data set by name, from a file, or from a folder of images or of shards.

    Args:
        name: one of `known_names()`; "tfds:NAME" for any image data set of TensorFlow Datasets; or the path of a table
            (`.csv`, `.tsv`, `.txt`, `.data`, `.dat`, `.parquet`, `.feather`), or of an `.npy` or `.npz` file. An `.npz`
            has `x_train` with optional `x_validation`, `x_test` and `y_*`, or one array (`x`, `images`, `data`, `arr_0`
            or the only one) with optional `y` or `labels`, which is shuffled and cut 80/10/10; without `x_test`, a
            tenth of `x_train` becomes the test split. A folder of images has them in one folder, in one folder a class,
            or in folders `train`, `validation` and `test` of these; it is cut as an `.npz`. For data larger than
            memory, the folder that `write_shards` or `tfvae data shard` made: its training split is a `ShardedSplit`,
            read batch by batch; so are validation and test splits of more than 64 MB. Smaller ones are read into
            memory.
        data_dir: The folder to look in, instead of TFDS_DATA_DIR for data sets of TFDS (unset, TFDS's own default) and
            TFVAE_DATA_DIR for "frey_face", "caltech101_silhouettes" and "omniglot". Relative paths start there.
        seed: The seed of the cuts of a file without splits of its own; named data sets have fixed splits.
        condition: What a conditional model is given with each example; of shards, the condition that they were written
            with. "label" for the label, as a one-hot vector; the
            name of a column of a table, which is then not part of a row; or the name of an array of an `.npz`, such as
            "angle" for `angle`, or for `angle_train`, `angle_test`. Its integers or text (N,) are classes, floats (N,)
            numbers; vectors and images are used as they are.
        missing: A text that stands for a missing value in a table, besides the usual ones such as NA and "?". In other
            files, "nan" if NaN is a missing value; or the name of an array of an `.npz`, such as "observed" for
            `observed`, or for `observed_train`, `observed_test`, which is False at missing values of any data. None if
            no value is missing, and NaN an error.
        image_size: The size that a folder of images is resized to: one number of pixels, or height and width, as a pair
            or as "32x48". Images are scaled, and cropped at the centre. None if they have one size.
        label: The name of the column of a table that has the classes; it is not part of a row. Empty cells are unknown.
        columns: Kinds of some columns of a table, by name, in the place of those that are found: see
            `tfvae.tables.infer`.
        id: The name of the column of a table that identifies its rows; it is not part of a row.
        weight: The name of the column of a table that has the weights of its rows in training, numbers of at least 0,
            which are divided by their mean; it is not part of a row.

    Returns:
        Splits of uint8 levels or float32 values, channels last: (N, H, W) becomes (N, H, W, 1), (N, D) stays. Zeros and
        ones of any type are binary data, other uint8 data have 256 levels, other floats stay unchanged. A row of a
        table is float32 (D,), one number for each column of the `schema` that is used.

    Raises:
        DataError: If the name, the file or its contents cannot be used; the message says how to fix it.

    Example:
        >>> splits = tfvae.data.load("digits")
        >>> len(splits.train), splits.event_shape, splits.num_levels
        (1437, (8, 8, 1), 17)
    """
    request = Request(
        os.fspath(name), _folder(data_dir), seed, condition, missing, _size(image_size), label, columns, id, weight
    )
    source = source_for(request)
    if condition != LABEL or source.has_conditions:
        return source.load(request)
    splits = source.load(dataclasses.replace(request, condition=None))
    return Splits(splits.name, **conditioned_on_labels(splits.in_memory("a condition")))


def request_of(
    name: str | os.PathLike[str],
    *,
    condition: str | None = None,
    missing: str | None = None,
    image_size: ImageSize = None,
    label: str | None = None,
    columns: Mapping[str, Any] | None = None,
) -> Request:
    """Returns the request of arguments of `load`.

    Raises:
        DataError: If `image_size` is not a size.
    """
    return Request(os.fspath(name), None, 0, condition, missing, _size(image_size), label, columns)


def _folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    return None if data_dir is None else expanded(data_dir, kind=DataError)


def _size(image_size: ImageSize) -> tuple[int, int] | None:
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
    request = Request(
        os.fspath(name),
        condition=condition,
        missing=missing,
        image_size=_size(image_size),
        label=label,
        id=id,
        weight=weight,
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
    request = Request(os.fspath(name), condition=condition, missing=missing)
    source, request = _of_examples(request, image_size)
    source.check(request)


def _of_examples(request: Request, image_size: ImageSize) -> tuple[Source, Request]:
    """Returns the source of examples, of which only images are resized, and only tables have columns."""
    without = dataclasses.replace(request, label=None, columns=None, id=None, weight=None)
    source = source_for(without)
    if not source.has_columns:
        request = without
    if request.condition == LABEL and not source.has_conditions:
        request = dataclasses.replace(request, condition=None)
    return source, dataclasses.replace(request, image_size=_size(image_size) if source.resizes else None)


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


def load_examples(
    name: str | os.PathLike[str],
    *,
    split: str = "test",
    data_dir: str | os.PathLike[str] | None = None,
    condition: str | None = None,
    missing: str | None = None,
    image_size: ImageSize = None,
    label: str | None = None,
    columns: Mapping[str, Any] | None = None,
    id: str | None = None,
    misfits: Literal["error", "missing"] = "error",
) -> AnySplit:
    """Loads examples to apply a model to: a file with one array whole and in its own order, else one split.

    Args:
        name: As for `load`.
        split: "train", "validation" or "test"; only for data that have splits of their own.
        data_dir: As for `load`.
        condition: As for `load`, for the name of an array. Conditions that are labels are read from shards, but not
            made of other data, because the classes are those of the training data.
        missing: As for `load`.
        image_size: As for `load`; other data than folders of images stay as they are.
        label: As for `load`; other data than tables have none, and the table may lack the column.
        columns: As for `load`, for tables; those of another run give this table its columns.
        id: As for `load`; the table may lack the column.
        misfits: Whether values of a table that do not fit its columns, such as an unknown category, are an "error", or
            "missing" values.

    Raises:
        DataError: If `load` refuses the data, or the data set lacks the split.
    """
    check_split(split)
    request = Request(
        os.fspath(name),
        _folder(data_dir),
        condition=condition,
        missing=missing,
        label=label,
        columns=columns,
        id=id,
        misfits=misfits,
    )
    source, request = _of_examples(request, image_size)
    whole = source.whole(request)
    if whole is not None:
        return whole
    size = request.image_size
    found = getattr(load(name, data_dir=data_dir, condition=request.condition, missing=missing, image_size=size), split)
    if found is None:
        raise DataError(
            f"The data set {os.fspath(name)!r} has no {split} split. Choose another. Received: split={split!r}"
        )
    return found
