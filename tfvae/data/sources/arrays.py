"""Data sets from `.npy` and `.npz` files, read without pickle."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np

from tfvae._errors import quoted
from tfvae.data.contents import clean_arrays, clean_values, require_form
from tfvae.data.cutting import ALL, cut_off, require_enough
from tfvae.data.errors import DataError
from tfvae.data.holes import NAN, observed_of, with_zeros, without_nan
from tfvae.data.sources.array_file import ArrayFile
from tfvae.data.sources.source import Request, Source
from tfvae.data.split import Split
from tfvae.data.splits import Splits, make_splits

_log = logging.getLogger("tfvae")

_FORMS = (
    "x_train with optional x_validation (or x_valid, x_val), x_test and y_train, y_validation, y_test; or one array "
    "named x, images, data or arr_0, or of any name if it is the only one, with optional y or labels"
)
_SINGLE_KEYS = ("x", "images", "data", "arr_0")
_LABEL_KEYS = ("y", "labels")
_NUM_CHANNELS = (1, 3, 4)  # of images
_SPLIT_KEYS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}


def _load(request: Request) -> Splits:
    """Loads the splits of a file: its own, or a shuffled 80/10/10 cut of its one array.

    Raises:
        DataError: If the file is missing, damaged, pickled, or in none of the known forms.
        MemoryError: If the arrays, with the copies that loading makes, need more memory than is free.
    """
    path, condition, missing = request.path, request.condition, request.missing
    file = ArrayFile(path)
    if "x_train" in file:
        x, y = _stored_splits(file)
        to_cut: tuple[str, ...] = () if "test" in x else ("test",)
    else:
        x, y = _single_array(file, condition, missing)
        to_cut = ALL
    shape = file.forms[x["train"]].shape
    own = f"splits of its own: {_FORMS}. Received: shape={shape}"
    require_enough(shape[0] if shape else 0, "training examples", to_cut, path, own)
    parts = _read(file, x, y, condition, missing, cut=bool(to_cut))
    if to_cut:
        cut_off(parts, to_cut, request.seed, path)
    return _splits(path, parts)


def _load_whole(request: Request) -> Split | None:
    """Loads all examples of a file with one array, in their own order; None for a file with splits of its own.

    Raises:
        DataError: As `_load`.
        MemoryError: As `_load`.
    """
    path, condition, missing = request.path, request.condition, request.missing
    file = ArrayFile(path)
    if "x_train" in file:
        return None
    x, y = _single_array(file, condition, missing)
    return cast(Split, _splits(path, _read(file, x, y, condition, missing, cut=False)).train)


def _check_file(request: Request) -> None:
    """Checks at once that a file exists and has one of the known forms, and that small arrays can be used.

    Raises:
        DataError: As `_load`.
        MemoryError: As `_load`.
    """
    path, condition, missing = request.path, request.condition, request.missing
    file = ArrayFile(path)
    x, y = _stored_splits(file) if "x_train" in file else _single_array(file, condition, missing)
    _check(file, x, {**y, **_conditions(file, x, condition), **_masks(file, x, missing)}, missing, "test" not in x)
    small = {split: file[name] for split, name in x.items() if file.is_small(name)}
    clean_arrays(small if missing is None else {split: without_nan(part) for split, part in small.items()}, str(path))


def _read(
    file: ArrayFile, x: dict[str, str], y: dict[str, str], condition: str | None, missing: str | None, *, cut: bool
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the data, labels, conditions and masks of the splits, with zeros in the place of missing values."""
    conditions, masks = _conditions(file, x, condition), _masks(file, x, missing)
    _check(file, x, {**y, **conditions, **masks}, missing, cut)
    names = {"data": x, "labels": y, "conditions": conditions, "masks": masks}
    parts = {part: {split: file[name] for split, name in of_part.items()} for part, of_part in names.items()}
    parts["masks"] = observed_of(parts["data"], parts["masks"], missing, str(file.path))
    parts["data"] = with_zeros(parts["data"], parts["masks"])
    return parts


def _splits(path: Path, parts: dict[str, dict[str, np.ndarray]]) -> Splits:
    shape = parts["data"]["train"].shape
    if len(shape) == 4 and shape[1] in _NUM_CHANNELS and min(shape[2:]) > max(_NUM_CHANNELS):
        _log.warning(
            "%s: examples of shape %s look like images whose channels are first. tfvae takes the last axis for the "
            "channels: save numpy.moveaxis(x, 1, -1).",
            path,
            shape[1:],
        )
    return make_splits(
        path.stem, parts["data"], parts["labels"], str(path), parts["conditions"] or None, parts["masks"]
    )


