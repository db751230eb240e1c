"""Loading a saved model."""

import os
import zipfile
from os import PathLike, fspath
from typing import Any

import keras

# Importing them registers their classes with Keras, which finds them by name in the file.
from tfvae import estimators as _estimators  # noqa: F401
from tfvae import layers as _layers  # noqa: F401
from tfvae import priors as _priors  # noqa: F401
from tfvae.models import vae as _vae  # noqa: F401

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
    try:
        # Reading every member checks its checksum, so that a damaged file is one error and not a half-loaded model.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except FileNotFoundError as error:
        raise ValueError(f"There is no model at {path}. `model.save('name.keras')` writes one.") from error
    except IsADirectoryError as error:
        raise ValueError(
            f"{path} is a folder, not a `.keras` file. `tfvae.export.load` reads what `tfvae.export.save` wrote."
        ) from error
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        if os.path.splitext(path)[1].lower() in _HDF5:
            raise ValueError(
                f"{path} is not a `.keras` file: HDF5 was the format of Keras 2. Save the model with "
                "`model.save('name.keras')`; `model.load_weights` reads a `.weights.h5` file."
            ) from error
        raise ValueError(
            f"{path} is not a Keras model file, or it is damaged ({error}). Save the model again."
        ) from error
    if damaged is not None:
        raise ValueError(f"{path} is damaged: its part {damaged!r} fails its checksum. Use another copy.")
    try:
        return keras.saving.load_model(path, custom_objects=custom_objects, compile=compile, safe_mode=True)
    except ValueError as error:
        if "Python lambda" not in str(error):
            raise ValueError(f"{path} cannot be loaded: {error}") from error
        raise ValueError(
            f"{path} holds a Python lambda, such as a loss given to compile, which would have to run stored code. Load "
            "it with compile=False and compile it again, or save it with a registered function."
        ) from error
    except (KeyError, OSError, EOFError) as error:
        raise ValueError(
            f"{path} is not a Keras model file, or it is incomplete ({error}). Save the model again."
        ) from error
