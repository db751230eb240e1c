"""Running an exported model, without TensorFlow's Python packages where its library allows it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfvae._tf_library import Session, TensorFlowError, library
from tfvae.export.inspecting import checked_manifest, damaged, read_meta_graph


class _Runner(Protocol):
    """Computes the outputs of a signature, and the seed of a step of a loop."""

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def fold_in(self, seed: np.ndarray, step: int) -> np.ndarray: ...


class Program:
    """A SavedModel of `save`, whose signatures take and return NumPy arrays.

    It is opened by TensorFlow's library alone (`Session`), which takes a tenth of the time of importing TensorFlow, and
    by `tf.saved_model.load` where the installed TensorFlow has no such library. The checks of `tfvae.export.load` run
    before the model is opened.

    Args:
        folder: Folder of the SavedModel.

    Attributes:
        manifest: The content of its manifest (`read_manifest`).
        definitions: Its signatures by name, as in `saved_model.pb`.

    Raises:
        ValueError: If `save` did not write the SavedModel, or it is damaged.
    """

    def __init__(self, folder: Path):
        self.manifest = checked_manifest(folder)
        definitions = read_meta_graph(folder).signature_def
        self.definitions: dict[str, Any] = {name: definitions[name] for name in sorted(self.manifest["signatures"])}
        try:
            self._runner: _Runner = _Imported(folder) if library() is None else _Loaded(folder, self.definitions)
        except Exception as error:  # the type depends on the position of the damage
            raise damaged(folder, error) from error

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes the outputs of a signature, by name. It may be called from several threads.

        Raises:
            TensorFlowError: If the model refuses the inputs.
        """
        return self._runner.run(signature, inputs)

    def block_seed(self, seed: int, block: int) -> np.ndarray:
        """Returns the seed of a block of a draw, int32 `[2]`: that of `tfvae.models.queries.block_seed`."""
        bits = seed & 0xFFFF_FFFF_FFFF_FFFF
        whole = np.array([bits >> 32, bits & 0xFFFF_FFFF], np.uint32).view(np.int32)
        return self._runner.fold_in(whole, block) if block else whole


class _Loaded:
    """Runs a SavedModel with TensorFlow's library."""

    def __init__(self, folder: Path, definitions: Mapping[str, Any]):
        self._session = Session(folder)
        self._tensors = {name: _tensors(definition) for name, definition in definitions.items()}

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        keys, names = self._tensors[signature]
        given = {keys[name]: value for name, value in inputs.items()}
        return dict(zip(names, self._session.run(given, tuple(names.values())), strict=True))

    def fold_in(self, seed: np.ndarray, step: int) -> np.ndarray:
        return self._session.fold_in(seed, step)


def _tensors(definition: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the names of the tensors of the inputs and outputs of a signature."""
    keys, names = (
        {name: group[name].name for name in sorted(group)} for group in (definition.inputs, definition.outputs)
    )
    return keys, names


class _Imported:
    """Runs a SavedModel with TensorFlow's Python packages."""

    def __init__(self, folder: Path):
        import tensorflow as tf

        self._tf, self._loaded = tf, tf.saved_model.load(str(folder))

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = {name: self._tf.constant(value) for name, value in inputs.items()}
        try:
            outputs = self._loaded.signatures[signature](**given)
        except self._tf.errors.OpError as error:
            raise TensorFlowError(str(error.message)) from error
        return {name: outputs[name].numpy() for name in sorted(outputs)}

    def fold_in(self, seed: np.ndarray, step: int) -> np.ndarray:
        return self._tf.random.experimental.stateless_fold_in(seed, step).numpy()
