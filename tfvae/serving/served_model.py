"""SavedModel that is served: its location, signatures and outputs."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import json_format

from tfvae.data.examples import CONDITION
from tfvae.export.folders import MODEL_FILE
from tfvae.export.program import Program
from tfvae.export.saved_model_messages import DT_INT32
from tfvae.serving.signature import Signature, TensorInfo
from tfvae.training.run_folder import RunFolder

_NUM_TEST_ROWS = 8


class ServedModel:
    """Loaded SavedModel with a name and a version.

    Args:
        path: SavedModel, run folder, or folder `NAME` with versions `NAME/1`, `NAME/2`, ... The highest version is
            used.
        name: Name of the model in URLs. None uses the name of the folder.

    Attributes:
        name: Name of the model.
        version: Version number.
        folder: Folder of the SavedModel.
        signatures: Signatures by name.
        program: The loaded SavedModel itself.

    Raises:
        ValueError: If there is no model at `path`, its files are damaged, or `tfvae.export.save` did not write it.
    """

    def __init__(self, path: str | os.PathLike[str], name: str | None = None):
        found_name, self.version, self.folder = _find(Path(path))
        self.name = found_name if name is None else name
        if not self.name or set(self.name) & set("/:?#% ") or not self.name.isprintable():
            raise ValueError(
                "The name of a model is part of URLs, so it must not contain a slash, colon, space or one of ?#%. "
                f"Received: name={self.name!r}"
            )
        self.program = Program(self.folder)
        manifest = self.program.manifest
        self.signatures = {
            name: Signature(name, _inputs(name, definition.inputs, manifest), _tensors(definition.outputs))
            for name, definition in self.program.definitions.items()
        }
        self.signatures = {
            name: dataclasses.replace(signature, is_by_row=self._is_by_row(signature))
            for name, signature in self.signatures.items()
        }

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes the outputs of a signature, by name. It may be called from several threads.

        Raises:
            TensorFlowError: If the model refuses the inputs.
        """
        return self.program.run(signature, inputs)

    def _is_by_row(self, signature: Signature) -> bool:
        """Whether all tensors have a batch axis and a test batch gives the same outputs as its single examples.

        This is false for a signature with a `seed`, whose draws depend on the position of an example in the batch. It
        is also false for a layer that draws in every call, such as dropout that is always on, which shapes do not show.
        """
        tensors = [*signature.inputs.values(), *signature.outputs.values()]
        lengths = {name: [n for n in info.shape[1:] if n is not None] for name, info in signature.inputs.items()}
        if not lengths or not all(tensor.has_batch for tensor in tensors):
            return False
        if any(1 + len(lengths[name]) < len(info.shape) for name, info in signature.inputs.items()):
            return False  # examples of different shapes cannot be batched
        rng = np.random.default_rng(0)
        inputs = {
            name: rng.uniform(size=(_NUM_TEST_ROWS, *lengths[name])).astype(info.dtype)
            for name, info in signature.inputs.items()
        }
        batched = self.run(signature.name, inputs)
        for i in range(_NUM_TEST_ROWS):
            single = self.run(signature.name, {name: value[i : i + 1] for name, value in inputs.items()})
            if not all(
                np.allclose(single[name][0], batched[name][i], rtol=1e-3, atol=1e-4, equal_nan=True) for name in single
            ):
                return False
        return True

    def metadata(self) -> dict[str, Any]:
        """Returns the response of TensorFlow Serving to `GET /v1/models/NAME/metadata`."""
        definitions = {
            name: json_format.MessageToDict(
                definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            for name, definition in self.program.definitions.items()
        }
        return {
            "model_spec": {"name": self.name, "signature_name": "", "version": str(self.version)},
            "metadata": {"signature_def": {"signature_def": definitions}},
        }


def _find(path: Path) -> tuple[str, int, Path]:
    """Returns the name, version and folder of the SavedModel at a path."""
    path = path.resolve()
    if (path / "config.toml").is_file():
        folder = RunFolder(path).saved_model
        if not (folder / MODEL_FILE).is_file():
            raise ValueError(f"The run {path} has no SavedModel yet. Write it with `tfvae export {path}`.")
        return path.name, 1, folder
    if (path / MODEL_FILE).is_file():
        return (path.parent.name, int(path.name), path) if path.name.isdecimal() else (path.name, 1, path)
    versions = [inner for inner in path.iterdir() if _is_version(inner)] if path.is_dir() else []
    if not versions:
        raise ValueError(
            f"There is no model at {path}. Expected a run folder, a SavedModel, or a folder of its numbered versions. "
            "`tfvae train` writes a run folder, and `tfvae export RUN -o NAME/1` a SavedModel."
        )
    newest = max(versions, key=lambda inner: int(inner.name))
    return path.name, int(newest.name), newest


def _is_version(folder: Path) -> bool:
    return folder.name.isdecimal() and (folder / MODEL_FILE).is_file()


def _inputs(signature: str, infos: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, TensorInfo]:
    """Returns the inputs of a signature, with what the manifest says of them."""
    inputs = _tensors(infos)
    if CONDITION in inputs and "condition_shape" in manifest:
        shape = manifest["condition_shape"]
        num_classes = shape[0] if len(shape) == 1 and shape[0] > 1 else None
        inputs[CONDITION] = dataclasses.replace(inputs[CONDITION], num_classes=num_classes, is_shared=True)
    if signature == "sample" and "labels" in manifest:
        num_classes = manifest["labels"]["num_classes"]
        inputs["label"] = dataclasses.replace(inputs["label"], num_classes=num_classes, is_shared=True)
    if "x" in inputs and manifest.get("missing") == "nan":
        inputs["x"] = dataclasses.replace(inputs["x"], takes_null=True)
    return inputs


def _tensors(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(
            np.dtype(np.int32 if info.dtype == DT_INT32 else np.float32),
            tuple(None if dim.size < 0 else int(dim.size) for dim in info.tensor_shape.dim),
        )
        for name, info in sorted(infos.items())
    }
