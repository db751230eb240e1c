"""The bodies of `:predict`, as TensorFlow Serving's REST API has them: by row, or by column."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from tfvae.serving.limits import Limits
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.served_model import DEFAULT_SIGNATURE, ServedModel, Signature, TensorInfo


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """A request that has been read and checked.

    Attributes:
        signature: what is asked.
        inputs: its tensors by name, of the signature's dtypes and shapes.
        by_row: whether the answer lists one prediction an example.
        num_rows: examples asked about; 1 where nothing has a batch axis.
    """

    signature: Signature
    inputs: Mapping[str, np.ndarray]
    by_row: bool
    num_rows: int


def read_predict(body: bytes, model: ServedModel, limits: Limits) -> PredictRequest:
    """Reads a body; what TensorFlow Serving refuses is refused too, and so is what is not finite or beyond the limits.

    Raises:
        RefusedRequest: with status 400.
    """
    try:
        content = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise _refused(f"The body is no JSON: {error}.".replace("..", ".")) from error
    if not isinstance(content, dict):
        raise _refused('The body is a JSON object with "instances" or "inputs".')
    if unknown := sorted(set(content) - {"signature_name", "instances", "inputs"}):
        raise _refused(f'The body has "signature_name", "instances" and "inputs" only; it has {_quoted(unknown)} too.')
    name = content.get("signature_name", DEFAULT_SIGNATURE)
    signature = _signature(DEFAULT_SIGNATURE if name == "" else name, model)
    if ("instances" in content) == ("inputs" in content):
        raise _refused('The body has either "instances", one for each example, or "inputs", one for each input.')
    by_row = "instances" in content
    values = _columns(content["instances"], signature) if by_row else _named(content["inputs"], signature)
    inputs = {name: _tensor(values[name], name, info) for name, info in signature.inputs.items()}
    request = PredictRequest(signature, inputs, by_row, _num_rows(signature, inputs, limits))
    _refuse_repeated_names(body, content)
    return request


def predict_answer(request: PredictRequest, outputs: Mapping[str, np.ndarray]) -> bytes:
    """The body of the answer: "predictions" by row, "outputs" by column; one output comes without its name."""
    alone = next(iter(outputs)) if len(outputs) == 1 else None
    answer: dict[str, Any]
    if not request.by_row:
        answer = {"outputs": outputs[alone] if alone else outputs}
    elif alone:
        answer = {"predictions": outputs[alone]}
    else:
        answer = {"predictions": [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]}
    if all(np.isfinite(value).all() for value in outputs.values()):
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    # JSON has no NaN or infinity; TensorFlow Serving writes them all the same, and Python reads them.
    return json.dumps(answer, default=lambda value: value.tolist()).encode()


def _signature(name: Any, model: ServedModel) -> Signature:
    if not isinstance(name, str) or name not in model.signatures:
        raise _refused(
            f"Serving signature key {json.dumps(name)[:80]} not found. There are: {', '.join(model.signatures)}."
        )
    return model.signatures[name]


def _named(inputs: Any, signature: Signature) -> dict[str, Any]:
    """The values by input; where there is one input, it need not be named."""
    if not isinstance(inputs, dict):
        if len(signature.inputs) == 1:
            return {next(iter(signature.inputs)): inputs}
        raise _refused(f'"inputs" is an object with {_quoted(signature.inputs)} for signature {signature.name}.')
    if set(inputs) != set(signature.inputs):
        raise _refused(
            f"Signature {signature.name} takes {_quoted(signature.inputs)}; received "
            f"{_quoted(inputs) or 'none of them'}."
        )
    return inputs


def _columns(instances: Any, signature: Signature) -> dict[str, Any]:
    """The rows' values put together by input."""
    if whole := [name for name, info in signature.inputs.items() if not info.has_batch]:
        raise _refused(
            f"Signature {signature.name} takes {_quoted(whole)} once for all examples, which cannot be said row by "
            'row: send {"signature_name": ..., "inputs": {...}} instead of "instances".'
        )
    if not isinstance(instances, list) or not instances:
        raise _refused('"instances" is a list of one or more examples.')
    rows = [_named(instance, signature) for instance in instances]
    return {name: [row[name] for row in rows] for name in signature.inputs}


