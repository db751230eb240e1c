"""Loading a saved model."""

import os
import warnings
import zipfile
from os import PathLike, fspath
from typing import Any

import keras

# Importing them registers their classes with Keras, which finds them by name in the file.
from tfvae import estimators as _estimators  # noqa: F401
from tfvae import layers as _layers  # noqa: F401
from tfvae import priors as _priors  # noqa: F401
from tfvae._errors import quoted, reading, reason
from tfvae.models.vae import VAE

_ADVICE = "It is not a Keras model file, or it is damaged. Save the model again."

_HDF5 = (".h5", ".hdf5")


def load_model(path: str | PathLike[str], *, custom_objects: dict[str, Any] | None = None, compile: bool = True) -> Any:
    """Loads a `.keras` file in safe mode: no code in the file is run.

    Args:
        path: the file that `model.save` wrote.
        custom_objects: your own registered classes and functions by name, if they are not imported already.
        compile: whether to compile the model as it was; False for one whose loss is a lambda, which safe mode refuses.

    Returns:
        The model, compiled as it was.

    Raises:
        ValueError: when there is no such file, it is damaged or no Keras model, or it holds a lambda.
    """
    path = fspath(path)
    if not os.path.exists(path):
        raise ValueError(f"There is no model at {path}. `model.save('name.keras')` writes one.")
    if os.path.isdir(path):
        raise ValueError(
            f"{path} is a folder, not a `.keras` file. `tfvae.export.load` reads what `tfvae.export.save` wrote."
        )
    if os.path.splitext(path)[1].lower() in _HDF5 and not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} is not a `.keras` file: HDF5 was the format of Keras 2. Save the model with "
            "`model.save('name.keras')`; `model.load_weights` reads a `.weights.h5` file."
        )
    # Reading every member checks its checksum, so that a damaged file is one error and not a half-loaded model.
    with reading(path, _ADVICE), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{path} is damaged: its part {quoted(damaged)} fails its checksum. Use another copy.")
    try:
        return keras.saving.load_model(path, custom_objects=custom_objects, compile=compile, safe_mode=True)
    except Exception as error:  # of a dozen types, according to what the file holds
        if "Python lambda" in str(error):
            raise ValueError(
                f"{path} holds a Python lambda, such as a loss given to compile, which would have to run stored code. "
                "Load it with compile=False and compile it again, or save it with a registered function."
            ) from error
        raise ValueError(
            f"{path} cannot be loaded: {reason(error)}. It is incomplete, no Keras model, or of classes that are not "
            "imported: import what registers them, or save the model again."
        ) from error


def load_vae(path: str | PathLike[str]) -> VAE:
    """Like `load_model`, for a file that must hold a `VAE`.

    Raises:
        ValueError: for another model too.
    """
    with warnings.catch_warnings(record=True) as said:  # of a model that is refused nothing else is said
        model = load_model(path)
    if not isinstance(model, VAE):
        raise ValueError(
            f"{fspath(path)} holds a Keras model of class {type(model).__name__}, not a tfvae.models.VAE, which this "
            "takes. Use the file that `tfvae train` or VAE.save wrote."
        )
    for warning in said:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return model
