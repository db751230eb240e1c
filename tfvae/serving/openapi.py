"""OpenAPI description of the request bodies that each signature accepts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfvae.serving.limits import Limits
from tfvae.serving.served_model import ServedModel
from tfvae.serving.signature import DEFAULT_SIGNATURE, Signature, TensorInfo

_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_MEANINGS = {
    400: "The body is not a valid request for the model.",
    403: "The request comes from a page of another site.",
    404: "The model or version does not exist.",
    405: "A method, which is a name after a colon, requires POST.",
    408: "The request was not received in time.",
    413: "The body is too long.",
    415: "The body is compressed with something other than gzip.",
    429: "Too many requests are waiting.",
    503: "The server is shutting down.",
}


def describe_refusals() -> Callable[..., dict[int | str, dict[str, Any]]]:
    """Returns a function that maps status codes to their descriptions."""

    def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
        return {
            code: {"description": _MEANINGS[code], "content": {"application/json": {"schema": _ERROR}}}
            for code in codes
        }

    return errors


def describe_predict(model: ServedModel, limits: Limits) -> dict[str, Any]:
    """Describes the body of `:predict`, with one alternative for each signature and format."""
    bodies = []
    for signature in model.signatures.values():
        inputs = {name: _tensor(name, info, signature, limits) for name, info in signature.inputs.items()}
        bodies.append(_body(signature, {"inputs": _object(inputs)}))
        if signature.inputs and all(info.has_batch for info in signature.inputs.values()):
            row = _object({name: _item(info, limits.rows_of(signature)) for name, info in signature.inputs.items()})
            rows = {"type": "array", "items": row, "minItems": 1, "maxItems": limits.rows_of(signature)}
            bodies.append(_body(signature, {"instances": rows}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": bodies}}}}}


def _body(signature: Signature, values: dict[str, Any]) -> dict[str, Any]:
    named = {"signature_name": {"type": "string", "enum": [signature.name]}}
    required = [*values] if signature.name == DEFAULT_SIGNATURE else ["signature_name", *values]
    return {
        "type": "object",
        "properties": {**named, **values},
        "required": required,
        "additionalProperties": False,
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _tensor(name: str, info: TensorInfo, signature: Signature, limits: Limits) -> dict[str, Any]:
    rows = limits.rows_of(signature)
    if name == "num_samples":
        return {"type": "integer", "minimum": 1, "maximum": limits.num_samples if signature.batched else rows}
    if not info.has_batch:
        return _array(_number(info), info.shape, rows)
    if info.num_classes is None:
        return _list(_item(info, rows), rows)
    # All values of a list are of one kind, and a single index serves all examples.
    index = _index(info)
    vectors = [] if info.is_whole else [_list(_array(_number(info), info.shape[1:], rows), rows)]
    return {"anyOf": [*vectors, _list(index, rows), index]}


def _item(info: TensorInfo, rows: int) -> dict[str, Any]:
    """Describes the value of one example."""
    number = _number(info)
    value = _array({"anyOf": [number, {"type": "null"}]} if info.takes_null else number, info.shape[1:], rows)
    return value if info.num_classes is None else {"anyOf": [value, _index(info)]}


def _number(info: TensorInfo) -> dict[str, Any]:
    if info.is_whole:
        bounds = np.iinfo(info.dtype)
        return {"type": "integer", "minimum": int(bounds.min), "maximum": int(bounds.max)}
    max_value = float(np.finfo(info.dtype).max)
    return {"type": "number", "minimum": -max_value, "maximum": max_value}


def _index(info: TensorInfo) -> dict[str, Any]:
    return {"type": "integer", "minimum": -1 if info.is_whole else 0, "maximum": (info.num_classes or 0) - 1}


def _array(schema: dict[str, Any], shape: tuple[int | None, ...], max_items: int) -> dict[str, Any]:
    for length in reversed(shape):
        low, high = (1, max_items) if length is None else (length, length)
        schema = {"type": "array", "items": schema, "minItems": low, "maxItems": high}
    return schema


def _list(items: dict[str, Any], max_items: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": max_items}
