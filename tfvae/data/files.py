"""Data sets from `.npy` and `.npz` files, read without pickle."""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np

from tfvae._errors import quoted
from tfvae.data import noise
from tfvae.data.array_file import ArrayFile
from tfvae.data.contents import clean_arrays, clean_values, require_form
from tfvae.data.errors import DataError
from tfvae.data.split import Split
from tfvae.data.splits import Splits, make_splits

SUFFIXES = (".npy", ".npz")

_FORMS = (
    "x_train with optional x_validation (or x_valid, x_val), x_test and y_train, y_validation, y_test; or one array "
    "named x, images, data or arr_0, or of any name if it is the only one, with optional y or labels"
)
_SINGLE_KEYS = ("x", "images", "data", "arr_0")
_LABEL_KEYS = ("y", "labels")
_SPLIT_KEYS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}


def load_file(path: Path, seed: int) -> Splits:
    """Loads the splits of a file: its own, or a shuffled 80/10/10 cut of its one array.

    Raises:
        DataError: If the file is missing, damaged, pickled, or in none of the known forms.
        MemoryError: If the arrays, with the copies that loading makes, need more memory than is free.
    """
    file = ArrayFile(path)
    if "x_train" in file:
        x, y = _stored_splits(file)
        missing: tuple[str, ...] = () if "test" in x else ("test",)
    else:
        x, y = _single_array(file)
        missing = ("validation", "test")
    if missing:
        _require_enough(file.forms[x["train"]].shape, missing, path)
    arrays, labels = _read(file, x, y, cut=bool(missing))
    if missing:
        _cut_off(arrays, labels, missing, seed, path)
    return make_splits(path.stem, arrays, labels, str(path))


def load_whole(path: Path) -> Split | None:
    """Loads all examples of a file with one array, in their own order; None for a file with splits of its own.

    Raises:
        DataError: If the file is missing, damaged, pickled, or in none of the known forms.
        MemoryError: If the arrays, with the copies that loading makes, need more memory than is free.
    """
    file = ArrayFile(path)
    if "x_train" in file:
        return None
    arrays, labels = _read(file, *_single_array(file), cut=False)
    return cast(Split, make_splits(path.stem, arrays, labels, str(path)).train)


def check_file(path: Path) -> None:
    """Checks at once that a file exists and has one of the known forms, and that small arrays can be used.

    Raises:
        DataError: As `load_file`.
        MemoryError: As `load_file`.
    """
    file = ArrayFile(path)
    x, y = _stored_splits(file) if "x_train" in file else _single_array(file)
    _check(file, x, y, cut="test" not in x)
    clean_arrays({split: file[name] for split, name in x.items() if file.is_small(name)}, str(path))


def _read(
    file: ArrayFile, x: dict[str, str], y: dict[str, str], *, cut: bool
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    _check(file, x, y, cut=cut)
    return {split: file[name] for split, name in x.items()}, {split: file[name] for split, name in y.items()}


def _check(file: ArrayFile, x: dict[str, str], y: dict[str, str], *, cut: bool) -> None:
    """Checks headers and first rows before all values are read, which may take far more memory than the file.

    The first rows show a wrong type of number, or units that are not levels.
    """
    for split, name in x.items():
        source, form = f"{file.path} ({split})", file.forms[name]
        require_form(form.shape, form.dtype, source)
        head = file.head(name)
        if head is not None:
            clean_values(head, source, np.arange(len(head)))
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


def _single_array(file: ArrayFile) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the names of the data and of their labels, as the training split."""
    key = _first(_SINGLE_KEYS, file)
    others = [name for name in file if name not in _LABEL_KEYS]
    if key is None and len(others) == 1:
        key = others[0]
    if key is None or any(name.startswith("x_") for name in file):
        raise DataError(
            f"{file.path} has arrays in no known form. Expected {_FORMS}. Rename the arrays. Received: "
            f"{quoted(sorted(file))}"
        )
    label_key = _first(_LABEL_KEYS, file)
    return {"train": key}, {} if label_key is None else {"train": label_key}


def _first(keys: Iterable[str], contents: ArrayFile) -> str | None:
    return next((key for key in keys if key in contents), None)


def _require_enough(shape: tuple[int, ...], splits: tuple[str, ...], path: Path) -> None:
    num_examples = shape[0] if shape else 0
    if num_examples <= len(splits):
        raise DataError(
            f"{path} has {num_examples} training examples, too few to cut off {' and '.join(splits)}. Expected "
            f"at least {len(splits) + 1}, or splits of its own: {_FORMS}. Received: shape={shape}"
        )


def _cut_off(
    arrays: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    splits: tuple[str, ...],
    seed: int,
    path: Path,
) -> None:
    """Moves a tenth of the shuffled training examples, at least one, into each of `splits`."""
    x, y = arrays["train"], labels.get("train")
    num_examples = len(x)
    if y is not None and len(np.atleast_1d(y)) != num_examples:
        raise DataError(
            f"{path} has labels of shape {y.shape} for data of shape {x.shape}. Expected one label for each example; "
            "correct the labels or leave them out."
        )
    order = noise.permutation(num_examples, seed)
    size = max(1, num_examples // 10)
    for split in reversed(splits):
        order, chosen = order[:-size], order[-size:]
        arrays[split] = x[chosen]
        if y is not None:
            labels[split] = y[chosen]
    arrays["train"] = x[order]
    if y is not None:
        labels["train"] = y[order]