def _tensor(value: Any, name: str, info: TensorInfo) -> np.ndarray:
    wanted = f"{name} is {_described(info)}"
    try:
        array = np.asarray(value)
    except ValueError as error:  # lists of unequal lengths, or nested too deep
        raise _refused(f"{wanted}; received lists that make no such array.") from error
    kinds = "iu" if info.dtype.kind in "iu" else "iuf"
    if array.size and array.dtype.kind not in kinds:
        raise _refused(f"{wanted}; received {_kind(array)}.")
    if array.ndim != len(info.shape) or any(
        length is not None and length != found for length, found in zip(info.shape, array.shape, strict=True)
    ):
        raise _refused(f"{wanted}; received shape {_shape(array.shape)}.")
    if not array.size:
        raise _refused(f"{wanted}; received none.")
    if info.dtype.kind in "iu":
        bounds = np.iinfo(info.dtype)
        if array.min() < bounds.min or array.max() > bounds.max:
            raise _refused(f"{wanted}; received a number outside {bounds.min} to {bounds.max}.")
        return array.astype(info.dtype)
    with np.errstate(over="ignore"):
        array = array.astype(info.dtype)
    if not np.isfinite(array).all():
        raise _refused(f"{wanted}; received a number too large for {info.dtype}.")
    return array


def _num_rows(signature: Signature, inputs: Mapping[str, np.ndarray], limits: Limits) -> int:
    rows = {name: len(inputs[name]) for name, info in signature.inputs.items() if info.has_batch}
    if len(set(rows.values())) > 1:
        raise _refused(f"All inputs have as many examples; received {rows}.")
    count = next(iter(rows.values()), 1)
    if "num_samples" in inputs:
        num_samples = int(inputs["num_samples"])
        most = limits.num_samples if rows else limits.rows
        if not 1 <= num_samples <= most:
            raise _refused(f"num_samples is a whole number from 1 to {most}; received {num_samples}.")
        if rows and count * num_samples > limits.draws:
            raise _refused(
                f"A request has at most {limits.draws} draws in all; {count} examples of {num_samples} are more. Send "
                "them in parts."
            )
    if count > limits.rows:
        raise _refused(f"A request has at most {limits.rows} examples; received {count}. Send them in parts.")
    return count


def _refuse_repeated_names(body: bytes, content: dict[str, Any]) -> None:
    """Of a name that stands twice in an object orjson keeps the last value, TensorFlow Serving the first.

    All strings of a body that is good otherwise are names, but for the signature's.
    """
    instances = content.get("instances", [])
    objects = [part for part in (content, content.get("inputs"), *instances) if isinstance(part, dict)]
    num_strings = sum(len(part) for part in objects) + ("signature_name" in content)
    if body.count(b'"') > 2 * num_strings:
        raise _refused("A name stands twice in an object of the body.")


def _described(info: TensorInfo) -> str:
    kind = "whole numbers" if info.dtype.kind in "iu" else "numbers"
    if not info.shape:
        return "one whole number" if info.dtype.kind in "iu" else "one number"
    return f"{kind} of shape {_shape(info.shape)}"


def _shape(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("any" if length is None else str(length) for length in shape) + "]"


def _kind(array: np.ndarray) -> str:
    kinds = {"b": "true or false", "U": "text", "O": "lists of unequal lengths, objects or null", "f": "fractions"}
    return kinds.get(array.dtype.kind, "something else")


def _quoted(names: Any) -> str:
    return ", ".join(json.dumps(str(name)[:40]) for name in list(names)[:10])


def _refused(message: str) -> RefusedRequest:
    return RefusedRequest(400, message)
