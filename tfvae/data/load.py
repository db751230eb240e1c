"""From a name or a path to splits."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from tfvae._errors import quoted, reason
from tfvae._targets import expanded
from tfvae.data import archives, digits, files
from tfvae.data.array_file import ArrayFile
from tfvae.data.conditions import LABEL, conditioned_on_labels
from tfvae.data.errors import DataError
from tfvae.data.holes import NAN
from tfvae.data.load_shards import load_shards
from tfvae.data.shard_header import ShardHeader, is_shards
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.split import Split
from tfvae.data.splits import Splits
from tfvae.data.tensorflow_datasets_source import load_from_tfds

_TFDS_PREFIX = "tfds:"
_SPLIT_NAMES = ("train", "validation", "test")
_TABLES = {
    ".csv": "pandas.read_csv(PATH)",
    ".tsv": "pandas.read_csv(PATH, sep='\\t')",
    ".txt": "pandas.read_csv(PATH)",
    ".parquet": "pandas.read_parquet(PATH)",
    ".xlsx": "pandas.read_excel(PATH)",
}

_LOADERS: MappingProxyType[str, Callable[[Path | None], Splits]] = MappingProxyType(
    {
        "digits": lambda data_dir: digits.load_digits(),
        "mnist": lambda data_dir: load_from_tfds("mnist", data_dir),
        "fashion_mnist": lambda data_dir: load_from_tfds("fashion_mnist", data_dir),
        "binarized_mnist": lambda data_dir: load_from_tfds("binarized_mnist", data_dir),
        "frey_face": archives.load_frey_face,
        "caltech101_silhouettes": archives.load_caltech101_silhouettes,
        "omniglot": archives.load_omniglot,
    }
)


def known_names() -> tuple[str, ...]:
    """Returns the names that `load` knows besides paths and "tfds:NAME"."""
    return tuple(_LOADERS)


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    condition: str | None = None,
    missing: str | None = None,
) -> Splits:
    """Loads a data set by name, from a file, or from a folder of shards.

    Args:
        name: one of `known_names()`; "tfds:NAME" for any image data set of TensorFlow Datasets; or the path of an
            `.npy` or `.npz` file. An `.npz` has `x_train` with optional `x_validation`, `x_test` and `y_*`, or one
            array (`x`, `images`, `data`, `arr_0` or the only one) with optional `y` or `labels`, which is shuffled and
            cut 80/10/10; without `x_test`, a tenth of `x_train` becomes the test split. For data larger than memory,
            the folder that `write_shards` or `tfvae data shard` made: its training split is a `ShardedSplit`, read
            batch by batch; so are validation and test splits of more than 64 MB. Smaller ones are read into memory.
        data_dir: The folder to look in, instead of TFDS_DATA_DIR for data sets of TFDS (unset, TFDS's own default) and
            TFVAE_DATA_DIR for "frey_face", "caltech101_silhouettes" and "omniglot". Relative paths start there.
        seed: The seed of the cuts of a file without splits of its own; named data sets have fixed splits.
        condition: What a conditional model is given with each example: "label" for the label, as a one-hot vector; or
            the name of an array of an `.npz`, such as "angle" for `angle`, or for `angle_train`, `angle_test`. Its
            integers or text (N,) are classes, floats (N,) numbers; vectors and images are used as they are.
        missing: "nan" if NaN in a file is a missing value; or the name of an array of an `.npz`, such as "observed" for
            `observed`, or for `observed_train`, `observed_test`, which is False at missing values of any data. None if
            no value is missing, and NaN an error.

    Returns:
        Splits of uint8 levels or float32 values, channels last: (N, H, W) becomes (N, H, W, 1), (N, D) stays. Zeros and
        ones of any type are binary data, other uint8 data have 256 levels, other floats stay unchanged.

    Raises:
        DataError: If the name, the file or its contents cannot be used; the message says how to fix it.

    Example:
        >>> splits = tfvae.data.load("digits")
        >>> len(splits.train), splits.event_shape, splits.num_levels
        (1437, (8, 8, 1), 17)
    """
    folder = None if data_dir is None else expanded(data_dir, kind=DataError)
    text = os.fspath(name)
    _require_arrays(text, condition, missing)
    if condition not in (None, LABEL):
        return files.load_file(_require_path(text, folder), seed, condition, missing)
    splits = _loaded(text, folder, seed, missing)
    return splits if condition is None else _conditioned(splits)


def _loaded(text: str, folder: Path | None, seed: int, missing: str | None) -> Splits:
    if text in _LOADERS:
        return _LOADERS[text](folder)
    if text.startswith(_TFDS_PREFIX):
        return load_from_tfds(text.removeprefix(_TFDS_PREFIX), folder)
    path = _require_path(text, folder)
    return files.load_file(path, seed, missing=missing) if path.suffix in files.SUFFIXES else load_shards(path)


def _conditioned(splits: Splits) -> Splits:
    """Returns splits whose conditions are their labels."""
    return Splits(splits.name, **conditioned_on_labels(splits.in_memory("a condition")))


def _require_arrays(text: str, condition: str | None, missing: str | None) -> None:
    """Raises DataError if data cannot have such a condition or such missing values."""
    suffix = "" if text in _LOADERS else Path(text).suffix
    if missing is not None and suffix not in (files.SUFFIXES if missing == NAN else (".npz",)):
        raise DataError(
            'missing must be "nan", for NaN in an .npy or .npz file, or the name of an array of an .npz file, False at '
            f"missing values. Received: missing={quoted(missing)} for the data {quoted(text)}"
        )
    if condition not in (None, LABEL) and suffix != ".npz":
        raise DataError(
            f'condition must be "label", the label of each example, or for an .npz file the name of one of its arrays. '
            f"Received: condition={quoted(condition)} for the data {quoted(text)}"
        )


def check_name(name: str | os.PathLike[str], condition: str | None = None, missing: str | None = None) -> None:
    """Checks a name or path without TensorFlow and without reading the data.

    Args:
        name: As for `load`.
        condition: As for `load`.
        missing: As for `load`.

    Raises:
        DataError: If the name is unknown, the path does not exist, or `load` would refuse the file by its headers.
        MemoryError: If the arrays, with the copies that loading makes, need more memory than is free.
    """
    text = os.fspath(name)
    _require_arrays(text, condition, missing)
    if text in archives.FILES:
        archives.find(text, None)
    if text in _LOADERS or text.startswith(_TFDS_PREFIX):
        return
    path = _require_path(text, None)
    if path.suffix in files.SUFFIXES:
        files.check_file(path, None if condition == LABEL else condition, missing)
    else:
        ShardHeader.read(path)


def check_source(name: str | os.PathLike[str]) -> None:
    """Checks a source of shards as `check_name` does; a `.npy` file may be larger than memory."""
    path = expanded(name, kind=DataError)
    if path.suffix == ".npy":
        ArrayFile(path)
    else:
        check_name(name)


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
) -> Split | ShardedSplit:
    """Loads examples to apply a model to: a file with one array whole and in its own order, else one split.

    Args:
        name: As for `load`.
        split: "train", "validation" or "test"; only for data that have splits of their own.
        data_dir: As for `load`.
        condition: As for `load`, for the name of an array. Conditions that are labels are not made, because the classes
            are those of the training data.
        missing: As for `load`.

    Raises:
        DataError: If `load` refuses the data, or the data set lacks the split.
    """
    check_split(split)
    path = expanded(name, kind=DataError)
    if path.suffix in files.SUFFIXES and os.fspath(name) not in _LOADERS:
        path = path if data_dir is None else expanded(data_dir, kind=DataError) / path
        _require_arrays(os.fspath(name), condition, missing)
        whole = files.load_whole(path, condition, missing)
        if whole is not None:
            return whole
    found = getattr(load(name, data_dir=data_dir, condition=condition, missing=missing), split)
    if found is None:
        raise DataError(
            f"The data set {os.fspath(name)!r} has no {split} split. Choose another. Received: split={split!r}"
        )
    return found


def _require_path(text: str, folder: Path | None) -> Path:
    """Returns the path of a file or of a folder of shards."""
    if not text:
        raise DataError("A data set's name or path is empty. Give one. Received: name=''")
    path = expanded(text, kind=DataError)
    path = path if folder is None else folder / path
    if path.suffix in files.SUFFIXES:
        return path
    try:
        if path.suffix == ".tfrecord":
            path = path.parent if path.parent.is_dir() else path
            raise DataError(
                f"{text} is a single shard. Give the folder of all of them, {path}, with the shards.json that "
                "`tfvae data shard` or tfvae.data.write_shards wrote."
            )
        if is_shards(path):
            return path
        exists = path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise DataError(f"The data {quoted(text)} cannot be read: {reason(error)}. Give another path.") from error
    raise _unreadable(text, path) if exists else _unknown(text)


def _unreadable(text: str, path: Path) -> DataError:
    """Makes the error for a path of something else."""
    if path.is_dir():
        return DataError(
            f"The folder {text} has no shards. `tfvae data shard DATA FOLDER` makes such a folder; for a folder of "
            "images, see tfvae.data.write_shards."
        )
    if path.suffix.lower() in _TABLES:
        reader = _TABLES[path.suffix.lower()]
        what, array = f"Tables in {path.suffix} files are", f"{reader}.to_numpy('float32')"
    else:
        what, array = f"Files ending in {path.suffix!r} are" if path.suffix else "Files of this kind are", "array"
    return DataError(
        f"{text} exists but cannot be read. {what} not read yet; save the numbers as a .npy or .npz file, one row an "
        f"example: numpy.save('data.npy', {array})."
    )


def _unknown(text: str) -> DataError:
    near = difflib.get_close_matches(text[:100], _LOADERS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return DataError(
        f"There is no data set named {quoted(text)}.{hint} Expected one of {', '.join(_LOADERS)}; tfds:NAME for an "
        "image data set of TensorFlow Datasets; the path of a .npy or .npz file; or a folder of shards. Received: "
        f"name={quoted(text)}"
    )
