"""Data sets from papers that TensorFlow Datasets does not have, as `.npz` files in the folder TFVAE_DATA_DIR."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfvae._targets import expanded
from tfvae.data.errors import DataError
from tfvae.data.sources.array_file import ArrayFile
from tfvae.data.sources.source import Request, Source
from tfvae.data.splits import Splits, make_splits

ENVIRONMENT_VARIABLE = "TFVAE_DATA_DIR"
FILES = {
    "frey_face": "frey_faces.npz",
    "caltech101_silhouettes": "caltech101_silhouettes_28.npz",
    "omniglot": "omniglot28_area.npz",
}


def load_frey_face(request: Request) -> Splits:
    """1,965 frames of one face, (28, 20, 1): 1,565 train, 200 validation, 200 test, no labels.

    There is no canonical split. This is the first of the three shuffles that Sylvester flows were reported on.

    References:
        van den Berg et al., Sylvester Normalizing Flows for Variational Inference, 2018, arXiv 1803.05649.
    """
    path, (images, order) = _read("frey_face", ("images", "perm_seed123"), request.folder)
    if len(images) < 1765 + 1 or not np.array_equal(np.sort(order), np.arange(len(images))):
        raise DataError(
            f"{path} is not the Frey Face archive. Expected 1965 images and a permutation of them. Received: images of "
            f"shape {images.shape} and perm_seed123 of shape {order.shape}"
        )
    parts = {"train": order[:1565], "validation": order[1565:1765], "test": order[1765:]}
    return make_splits("frey_face", {split: images[rows] for split, rows in parts.items()}, {}, str(path))


def load_caltech101_silhouettes(request: Request) -> Splits:
    """Binary outlines, (28, 28, 1): 4,100 train, 2,264 validation, 2,307 test, 101 classes.

    The file keeps the original polarity, object 0; it is inverted here to the papers' object 1.

    References:
        Marlin et al., Inductive Principles for Restricted Boltzmann Machine Learning, 2010.
    """
    keys = ("x_train", "x_valid", "x_test", "y_train", "y_valid", "y_test")
    path, found = _read("caltech101_silhouettes", keys, request.folder)
    splits = ("train", "validation", "test")
    arrays = {split: array == 0 for split, array in zip(splits, found[:3], strict=True)}
    return make_splits("caltech101_silhouettes", arrays, dict(zip(splits, found[3:], strict=True)), str(path))


def load_omniglot(request: Request) -> Splits:
    """Handwritten characters, (28, 28, 1), ink 255: 19,280 train and 13,180 test images; labels number the characters.

    The background alphabets train and the evaluation alphabets test, so no character is in both. This is not the
    24,345/8,070 file of the IWAE paper: do not compare likelihoods with figures for that one.

    References:
        Lake, Salakhutdinov & Tenenbaum, Human-level concept learning through probabilistic program induction, 2015.
    """
    keys = ("x_background", "x_evaluation", "char_background", "char_evaluation")
    path, found = _read("omniglot", keys, request.folder)
    splits = ("train", "test")
    return make_splits(
        "omniglot", dict(zip(splits, found[:2], strict=True)), dict(zip(splits, found[2:], strict=True)), str(path)
    )


def find(name: str, data_dir: Path | None) -> Path:
    """Returns the file of a data set; raises DataError if it is not found."""
    file_name = FILES[name]
    setting = os.environ.get(ENVIRONMENT_VARIABLE)
    folder = data_dir or (expanded(setting, kind=DataError) if setting else None)
    if folder is None or not (folder / file_name).is_file():
        raise DataError(
            f"The data set {name!r} is read from a file {file_name}, which was not found. Set the environment variable "
            f"{ENVIRONMENT_VARIABLE} (or the argument data_dir) to the folder of {file_name}. Received: "
            f"{ENVIRONMENT_VARIABLE}={setting!r}, data_dir={None if data_dir is None else str(data_dir)!r}"
        )
    return folder / file_name


def _read(name: str, keys: tuple[str, ...], data_dir: Path | None) -> tuple[Path, list[np.ndarray]]:
    path = find(name, data_dir)
    contents = ArrayFile(path)
    missing = [key for key in keys if key not in contents]
    if missing:
        raise DataError(
            f"{path} is not the archive of {name!r}: it lacks {missing}. Expected the arrays {list(keys)}. Received: "
            f"{sorted(contents)}"
        )
    return path, [contents[key] for key in keys]


def _archive(name: str, load: Callable[[Request], Splits]) -> Source:
    return Source(load, check=lambda request: _check(name, request))


def _check(name: str, request: Request) -> None:
    find(name, request.folder)


FREY_FACE = _archive("frey_face", load_frey_face)
CALTECH101_SILHOUETTES = _archive("caltech101_silhouettes", load_caltech101_silhouettes)
OMNIGLOT = _archive("omniglot", load_omniglot)
