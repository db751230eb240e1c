"""Image data sets of TensorFlow Datasets: prepared ones from disk, others downloaded once."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfvae._targets import expanded
from tfvae.data.errors import DataError
from tfvae.data.sources.source import Source
from tfvae.data.splits import Splits, make_splits

ENVIRONMENT_VARIABLE = "TFDS_DATA_DIR"
PREFIX = "tfds:"

_SPLIT_NAMES = ("train", "validation", "test")
_READ_EXAMPLES = 1000
_PROBE_SECONDS = 10.0


def load_from_tfds(name: str, data_dir: Path | None) -> Splits:
    """Loads the splits "train", "validation" and "test" of a data set, those that it has, in the order prepared.

    Args:
        name: The name in TFDS, with "/config" where it needs one.
        data_dir: The folder of prepared data; None for TFDS_DATA_DIR, or else TFDS's own default.

    Raises:
        DataError: If the name is unknown, if the data set has no images of one size, or if the data are not prepared
            and cannot be downloaded.
    """
    folder = data_dir or _folder_from_environment()
    builder = _builder(name, folder)
    has_label = _require_images(builder, name)
    if not builder.is_prepared():
        _prepare(builder, name)
    if "train" not in builder.info.splits:
        raise DataError(
            f"The TFDS data set {name!r} has no split 'train', which tfvae trains on. Export the splits that you need "
            f"to an .npz file and load that. Received: {sorted(builder.info.splits)}"
        )
    arrays: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    try:
        for split in _SPLIT_NAMES:
            if split in builder.info.splits:
                arrays[split], y = _read(builder, split, has_label)
                if y is not None:
                    labels[split] = y
    except Exception as error:
        raise DataError(
            f"The prepared TFDS data set {name!r} in {builder.data_path} cannot be read. Delete that folder and let "
            f"TFDS prepare it again. Received: {type(error).__name__}: {error}"
        ) from error
    names = builder.info.features["label"].names if labels else None
    return make_splits(name, arrays, labels, f"the TFDS data set {name!r}", class_names=names)


def _folder_from_environment() -> Path | None:
    # TFDS reads the variable once, at its first import; read here, it also counts when set later.
    setting = os.environ.get(ENVIRONMENT_VARIABLE)
    return expanded(setting, kind=DataError) if setting else None


def _builder(name: str, folder: Path | None) -> Any:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=None if folder is None else os.fspath(folder))
    except tfds.core.DatasetNotFoundError as error:
        near = difflib.get_close_matches(name, tfds.list_builders(with_community_datasets=False), n=5)
        hint = f" Similar names: {near}." if near else ""
        raise DataError(
            f"TFDS has no data set {name!r}.{hint} tensorflow_datasets.list_builders() lists all of them."
        ) from error
    except Exception as error:
        raise DataError(
            f"TFDS cannot set up the data set {name!r}. Check the name, its configuration after '/', and the folder "
            f"{folder}.{_prepared_ones(folder, name)} Received: {type(error).__name__}: {error}"
        ) from error


def _require_images(builder: Any, name: str) -> bool:
    """Checks that there are images of one size; returns whether there are class labels."""
    features = builder.info.features
    found = {key: type(feature).__name__ for key, feature in getattr(features, "items", dict)()}
    if found.get("image") != "Image":
        raise DataError(
            f"The TFDS data set {name!r} has no feature 'image', the only one that tfvae reads. Choose an image data "
            f"set, or save its arrays in an .npz file and load that. Received: {found or features}"
        )
    if None in features["image"].shape:
        raise DataError(
            f"The images of the TFDS data set {name!r} differ in size. Expected one size; resize them, save them in an "
            f".npz file and load that. Received: shape {features['image'].shape}"
        )
    return found.get("label") == "ClassLabel"


def _read(builder: Any, split: str, has_label: bool) -> tuple[np.ndarray, np.ndarray | None]:
    import tensorflow_datasets as tfds

    wanted = {"image": True, "label": True} if has_label else {"image": True}
    dataset = builder.as_dataset(split=split, shuffle_files=False, decoders=tfds.decode.PartialDecoding(wanted))
    num_examples = builder.info.splits[split].num_examples
    feature = builder.info.features["image"]
    images = np.empty((num_examples, *feature.shape), feature.np_dtype)
    labels = np.empty(num_examples, np.int64) if has_label else None
    start = 0
    for batch in dataset.batch(_READ_EXAMPLES).as_numpy_iterator():
        rows = slice(start, start + len(batch["image"]))
        images[rows] = batch["image"]
        if labels is not None:
            labels[rows] = batch["label"]
        start = rows.stop
    if start != num_examples:
        raise DataError(f"{split!r} has {start} examples, but its description says {num_examples}.")
    return images, labels


def _prepare(builder: Any, name: str) -> None:
    import tensorflow_datasets as tfds

    root = Path(os.fspath(builder.data_path)).parents[len(Path(builder.info.full_name).parts) - 1]
    folders = [root / "downloads", root / builder.name]
    before = {root, *_directories(folders)} if root.exists() else set()
    try:
        _probe_network(builder, root / "downloads")
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    except Exception as error:
        for directory in sorted({root, *_directories(folders)} - before, reverse=True):
            _remove_if_empty(directory)
        extra = ""
        if isinstance(error, ModuleNotFoundError):
            extra = f" Preparing also needs the Python package {error.name!r}, which is not installed."
        raise DataError(
            f"The TFDS data set {name!r} is not prepared in {root}, and preparing it failed."
            f"{_prepared_ones(root, name, wanted=builder)} Either set "
            f"{ENVIRONMENT_VARIABLE} (or data_dir) to the folder of the prepared data, or run once with a "
            f"network connection, so that TFDS downloads and prepares it.{extra} Received: "
            f"{type(error).__name__}: {error}"
        ) from error


def _prepared_ones(root: Path | None, name: str, wanted: Any = None) -> str:
    """Returns a sentence with the names of prepared versions and configurations of a data set, or ""."""
    base = name.partition(":")[0]
    folder = (root or Path()) / base
    if root is None or not folder.is_dir():
        return ""
    files = [*folder.glob("*/dataset_info.json"), *folder.glob("*/*/dataset_info.json")]
    versions = sorted(file.parent.relative_to(root) for file in files)
    names = [f"'tfds:{version.parent.as_posix()}:{version.name}'" for version in versions]
    if not names:
        return ""
    newest = "" if wanted is None else f" TFDS reads version {wanted.version} unless another one is named."
    return f"{newest} Prepared there, to be loaded by these names: {', '.join(names)}."


def _probe_network(builder: Any, downloads: Path) -> None:
    """Fails within seconds where there is no network; TFDS itself retries for minutes."""
    import requests

    if any(path.is_file() for folder in (downloads / builder.name, downloads / "manual") for path in folder.rglob("*")):
        return  # TFDS may find all it needs there.
    url = next((url for url in builder.url_infos or {} if url.startswith("http")), None)
    if url is not None:
        # Any answer will do, also an error page: it shows that the server can be reached.
        requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=False)


def _directories(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in (folder, *folder.glob("*"), *folder.glob("*/*")) if path.is_dir())


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return


TFDS = Source(lambda request: load_from_tfds(request.name.removeprefix(PREFIX), request.folder))
