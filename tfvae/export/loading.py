"""Reading an exported model back."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae.export.folders import MODEL_FILE
from tfvae.export.inspecting import check_ours
from tfvae.export.manifest import CONVERTED_MANIFEST, check_files, read_manifest
from tfvae.export.messages import first_line


def load(path: str | PathLike[str]) -> Any:
    """Loads what `save` wrote, as `tf.saved_model.load` does, with one clear error where the files are not whole.

    Prefer `tf.saved_model.load` itself where tfvae is not installed: the files need TensorFlow only.

    A SavedModel is a program, which TensorFlow runs with the rights of its caller: load models that you trust. Before
    the model is opened, its manifest, checksums and signatures are compared, and other SavedModels are refused. The
    checksums show damage. They do not show who wrote a model, for whoever changes a file can compute them again.

    Args:
        path: the folder, such as "saved_models/digits_vae/1".

    Returns:
        The loaded object: `loaded.signatures["encode"](x=x, seed=seed)` and its kin, see `save`.

    Raises:
        ValueError: when there is no such folder, when its files are missing or damaged, or when it is a SavedModel that
            `save` did not write, which is not opened.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ValueError(f"There is no exported model at {path}. tfvae.export.save(vae, path) writes one.")
    if not (folder / MODEL_FILE).is_file():
        raise ValueError(f"{path} is no SavedModel, or it is incomplete: it has no {MODEL_FILE}. {_hint(folder)}")
    manifest = read_manifest(folder)
    if manifest is not None:
        check_files(folder, manifest)
    check_ours(folder, manifest)
    try:
        return tf.saved_model.load(fspath(folder))
    except Exception as error:  # a damaged file shows as any of a dozen types, according to where it is damaged
        raise ValueError(
            f"The exported model at {path} is damaged or incomplete: {first_line(error)}. Use another copy, or export "
            "the model again with tfvae.export.save(vae, path, overwrite=True)."
        ) from error


def _hint(folder: Path) -> str:
    if (folder / CONVERTED_MANIFEST).is_file():
        return "It holds a model for other runtimes: run its files with ai_edge_litert or onnxruntime."
    versions = sorted(inner.name for inner in folder.iterdir() if (inner / MODEL_FILE).is_file())
    if versions:
        return f"It holds the versions {versions}: load one of them, such as {folder / versions[-1]}."
    return "Export the model again."
