"""Loading a saved model."""

import zipfile
from os import PathLike, fspath
from typing import Any

import keras

# Importing them registers their classes with Keras, which finds them by name in the file.
from tfvae import estimators as _estimators  # noqa: F401
from tfvae import layers as _layers  # noqa: F401
from tfvae import priors as _priors  # noqa: F401
from tfvae.models import vae as _vae  # noqa: F401


def load_model(path: str | PathLike[str], *, custom_objects: dict[str, Any] | None = None) -> Any:
    """Loads a `.keras` file in safe mode: no code in the file is run.

    Args:
        path: the file that `model.save` wrote.
        custom_objects: your own registered classes and functions by name, if they are not imported already.

    Returns:
        The model, compiled as it was.

    Raises:
        ValueError: when there is no such file, or it is damaged, or it is no Keras model.
    """
    path = fspath(path)
    try:
        # Reading every member checks its checksum, so that a damaged file is one error and not a half-loaded model.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except FileNotFoundError as error:
        raise ValueError(f"There is no model at {path}. `model.save('name.keras')` writes one.") from error
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ValueError(
            f"{path} is not a Keras model file, or it is damaged ({error}). Save the model again."
        ) from error
    if damaged is not None:
        raise ValueError(f"{path} is damaged: its part {damaged!r} fails its checksum. Use another copy.")
    try:
        return keras.saving.load_model(path, custom_objects=custom_objects, safe_mode=True)
    except (KeyError, OSError, EOFError) as error:
        raise ValueError(
            f"{path} is not a Keras model file, or it is incomplete ({error}). Save the model again."
        ) from error
