"""The server's description of itself: which bodies each signature takes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfvae.serving.limits import Limits
from tfvae.serving.served_model import ServedModel
from tfvae.serving.signature import DEFAULT_SIGNATURE, Signature, TensorInfo

_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_MEANINGS = {
    400: "The body asks for nothing that the model can answer.",
    403: "A page of another site asks.",
    404: "There is no such model or version.",
    405: "A name with a colon is a method's, which takes POST.",
    408: "The request did not come within its time.",
    413: "The body is too long.",
    415: "The body is compressed, but not with gzip.",
    429: "Too many requests are waiting.",
    503: "The server is ending.",
}


def describe_refusals() -> Callable[..., dict[int | str, dict[str, Any]]]:
    """A function from statuses to their descriptions."""

    def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
        return {
            code: {"description": _MEANINGS[code], "content": {"application/json": {"schema": _ERROR}}}
            for code in codes
        }

    return refusals


def describe_predict(model: ServedModel, limits: Limits) -> dict[str, Any]:
    """The body of `:predict`, one alternative for each signature and format."""
    bodies = []
    for signature in model.signatures.values():
        inputs = {name: _tensor(name, info, signature, limits) for name, info in signature.inputs.items()}
        bodies.append(_body(signature, {"inputs": _object(inputs)}))
        if signature.inputs and all(info.has_batch for info in signature.inputs.values()):
            row = _object({name: schema["items"] for name, schema in inputs.items()})
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
    if info.is_whole:
        bounds = np.iinfo(info.dtype)
        schema: dict[str, Any] = {"type": "integer", "minimum": int(bounds.min), "maximum": int(bounds.max)}
        if name == "num_samples":
            by_row = any(other.has_batch for other in signature.inputs.values())
            schema |= {"minimum": 1, "maximum": limits.num_samples if by_row else rows}
    else:
        largest = float(np.finfo(info.dtype).max)
        schema = {"type": "number", "minimum": -largest, "maximum": largest}
    for length in reversed(info.shape):
        least, most = (1, rows) if length is None else (length, length)
        schema = {"type": "array", "items": schema, "minItems": least, "maxItems": most}
    return schema
