"""Shared by all tests: quiet TensorFlow, and where to find real data: environment variables, or a folder beside us."""

import gc
import os
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import pytest

import tfvae.data

BESIDE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """`sampled(n)`: n of a test's repetitions run always, evenly spaced; the others wait for `make test-slow`."""
    repetitions = {}
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("slow"):
            repetitions.setdefault((item.path, item.originalname), []).append(item)
    for (_, name), group in repetitions.items():
        count = group[0].get_closest_marker("sampled").args[0]
        # Tests of one list of classes begin in different places of it.
        first = zlib.crc32(name.encode()) % len(group)
        kept = {(first + len(group) * i // count) % len(group) for i in range(count)}
        for i, item in enumerate(group):
            if i not in kept:
                item.add_marker(pytest.mark.slow)


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
