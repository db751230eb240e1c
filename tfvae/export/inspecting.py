"""Checks of the content of a SavedModel before TensorFlow opens it.

A SavedModel is a program. Opening it runs the initializers of its tables and other resources and the functions that
restore its objects, and creates Python objects of registered classes. Models written by `save` contain none of these.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from tfvae.export.folders import MODEL_FILE
from tfvae.export.manifest import CONVERTED_MANIFEST, MANIFEST, check_files, read_manifest
from tfvae.export.messages import first_line
from tfvae.export.saved_model_messages import DT_FLOAT, DT_INT32, saved_model_class
from tfvae.export.signature_names import NAMES, SIGNATURES, is_integer

_INIT_SIGNATURE = "__saved_model_init_op"
# Objects that are restored without running code: functions, variables, constants, and containers of these.
_KINDS = {"user_object", "function", "bare_concrete_function", "variable", "constant", "captured_tensor"}
_CONTAINERS = {"_generic_user_object", "signature_map", "trackable_list_wrapper", "trackable_tuple_wrapper"}
_REGISTERED = {"constant": "tf.TrackableConstant"}
# TensorFlow sets children as attributes and calls those with the names of its own methods.
_NAMES = {"model_variables", "signatures", *NAMES}
# Operations that TensorFlow's library runs when it opens a model of `save`: they restore its variables.
_OPENING = {"AssignVariableOp", "Const", "Identity", "NoOp", "Placeholder", "RestoreV2", "VarHandleOp"}
_OPENING |= {"StatefulPartitionedCall"}  # whose function is followed
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")  # of TensorFlow 1
_NUMBERED = re.compile(r"(trace_|capture_)?[0-9]+")


def checked_manifest(folder: Path) -> Mapping[str, Any]:
    """Returns the manifest of a SavedModel that `save` wrote and whose files are complete, without opening it.

    Raises:
        ValueError: If the folder does not exist, its files are missing or damaged, or `save` did not write it.
    """
    if not folder.is_dir():
        raise ValueError(f"There is no exported model at {folder}. Write one with tfvae.export.save(vae, path).")
    if not (folder / MODEL_FILE).is_file():
        raise ValueError(f"{folder} is not a SavedModel, or is incomplete: it has no {MODEL_FILE}. {_hint(folder)}")
    manifest = read_manifest(folder)
    if manifest is not None:
        check_files(folder, manifest)
    check_written_by_save(folder, manifest)
    return manifest or {}


def damaged(folder: Path, error: Exception) -> ValueError:
    """Returns the error for a SavedModel that cannot be opened."""
    return ValueError(
        f"The exported model at {folder} is damaged or incomplete: {first_line(error)}. Use another copy, or export "
        "the model again with tfvae.export.save(vae, path, overwrite=True)."
    )


def read_meta_graph(folder: Path) -> Any:
    """Reads the graph of a SavedModel with its signatures, without running it.

    Raises:
        ValueError: If the file is damaged or does not contain exactly one graph.
    """
    try:
        model = saved_model_class().FromString((folder / MODEL_FILE).read_bytes())
    except DecodeError as error:
        raise ValueError(
            f"The exported model at {folder} is damaged or incomplete: {MODEL_FILE} cannot be read: "
            f"{first_line(error)}. Use another copy, or export the model again with tfvae.export.save(vae, path, "
            "overwrite=True)."
        ) from error
    if len(model.meta_graphs) != 1:
        raise _refusal(folder, f"it has {len(model.meta_graphs)} graphs, not one")
    return model.meta_graphs[0]


def check_written_by_save(folder: Path, manifest: Mapping[str, Any] | None) -> None:
    """Checks that a SavedModel has the form that `save` writes, without running any of its code.

    Args:
        folder: Folder of the SavedModel.
        manifest: Result of `read_manifest` for this folder.

    Raises:
        ValueError: If there is no manifest, if signatures are missing or differ from the manifest, or if the model
            would run code when it is opened.
    """
    graph = read_meta_graph(folder)
    signatures = {name: value for name, value in graph.signature_def.items() if name != _INIT_SIGNATURE}
    if missing := [name for name in SIGNATURES if name not in signatures]:
        raise _refusal(folder, f"it has no signature {', '.join(missing)}")
    if manifest is None:
        raise _refusal(
            folder, f"it has no {MANIFEST.as_posix()}. (Models of tfvae 0.1.0 do not have it. Export them again)"
        )
    shapes = {name: _by_tensor(definition, _shape) for name, definition in signatures.items()}
    if shapes != manifest.get("signatures") or not all(_has_expected_dtypes(*named) for named in signatures.items()):
        raise _refusal(folder, f"its signatures are not those that {MANIFEST.as_posix()} describes")
    opened = [folder / MODEL_FILE, *(folder / "variables").rglob("*")]
    if unlisted := {path.relative_to(folder).as_posix() for path in opened} - set(manifest["files"]):
        raise _refusal(folder, f"{MANIFEST.as_posix()} has no checksum of {', '.join(sorted(unlisted))}")
    if not graph.HasField("object_graph_def"):
        raise _refusal(folder, "it has the format of TensorFlow 1, which runs an initial operation")
    for node in graph.object_graph_def.nodes:
        kind = node.WhichOneof("kind")
        if kind not in _KINDS or (kind == "user_object" and node.user_object.identifier not in _CONTAINERS):
            name = node.user_object.identifier if kind == "user_object" else kind
            raise _refusal(folder, f"it contains an object of kind {name!r}, which runs code when it is opened")
    for node in graph.object_graph_def.nodes:
        if described := _restored_by(node):
            raise _refusal(folder, f"it contains an object with {described}, which may run code when it is opened")
    if unknown := _run_when_opened(graph) - _OPENING:
        raise _refusal(folder, f"it runs the operation {', '.join(sorted(unknown))} when it is opened")


def _run_when_opened(graph: Any) -> set[str]:
    """Returns the kinds of operations that restore the variables and initialise the model, with all of their inputs."""
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    names = [graph.saver_def.restore_op_name]
    if _INIT_SIGNATURE in graph.signature_def:
        names += [info.name for info in graph.signature_def[_INIT_SIGNATURE].outputs.values()]
    collections = [graph.collection_def[key] for key in _INIT_COLLECTIONS if key in graph.collection_def]
    names += [name for collection in collections for name in collection.node_list.value]
    names = [name.lstrip("^").partition(":")[0] for name in names]
    left, seen, found = [nodes[name] for name in names if name in nodes], set(names), set()
    followed: set[str] = set()
    while left:
        node = left.pop()
        found.add(node.op)
        for name in (each.lstrip("^").partition(":")[0] for each in node.input):
            if name in nodes and name not in seen:
                seen.add(name)
                left.append(nodes[name])
        for called in (attribute.func.name for attribute in node.attr.values()):
            if called and called not in followed:
                followed.add(called)
                left += functions.get(called, ())
    return found


def _restored_by(node: Any) -> str | None:
    """Describes what TensorFlow may run to restore an object. None for objects that `save` writes."""
    if node.saveable_objects:
        return "functions that restore it"
    if node.registered_saver:
        return f"the saver {node.registered_saver!r}"
    if node.registered_name not in ("", _REGISTERED.get(node.WhichOneof("kind"))):
        return f"the registered class {node.registered_name!r}"
    if node.slot_variables:
        return "the variables of an optimizer"
    names = [child.local_name for child in node.children]
    return next((f"a part {name!r}" for name in names if name not in _NAMES and not _NUMBERED.fullmatch(name)), None)


def _by_tensor(definition: Any, describe: Callable[[Any], Any]) -> dict[str, Any]:
    """Returns the description of each tensor of a signature."""
    groups = (("inputs", definition.inputs), ("outputs", definition.outputs))
    return {group: {name: describe(info) for name, info in tensors.items()} for group, tensors in groups}


def _shape(info: Any) -> list[int | None]:
    return [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]


def _has_expected_dtypes(signature: str, definition: Any) -> bool:
    dtypes = _by_tensor(definition, lambda info: info.dtype)
    return all(
        dtype == (DT_INT32 if is_integer(signature, name) else DT_FLOAT)
        for group in dtypes.values()
        for name, dtype in group.items()
    )


def _refusal(folder: Path, reason: str) -> ValueError:
    return ValueError(
        f"The SavedModel at {folder} was not written by tfvae.export.save: {reason}. It has not been opened, because a "
        "SavedModel is a program. If you trust it, load it with tf.saved_model.load."
    )


def _hint(folder: Path) -> str:
    if (folder / CONVERTED_MANIFEST).is_file():
        return "It contains a model for other runtimes: run its files with ai_edge_litert or onnxruntime."
    versions = sorted(inner.name for inner in folder.iterdir() if (inner / MODEL_FILE).is_file())
    if versions:
        return f"It contains the versions {versions}: load one of them, such as {folder / versions[-1]}."
    return "Export the model again."