def _conditions(file: ArrayFile, x: dict[str, str], condition: str | None) -> dict[str, str]:
    """Returns the names of the conditions of each split."""
    return _beside(file, x, condition, "the condition", '"label" makes conditions of the labels')


def _masks(file: ArrayFile, x: dict[str, str], missing: str | None) -> dict[str, str]:
    """Returns the names of the masks of each split, if they are arrays of the file."""
    name = None if missing == NAN else missing
    return _beside(file, x, name, "the mask of observed values", '"nan" takes NaN for missing values')


def _beside(file: ArrayFile, x: dict[str, str], part: str | None, what: str, otherwise: str) -> dict[str, str]:
    """Returns the names of the arrays of each split beside its data; none if there is no name."""
    if part is None:
        return {}
    if "x_train" in file:
        # As the data are spelled: x_valid has NAME_valid.
        found = {split: f"{part}{name.removeprefix('x')}" for split, name in x.items()}
    else:
        found = {"train": part}
    absent = [name for name in found.values() if name not in file]
    if absent:
        raise DataError(
            f"{file.path} has no array {quoted(absent[0])} for {what}. Expected {quoted(part)}, or with x_train one "
            f'array for each split, such as "{part}_train"; {otherwise}. Received: the arrays {quoted(sorted(file))}'
        )
    return found


def _check(file: ArrayFile, x: dict[str, str], y: dict[str, str], missing: str | None, cut: bool) -> None:
    """Checks headers and first rows before all values are read, which may take far more memory than the file.

    The first rows show a wrong type of number, or units that are not levels.
    """
    for split, name in x.items():
        source, form = f"{file.path} ({split})", file.forms[name]
        require_form(form.shape, form.dtype, source)
        head = file.head(name)
        if head is not None:
            clean_values(head if missing is None else without_nan(head), source, np.arange(len(head)))
    sizes = {name: file.forms[name].loading_bytes(is_label=False, cut=cut) for name in x.values()}
    sizes |= {name: file.forms[name].loading_bytes(is_label=True, cut=cut) for name in y.values()}
    file.require_memory(sizes)


def _stored_splits(file: ArrayFile) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the names of the data and of the labels of each split."""
    arrays: dict[str, str] = {}
    labels: dict[str, str] = {}
    for split, spellings in _SPLIT_KEYS.items():
        for prefix, found in (("x", arrays), ("y", labels)):
            keys = [f"{prefix}_{spelling}" for spelling in spellings if f"{prefix}_{spelling}" in file]
            if len(keys) > 1:
                raise DataError(
                    f"{file.path} has the {split} split more than once. Keep one of these arrays. Received: {keys}"
                )
            if keys:
                found[split] = keys[0]
    return arrays, {split: y for split, y in labels.items() if split in arrays}


def _single_array(file: ArrayFile, *others: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the names of the data and of their labels, as the training split. The data are none of `others`."""
    key = _first(_SINGLE_KEYS, file)
    names = [name for name in file if name not in (*_LABEL_KEYS, *others)]
    if key is None and len(names) == 1:
        (key,) = names
    if key is None or any(name.startswith("x_") for name in file):
        raise DataError(
            f"{file.path} has arrays in no known form. Expected {_FORMS}. Rename the arrays. Received: "
            f"{quoted(sorted(file))}"
        )
    unnamed = [name for name in names if name.startswith("arr_")]
    if key == "arr_0" and len(unnamed) > 1:
        raise DataError(
            f"{file.path} has {len(unnamed)} arrays without a name, of which it does not say which are the examples. "
            "Save one array with names, numpy.savez(PATH, x=examples, y=labels); tfvae.data.pad makes one array of "
            f"examples of different lengths. Received: {quoted(unnamed)}"
        )
    label_key = _first(_LABEL_KEYS, file)
    return {"train": key}, {} if label_key is None else {"train": label_key}


def _first(keys: Iterable[str], contents: ArrayFile) -> str | None:
    return next((key for key in keys if key in contents), None)


def _on_disk(request: Request) -> np.ndarray | None:
    file = ArrayFile(request.path)
    return None if file.is_archive else file.mapped()


NPY = Source(_load, _check_file, _load_whole, _on_disk, has_nan=True)
NPZ = Source(_load, _check_file, _load_whole, has_nan=True, has_arrays=True)
