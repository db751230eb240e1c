"""Loading of an exported model."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae.export.inspecting import checked_manifest, damaged


def load(path: str | PathLike[str]) -> Any:
    """Loads a model of `save` like `tf.saved_model.load`, with a clear error for incomplete or damaged files.

    If tfvae is not installed, use `tf.saved_model.load`: the files require only TensorFlow.

    A SavedModel is a program, which TensorFlow runs with the permissions of its caller. Load only models that you
    trust. The manifest, checksums and signatures are checked before the model is opened, and other SavedModels are
    refused. The checksums reveal damage. They do not prove who wrote a model, because anyone who changes a file can
    recompute them.

    Args:
        path: Folder of the model, such as "saved_models/digits_vae/1".

    Returns:
        The loaded object, with signatures such as `loaded.signatures["encode"](x=x, seed=seed)`. See `save`.

    Raises:
        ValueError: If the folder does not exist, its files are missing or damaged, or it is a SavedModel that `save`
            did not write. Such a SavedModel is not opened.
    """
    folder = Path(path)
    checked_manifest(folder)
    try:
        return tf.saved_model.load(fspath(folder))
    except Exception as error:  # the type depends on the position of the damage
        raise damaged(folder, error) from error
