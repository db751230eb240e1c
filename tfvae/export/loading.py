"""Loading of an exported model."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae.export.folders import MODEL_FILE
from tfvae.export.inspecting import check_written_by_save
from tfvae.export.manifest import CONVERTED_MANIFEST, check_files, read_manifest
from tfvae.export.messages import first_line


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
    if not folder.is_dir():
        raise ValueError(f"There is no exported model at {path}. Write one with tfvae.export.save(vae, path).")
    if not (folder / MODEL_FILE).is_file():
        raise ValueError(f"{path} is not a SavedModel, or is incomplete: it has no {MODEL_FILE}. {_hint(folder)}")
    manifest = read_manifest(folder)
    if manifest is not None:
        check_files(folder, manifest)
    check_written_by_save(folder, manifest)
    try:
        return tf.saved_model.load(fspath(folder))
    except Exception as error:  # the type depends on the position of the damage
        raise ValueError(
            f"The exported model at {path} is damaged or incomplete: {first_line(error)}. Use another copy, or export "
            "the model again with tfvae.export.save(vae, path, overwrite=True)."
        ) from error


def _hint(folder: Path) -> str:
    if (folder / CONVERTED_MANIFEST).is_file():
        return "It contains a model for other runtimes: run its files with ai_edge_litert or onnxruntime."
    versions = sorted(inner.name for inner in folder.iterdir() if (inner / MODEL_FILE).is_file())
    if versions:
        return f"It contains the versions {versions}: load one of them, such as {folder / versions[-1]}."
    return "Export the model again."
