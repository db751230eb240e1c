"""Data sets from `.npy` and `.npz` files, read without pickle."""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np

from tfvae.data import noise
from tfvae.data.errors import DataError
from tfvae.data.sparse_files import is_sparse_matrix, read_sparse_matrix
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
    """The splits in a file: its own, or a shuffled 80/10/10 cut of its one array.

    Raises:
        DataError: for a file that is missing, damaged, pickled, or in none of the known forms.
    """
    contents = read_arrays(path)
    if "x_train" in contents:
        arrays, labels = _stored_splits(contents, path)
        if "test" not in arrays:
            _cut_off(arrays, labels, ("test",), seed, path)
    else:
        arrays, labels = _single_array(contents, path)
        _cut_off(arrays, labels, ("validation", "test"), seed, path)
    return make_splits(path.stem, arrays, labels, str(path))


def load_whole(path: Path) -> Split | None:
    """All examples of a file that holds one array, in its own order; None for a file with splits of its own.

    Raises:
        DataError: for a file that is missing, damaged, pickled, or in none of the known forms.
    """
    contents = read_arrays(path)
    if "x_train" in contents:
        return None
    arrays, labels = _single_array(contents, path)
    return cast(Split, make_splits(path.stem, arrays, labels, str(path)).train)


def read_arrays(path: Path, *, mapped: bool = False) -> dict[str, np.ndarray]:
    """Every array in a file; the one in a `.npy` is called arr_0.

    Args:
        path: the file.
        mapped: whether the array of a `.npy` stays on disk until its values are used.

    Raises:
        DataError: for a file that is missing or cannot be read without pickle.
    """
    if not path.is_file():
        raise DataError(
            f"There is no file {path} (looked at {path.absolute()}). Give the path of an existing .npy or .npz file."
        )
    try:
        stored = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            return {"arr_0": stored}
        with stored:
            if is_sparse_matrix(stored.files):
                return {"arr_0": read_sparse_matrix(path)}
            return {key: stored[key] for key in stored.files}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: it is damaged, or holds Python objects, which tfvae does not load because "
            "unpickling runs code. Expected plain numeric arrays; save them again with numpy.save or numpy.savez. "
            f"Received from numpy: {error}"
        ) from error


def _stored_splits(contents: dict[str, np.ndarray], path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    arrays: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    for split, spellings in _SPLIT_KEYS.items():
        for prefix, found in (("x", arrays), ("y", labels)):
            keys = [f"{prefix}_{spelling}" for spelling in spellings if f"{prefix}_{spelling}" in contents]
            if len(keys) > 1:
                raise DataError(
                    f"{path} holds the {split} split more than once. Keep one of these arrays. Received {keys}."
                )
            if keys:
                found[split] = contents[keys[0]]
    return arrays, {split: y for split, y in labels.items() if split in arrays}


def _single_array(contents: dict[str, np.ndarray], path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    key = _first(_SINGLE_KEYS, contents)
    others = [name for name in contents if name not in _LABEL_KEYS]
    if key is None and len(others) == 1:
        key = others[0]
    if key is None or any(name.startswith("x_") for name in contents):
        raise DataError(
            f"{path} holds arrays in no known form. Expected {_FORMS}. Rename the arrays. Received {sorted(contents)}."
        )
    label_key = _first(_LABEL_KEYS, contents)
    return {"train": contents[key]}, {} if label_key is None else {"train": contents[label_key]}


def _first(keys: Iterable[str], contents: dict[str, np.ndarray]) -> str | None:
    return next((key for key in keys if key in contents), None)


def _cut_off(
    arrays: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    splits: tuple[str, ...],
    seed: int,
    path: Path,
) -> None:
    """Moves a tenth of the shuffled training examples, at least one, into each of `splits`."""
    x, y = arrays["train"], labels.get("train")
    num_examples = len(x) if x.ndim else 0
    if num_examples <= len(splits):
        raise DataError(
            f"{path} has {num_examples} training examples, too few to cut {' and '.join(splits)} off. Expected "
            f"at least {len(splits) + 1}, or splits of its own: {_FORMS}. Received shape {x.shape}."
        )
    if y is not None and len(np.atleast_1d(y)) != num_examples:
        raise DataError(
            f"{path} has labels of shape {y.shape} for data of shape {x.shape}. Expected one label an example; correct "
            "the labels or leave them out."
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
