"""Loading of saved models."""

import os
import warnings
import zipfile
from os import PathLike, fspath
from typing import Any

import keras

# These imports register the classes with Keras, which looks them up by the names in the file.
from tfvae import estimators as _estimators  # noqa: F401
from tfvae import layers as _layers  # noqa: F401
from tfvae import priors as _priors  # noqa: F401
from tfvae._errors import quoted, reading, reason
from tfvae.models.vae import VAE

_ADVICE = "The file is not a Keras model or is damaged. Save the model again."

_HDF5 = (".h5", ".hdf5")


def load_model(path: str | PathLike[str], *, custom_objects: dict[str, Any] | None = None, compile: bool = True) -> Any:
    """Loads a `.keras` file in safe mode, without running code from the file.

    Args:
        path: File written by `model.save`.
        custom_objects: Your own registered classes and functions by name, unless they are imported already.
        compile: Whether to compile the model as it was saved. Use False for a model whose loss is a lambda, which safe
            mode refuses.

    Returns:
        The model.

    Raises:
        ValueError: If the file is missing, damaged or not a Keras model, or contains a lambda.
    """
    path = fspath(path)
    if not os.path.exists(path):
        raise ValueError(f"There is no model file. Write one with `model.save('name.keras')`. Received: path={path!r}")
    if os.path.isdir(path):
        raise ValueError(
            f"{path} is a folder, but `load_model` requires a `.keras` file. Load a folder of `tfvae.export.save` with "
            "`tfvae.export.load`."
        )
    if os.path.splitext(path)[1].lower() in _HDF5 and not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} is an HDF5 file, the format of Keras 2, but `load_model` requires a `.keras` file. Save the model "
            "with `model.save('name.keras')`, or load a `.weights.h5` file with `model.load_weights`."
        )
    # This verifies the checksum of every member, so that no model is loaded from a damaged file.
    with reading(path, _ADVICE), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(
            f"{path} is damaged: the checksum of its member {quoted(damaged)} is wrong. Use another copy of the file."
        )
    try:
        return keras.saving.load_model(path, custom_objects=custom_objects, compile=compile, safe_mode=True)
    except Exception as error:  # the type depends on the content of the file
        if "Python lambda" in str(error):
            raise ValueError(
                f"{path} contains a Python lambda, such as a loss passed to compile, and loading it would run stored "
                "code. Load the model with compile=False and compile it again, or save it with a registered function."
            ) from error
        raise ValueError(
            f"{path} cannot be loaded: {reason(error)}. It is incomplete, not a Keras model, or contains classes that "
            "are not imported. Import the modules that register them, or save the model again."
        ) from error


def load_vae(path: str | PathLike[str]) -> VAE:
    """Loads a `VAE` like `load_model`.

    Raises:
        ValueError: If `load_model` raises it, or the model is not a `VAE`.
    """
    with warnings.catch_warnings(record=True) as caught:  # a refused model causes no warnings
        model = load_model(path)
    if not isinstance(model, VAE):
        raise ValueError(
            f"{fspath(path)} contains a Keras model of class {type(model).__name__}, but a tfvae.models.VAE is "
            "required. Use a file written by `tfvae train` or VAE.save."
        )
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return model
