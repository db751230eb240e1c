"""The exported model of a run, in the place of its Keras model."""

from collections.abc import Mapping
from typing import Any

from tfvae.export.folders import MODEL_FILE
from tfvae.export.manifest import is_of_source, read_manifest
from tfvae.export.program import Program
from tfvae.training.run_folder import RunFolder


def manifest_of_run(folder: RunFolder) -> Mapping[str, Any] | None:
    """Reads the manifest of the SavedModel of a run, without opening it.

    Returns:
        The manifest. None if the run has no SavedModel of the present `model.keras`, or it computes in another
        precision than its signatures, float32.
    """
    if not (folder.saved_model / MODEL_FILE).is_file():
        return None
    try:
        manifest = read_manifest(folder.saved_model)
    except ValueError:  # damaged, but the Keras model has its own checksums
        return None
    if not manifest or manifest.get("dtype") != "float32" or not is_of_source(manifest, folder.model):
        return None
    return manifest


def program_of_run(folder: RunFolder, manifest: Mapping[str, Any] | None = None) -> Program | None:
    """Opens the SavedModel of a run, which starts faster than Keras and computes the same numbers.

    Args:
        folder: Run folder.
        manifest: Result of `manifest_of_run`, which is called if it is None.

    Returns:
        The program. None if `manifest_of_run` is None or the SavedModel is damaged. Such a run is loaded with
        `load_run`.
    """
    if manifest is None and manifest_of_run(folder) is None:
        return None
    try:
        return Program(folder.saved_model)
    except ValueError:  # as above
        return None
