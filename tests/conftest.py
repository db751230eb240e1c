"""Shared by all tests: quiet TensorFlow, and where to find real data: environment variables, or a folder beside us."""

import gc
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import pytest

import tfvae.data

BESIDE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module", autouse=True)
def _spare_the_garbage_collector():
    """Sets aside what a file's tests leave: graphs stay in TensorFlow's and TFP's caches, millions of objects in all.

    Walking over them at each full collection came to take longer than the tests.
    """
    yield
    gc.collect()
    gc.freeze()


def _find(variable: str, folder: str, probe: str) -> Path:
    setting = os.environ.get(variable)
    place = Path(setting) if setting else BESIDE_REPOSITORY / folder
    if not (place / probe).exists():
        pytest.skip(f"needs {probe} in the folder {variable} (or ../shared/data/{folder}): {place / probe} is absent")
    return place


@pytest.fixture(scope="session")
def find_archives():
    return lambda probe: _find("TFVAE_DATA_DIR", "npz", probe)


@pytest.fixture(scope="session")
def tfds_folder() -> Path:
    return _find("TFDS_DATA_DIR", "tfds", "mnist")


@pytest.fixture(scope="session")
def mnist() -> tfvae.data.Splits:
    return tfvae.data.load("mnist", data_dir=_find("TFDS_DATA_DIR", "tfds", "mnist"))


@pytest.fixture(scope="session")
def binarized_mnist() -> tfvae.data.Splits:
    return tfvae.data.load("binarized_mnist", data_dir=_find("TFDS_DATA_DIR", "tfds", "binarized_mnist"))


@pytest.fixture(scope="session")
def digits() -> tfvae.data.Splits:
    return tfvae.data.load("digits")
