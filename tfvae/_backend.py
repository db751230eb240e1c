"""Import of Keras, which must use TensorFlow. Every package that uses Keras imports this module first.

If TensorFlow was not imported before, the objects of its modules are excluded from Python's later searches for garbage,
which would take a third of a second each.
"""

import gc
import importlib
import os
import sys

from tfvae import _late_imports
from tfvae._freed_memory import keep_freed_memory
from tfvae._garbage import paused_collections

with _late_imports.unforced():
    import tensorflow_probability as tfp

_IS_FIRST = "tensorflow" not in sys.modules


def _omit_version_check() -> None:
    """Omits TFP's check of the version of TensorFlow, which imports setuptools. The requirements of tfvae include it.

    `tfp.mcmc` keeps the check, because it also warns about TensorFloat-32.
    """
    for name, package in vars(tfp).items():
        if name != "mcmc" and "_on_first_access" in getattr(package, "__dict__", {}):
            package._on_first_access = None


if "TF_CONFIG" in os.environ:  # one of several workers
    keep_freed_memory()

with paused_collections():
    import keras

    from tfvae import _xla_cache

    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            "tfvae requires the TensorFlow backend of Keras. Set the environment variable KERAS_BACKEND=tensorflow "
            f"before Keras is first imported. Received: backend={keras.backend.backend()!r}"
        )
    _xla_cache.install()  # before the distributions, which run operations while they are imported
    _omit_version_check()
    dir(tfp.distributions)  # imports them
    # Log-densities import it from its package, which is then not executed: see `_late_imports`.
    importlib.import_module("tensorflow_probability.python.experimental.tangent_spaces")
    if _IS_FIRST:
        gc.freeze()
