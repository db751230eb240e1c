"""From a name or a path to splits."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal

from tfvae.data.any_split import AnySplit
from tfvae.data.checks import check_split
from tfvae.data.conditions import LABEL, conditioned_on_labels
from tfvae.data.errors import DataError
from tfvae.data.requests import ImageSize, request_of, source_for, source_of_examples
from tfvae.data.sources.registry import NAMES
from tfvae.data.splits import Splits


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
    request = request_of(
        name,
        data_dir=data_dir,
        seed=seed,
        condition=condition,
        missing=missing,
        image_size=image_size,
        label=label,
        columns=columns,
        id=id,
        weight=weight,
    )
    source = source_for(request)
    if condition != LABEL or source.has_conditions:
        return source.load(request)
    splits = source.load(dataclasses.replace(request, condition=None))
    return Splits(splits.name, **conditioned_on_labels(splits.in_memory("a condition")))


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
    request = request_of(
        name,
        data_dir=data_dir,
        condition=condition,
        missing=missing,
        label=label,
        columns=columns,
        id=id,
        misfits=misfits,
    )
    source, request = source_of_examples(request, image_size)
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
