"""Request bodies of `:predict` in the format of TensorFlow Serving's REST API, by row or by column."""

import contextlib
import dataclasses
import gc
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import orjson

from tfvae.serving.json_tensor import read_tensor
from tfvae.serving.limits import Limits
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.signature import DEFAULT_SIGNATURE, Signature

_GZIP = 31  # value of `wbits` with which zlib reads gzip
# A valid body has more. Without these bounds a body could consist of empty lists or names, which are slow to parse.
_MIN_BYTES_PER_VALUE, _MIN_BYTES_PER_QUOTE = 8, 32


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """Parsed and validated request.

    Attributes:
        signature: Requested signature.
        inputs: Input tensors by name, with the dtypes and shapes of the signature.
        by_row: Whether the response lists one prediction per example.
        num_rows: Number of examples, which is 1 if no input has a batch axis.
    """

    signature: Signature
    inputs: Mapping[str, np.ndarray]
    by_row: bool
    num_rows: int

    @property
    def num_draws(self) -> int:
        """Number of examples times samples per example."""
        return self.num_rows * int(self.inputs.get("num_samples", 1))


def read_predict(
    body: bytes | bytearray,
    signatures: Mapping[str, Signature],
    limits: Limits,
    max_bytes: int,
    *,
    gzipped: bool = False,
) -> PredictRequest:
    """Parses a body. Refuses what TensorFlow Serving refuses, and also values that are not finite or exceed the limits.

    Args:
        body: Body as received.
        signatures: Signatures of the model by name.
        limits: Limits on the size of a request.
        max_bytes: Result of `limits.bytes_of` for the signatures, computed once.
        gzipped: Whether the body is compressed.

    Raises:
        RefusedRequest: If the body is not a valid request, with status 400, or 413 if it is larger than any request.
    """
    if gzipped:
        body = _decompressed(body, max_bytes)
    num_values = sum(map(body.count, (b",", b"[", b"{")))
    if max(num_values * _MIN_BYTES_PER_VALUE, body.count(b'"') * _MIN_BYTES_PER_QUOTE) > max_bytes:
        raise RefusedRequest(413, "The body has more numbers, lists or names than any request can have.")
    try:
        with _without_garbage_collection():
            content = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise _refused(f"The body is not valid JSON: {error}.".replace("..", ".")) from error
    if not isinstance(content, dict):
        raise _refused('The body must be a JSON object with "instances" or "inputs".')
    if unknown := [name for name in content if name not in ("signature_name", "instances", "inputs")]:
        raise _refused(
            f'The body may have "signature_name", "instances" and "inputs" only. Received: {_quoted(unknown)} as well'
        )
    name = content.get("signature_name", DEFAULT_SIGNATURE)
    signature = _signature(DEFAULT_SIGNATURE if name == "" else name, signatures)
    if ("instances" in content) == ("inputs" in content):
        raise _refused('The body must have either "instances", one for each example, or "inputs", one for each input.')
    by_row = "instances" in content
    values = _columns(content["instances"], signature, limits) if by_row else _named(content["inputs"], signature)
    inputs = {name: read_tensor(values[name], name, info) for name, info in signature.inputs.items()}
    num_rows = _num_rows(signature, inputs, limits)
    inputs = {name: _for_each(name, inputs, signature, num_rows) for name in inputs}
    request = PredictRequest(signature, inputs, by_row, num_rows)
    _check_unique_names(body, content)
    return request


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disables garbage collection: a parsed body has no cycles, and searching for them is slower than parsing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _decompressed(body: bytes | bytearray, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    try:
        found = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise _refused("The body is not valid gzip, although its Content-Encoding says so.") from error
    if len(found) > max_bytes:
        raise RefusedRequest(413, f"The body must have at most {max_bytes:,} bytes after decompression. It has more.")
    if not stream.eof or stream.unused_data:
        raise _refused("The body is not one complete gzip stream.")
    return found


def _signature(name: Any, signatures: Mapping[str, Signature]) -> Signature:
    if not isinstance(name, str) or name not in signatures:
        received = "that is not a string" if isinstance(name, (list, dict)) else json.dumps(name)[:80]
        raise _refused(f"Serving signature key {received} not found. Expected one of: {', '.join(signatures)}.")
    return signatures[name]


def _named(inputs: Any, signature: Signature) -> dict[str, Any]:
    """Returns the values by input. If there is only one input, its name is optional."""
    if not isinstance(inputs, dict):
        if len(signature.inputs) == 1:
            return {next(iter(signature.inputs)): inputs}
        raise _refused(f'"inputs" must be an object with {_quoted(signature.inputs)} for signature {signature.name}.')
    if set(inputs) != set(signature.inputs):
        raise _refused(
            f"Signature {signature.name} expects {_quoted(signature.inputs)}. Received: {_quoted(inputs) or 'none'}"
        )
    return inputs


def _columns(instances: Any, signature: Signature, limits: Limits) -> dict[str, Any]:
    """Collects the values of the rows by input."""
    if unbatched := [name for name, info in signature.inputs.items() if not info.has_batch]:
        raise _refused(
            f"Signature {signature.name} expects {_quoted(unbatched)} once for all examples, which the row format "
            'cannot express. Send {"signature_name": ..., "inputs": {...}} instead of "instances".'
        )
    if not isinstance(instances, list) or not instances:
        raise _refused('"instances" must be a list of one or more examples.')
    _check_num_rows(len(instances), signature, limits)
    rows = [_named(instance, signature) for instance in instances]
    return {name: [row[name] for row in rows] for name in signature.inputs}


def _num_rows(signature: Signature, inputs: Mapping[str, np.ndarray], limits: Limits) -> int:
    rows = {name: len(inputs[name]) for name in signature.batched}
    if len(set(rows.values())) > 1:
        raise _refused(f"All inputs must have the same number of examples. Received: {rows}")
    count = next(iter(rows.values()), 1)
    if "num_samples" in inputs:
        num_samples = int(inputs["num_samples"])
        max_samples = limits.num_samples if rows else limits.rows_of(signature)
        if not 1 <= num_samples <= max_samples:
            raise _refused(
                f"num_samples must be an integer from 1 to {max_samples}. Received: num_samples={num_samples}"
            )
        if rows and count * num_samples > (max_draws := max(limits.draws, limits.num_samples)):
            raise _refused(
                f"A request may have at most {max_draws} samples in total. Send several requests. Received: {count} "
                f"examples with num_samples={num_samples}"
            )
    _check_num_rows(count, signature, limits)
    return count


def _for_each(name: str, inputs: Mapping[str, np.ndarray], signature: Signature, num_rows: int) -> np.ndarray:
    """Repeats a condition or label for all examples, so that requests can be joined. Other inputs are unchanged."""
    value = inputs[name]
    if not signature.inputs[name].is_shared:
        return value
    count = num_rows if signature.batched else int(inputs["num_samples"])
    if len(value) not in (1, count):
        raise _refused(
            f"There must be one {name} for all {count}, or one for each. Received: {name} of length {len(value)}"
        )
    return np.repeat(value, count, axis=0) if len(value) < count else value


def _check_num_rows(count: int, signature: Signature, limits: Limits) -> None:
    if count > (max_rows := limits.rows_of(signature)):
        raise _refused(
            f"A request may have at most {max_rows} examples. Send several requests. Received: {count} examples"
        )


def _check_unique_names(body: bytes | bytearray, content: dict[str, Any]) -> None:
    """Raises an error if an object repeats a name: orjson would keep the last value, TensorFlow Serving the first.

    All strings of a valid body are names, except the name of the signature.
    """
    instances = content.get("instances", [])
    objects = [part for part in (content, content.get("inputs"), *instances) if isinstance(part, dict)]
    num_strings = sum(len(part) for part in objects) + ("signature_name" in content)
    if body.count(b'"') > 2 * num_strings:
        raise _refused("An object in the body contains the same name twice.")


def _quoted(names: Any) -> str:
    return ", ".join(json.dumps(str(name)[:40]) for name in list(names)[:10])


def _refused(message: str) -> RefusedRequest:
    return RefusedRequest(400, message)
