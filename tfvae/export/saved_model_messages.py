"""Messages of `saved_model.pb`, with the fields that are read before a SavedModel is opened.

TensorFlow's own classes of these messages cannot be imported without importing TensorFlow. Fields that are not declared
here are skipped when a file is parsed.

References:
    TensorFlow, `tensorflow/core/protobuf/saved_model.proto`, `meta_graph.proto`, `saved_object_graph.proto` and
    `trackable_object_graph.proto`, whose numbers of fields these are.
"""

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Types of the tensors of signatures, `tensorflow/core/framework/types.proto`.
DT_FLOAT, DT_INT32 = 1, 3
_DTYPES = {"DT_INVALID": 0, "DT_FLOAT": DT_FLOAT, "DT_INT32": DT_INT32}

_PACKAGE = "tfvae.saved_model"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"int64": _FIELD.TYPE_INT64, "int32": _FIELD.TYPE_INT32, "string": _FIELD.TYPE_STRING,
            "bool": _FIELD.TYPE_BOOL, "DType": _FIELD.TYPE_ENUM}  # fmt: skip

# For each message its fields: number and type. "*" stands for a list, "{}" for a dictionary with text as keys, and "?"
# for the only one of several that is set. Types that are not scalars are messages.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "SavedModel": {"saved_model_schema_version": (1, "int64"), "meta_graphs": (2, "*MetaGraph")},
    "MetaGraph": {
        "graph_def": (2, "Graph"),
        "saver_def": (3, "Saver"),
        "collection_def": (4, "{}Collection"),
        "signature_def": (5, "{}Signature"),
        "object_graph_def": (7, "ObjectGraph"),
    },
    "Graph": {"node": (1, "*Node"), "library": (2, "Library")},
    "Node": {"name": (1, "string"), "op": (2, "string"), "input": (3, "*string"), "attr": (5, "{}Attribute")},
    "Attribute": {"func": (10, "Name")},
    "Library": {"function": (1, "*Function")},
    "Function": {"signature": (1, "Name"), "node_def": (3, "*Node")},
    "Name": {"name": (1, "string")},
    "Collection": {"node_list": (1, "Names")},
    "Names": {"value": (1, "*string")},
    "Saver": {"restore_op_name": (3, "string")},
    "Signature": {
        "inputs": (1, "{}Tensor"),
        "outputs": (2, "{}Tensor"),
        "method_name": (3, "string"),
        "defaults": (4, "{}Other"),
    },
    "Tensor": {"name": (1, "?string"), "dtype": (2, "DType"), "tensor_shape": (3, "Shape")},
    "Shape": {"dim": (2, "*Dim"), "unknown_rank": (3, "bool")},
    "Dim": {"size": (1, "int64"), "name": (2, "string")},
    "ObjectGraph": {"nodes": (1, "*Object")},
    "Object": {
        "children": (1, "*Reference"),
        "slot_variables": (3, "*Other"),
        "user_object": (4, "?User"),
        "asset": (5, "?Other"),
        "function": (6, "?Other"),
        "variable": (7, "?Other"),
        "bare_concrete_function": (8, "?Other"),
        "constant": (9, "?Other"),
        "resource": (10, "?Other"),
        "saveable_objects": (11, "{}Other"),
        "captured_tensor": (12, "?Other"),
        "registered_name": (13, "string"),
        "registered_saver": (16, "string"),
    },
    "Reference": {"node_id": (1, "int32"), "local_name": (2, "string")},
    "User": {"identifier": (1, "string")},
    "Other": {},
}


@functools.cache
def saved_model_class() -> Any:
    """Returns the class of the message `SavedModel`."""
    file = descriptor_pb2.FileDescriptorProto(name="tfvae/saved_model.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, field, number, kind)
    types = file.enum_type.add(name="DType")
    for name, number in _DTYPES.items():
        types.value.add(name=name, number=number)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.SavedModel"))


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
    if kind.startswith("{}"):
        entry_name = "".join(map(str.capitalize, name.split("_"))) + "Entry"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, kind[2:])
        kind = f"*{message.name}.{entry_name}"
    if kind.startswith("*"):
        field.label = _FIELD.LABEL_REPEATED
    if kind.startswith("?"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="kind")
        field.oneof_index = 0
    kind = kind.lstrip("*?")
    field.type = _SCALARS.get(kind, _FIELD.TYPE_MESSAGE)
    if kind == "DType" or kind not in _SCALARS:
        field.type_name = f".{_PACKAGE}.{kind}"
