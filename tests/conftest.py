"""Shared by all tests: quiet TensorFlow, and where to find real data: environment variables, or a folder beside us.

What is slow to import is imported where it is used: of several processes, the one that starts the others needs none.
"""

import gc
import os
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["TFVAE_KEEP_PROGRAMS"] = "0"  # a test compiles its own programs, and leaves none in the user's cache

import pytest

if TYPE_CHECKING:
    import tfvae.data

# Imports create objects that stay. Searches for cycles among them would take a sixth of the time of collecting tests.
gc.disable()

BESIDE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    """Searches for cycles again, but rarely: `_free_graphs` does it for each file of tests."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _free_graphs():
    """Frees the graphs that earlier files' tests have traced, so that a worker does not grow with each of them.

    At the start of the next file, nothing refers to the last test of a file any more.

    What remains, modules and caches of a million objects, is set aside: walking over it at each full collection would
    take longer than the tests.

    Three tables would hold them for ever. TensorFlow registers the gradient of every `tf.custom_gradient` in every
    graph under a name with a number, TFP has one cache of what all bijectors have computed, and its samplers of gamma,
    Poisson and binomial draws are functions of a module, traced for every shape and dtype.
    """
    if "tensorflow_probability" not in sys.modules:
        return
    import tensorflow_probability as tfp
    from tensorflow.python.framework import ops

    gradients = ops.gradient_registry._registry
    for name in list(gradients):
        if name.rpartition("-")[2].isdigit():  # CustomGradient-12, PartitionedCall-3
            del gradients[name]
    computed = tfp.bijectors.Bijector._cache.storage
    for key in list(computed):
        key.cancel()
        computed.pop(key, None)
    for function in _functions_of_tfp():
        function._function_cache.clear()
    gc.collect()
    gc.freeze()


def _functions_of_tfp():
    import tensorflow as tf

    modules = [module for name, module in sys.modules.items() if name.startswith("tensorflow_probability.")]
    for value in [value for module in modules for value in vars(module).values()]:
        is_plain = isinstance(value, types.FunctionType)
        for function in [cell.cell_contents for cell in value.__closure__ or ()] if is_plain else [value]:
            if isinstance(function, tf.types.experimental.PolymorphicFunction):
                yield function


@pytest.fixture
def set_policy():
    """`keras.config.set_dtype_policy`, undone after the test."""
    import keras

    from tfvae._dtype_policy import dtype_policy

    with dtype_policy(keras.config.dtype_policy()):
        yield keras.config.set_dtype_policy


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
def find_table():
    return lambda name: _find("TFVAE_TABLES_DIR", "tables", name) / name


@pytest.fixture(scope="session")
def tfds_folder() -> Path:
    return _find("TFDS_DATA_DIR", "tfds", "mnist")


@pytest.fixture(scope="session")
def mnist() -> "tfvae.data.Splits":
    import tfvae.data

    return tfvae.data.load("mnist", data_dir=_find("TFDS_DATA_DIR", "tfds", "mnist"))


@pytest.fixture(scope="session")
def binarized_mnist() -> "tfvae.data.Splits":
    import tfvae.data

    return tfvae.data.load("binarized_mnist", data_dir=_find("TFDS_DATA_DIR", "tfds", "binarized_mnist"))


@pytest.fixture(scope="session")
def digits() -> "tfvae.data.Splits":
    import tfvae.data

    return tfvae.data.load("digits")
