"""From a name or a path to splits."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from tfvae.data import archives, digits, files
from tfvae.data.errors import DataError
from tfvae.data.shard_header import is_shards
from tfvae.data.sharded_split import ShardedSplit, load_shards
from tfvae.data.split import Split
from tfvae.data.splits import Splits
from tfvae.data.tensorflow_datasets_source import load_from_tfds

_TFDS_PREFIX = "tfds:"

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
    """The names that `load` knows besides paths and "tfds:NAME"."""
    return tuple(_LOADERS)


def load(name: str | os.PathLike[str], *, data_dir: str | os.PathLike[str] | None = None, seed: int = 0) -> Splits:
    """Loads a data set by name, from a file, or from a folder of shards.

    Args:
        name: one of `known_names()`; "tfds:NAME" for any image data set of TensorFlow Datasets; or the path of an
            `.npy` or `.npz` file. An `.npz` holds `x_train` with optional `x_validation`, `x_test` and `y_*`, or one
            array (`x`, `images`, `data`, `arr_0` or the only one) with optional `y` or `labels`, which is shuffled and
            cut 80/10/10; without `x_test`, a tenth of `x_train` becomes the test split. Or the folder that
            `write_shards` or `tfvae data shard` made, for data larger than memory: its training split is a
            `ShardedSplit`, read batch by batch; so are validation and test splits of more than 64 MB, and smaller ones
            are read into memory as a `Split`.
        data_dir: folder to look in, instead of TFDS_DATA_DIR for data sets of TFDS (unset, TFDS's own default) and
            TFVAE_DATA_DIR for "frey_face", "caltech101_silhouettes" and "omniglot"; a relative path starts there.
        seed: for the cuts of a file without splits of its own; named data sets have fixed splits.

    Returns:
        Splits of uint8 levels or float32 values, channels last: (N, H, W) becomes (N, H, W, 1), (N, D) stays. Zeros and
        ones of any type are binary data, other uint8 data have 256 levels, other floats are kept as they are.

    Raises:
        DataError: for a name, file or contents that cannot be used; the message says how to go on.

    Example:
        >>> splits = tfvae.data.load("digits")
        >>> len(splits.train), splits.event_shape, splits.num_levels
        (1437, (8, 8, 1), 17)
    """
    folder = None if data_dir is None else Path(data_dir).expanduser()
    text = os.fspath(name)
    if text in _LOADERS:
        return _LOADERS[text](folder)
    if text.startswith(_TFDS_PREFIX):
        return load_from_tfds(text.removeprefix(_TFDS_PREFIX), folder)
    path = Path(text).expanduser()
    path = path if folder is None else folder / path
    if path.suffix in files.SUFFIXES:
        return files.load_file(path, seed)
    if path.suffix == ".tfrecord":
        path = path.parent if path.parent.is_dir() else path
        raise DataError(
            f"{text} is one shard at most: give the folder of all of them, {path}, with the shards.json that "
            "`tfvae data shard` or tfvae.data.write_shards wrote."
        )
    if is_shards(path):
        return load_shards(path)
    raise _unknown(text)


def load_examples(
    name: str | os.PathLike[str], *, split: str = "test", data_dir: str | os.PathLike[str] | None = None
) -> Split | ShardedSplit:
    """Loads examples to work on, not to train on: a file with one array whole and in its own order, else one split.

    Args:
        name: as for `load`.
        split: "train", "validation" or "test"; only for data that have splits of their own.
        data_dir: as for `load`.

    Raises:
        DataError: for what `load` refuses, and for a split that the data set lacks.
    """
    if split not in ("train", "validation", "test"):
        raise DataError(f"split is train, validation or test. Received: {split!r}.")
    path = Path(os.fspath(name)).expanduser()
    if path.suffix in files.SUFFIXES and os.fspath(name) not in _LOADERS:
        whole = files.load_whole(path if data_dir is None else Path(data_dir).expanduser() / path)
        if whole is not None:
            return whole
    found = getattr(load(name, data_dir=data_dir), split)
    if found is None:
        raise DataError(f"The data set {os.fspath(name)!r} has no {split} split; choose another.")
    return found


def _unknown(text: str) -> DataError:
    near = difflib.get_close_matches(text, _LOADERS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return DataError(
        f"There is no data set named {text!r}.{hint} Expected one of {', '.join(_LOADERS)}; tfds:NAME for an image "
        f"data set of TensorFlow Datasets; the path of a .npy or .npz file; or a folder of shards. Received {text!r}."
    )
