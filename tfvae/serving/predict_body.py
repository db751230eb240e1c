"""The bodies of `:predict`, as TensorFlow Serving's REST API has them: by row, or by column."""

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

_GZIP = 31  # zlib's word for it
# A good body has more for each. Without these bounds one could be all empty lists or names, dear to make and to drop.
_LEAST_BYTES_A_VALUE, _LEAST_BYTES_A_QUOTE = 8, 32


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

    @property
    def num_draws(self) -> int:
        """Examples times draws an example."""
        return self.num_rows * int(self.inputs.get("num_samples", 1))


def read_predict(
    body: bytes | bytearray,
    signatures: Mapping[str, Signature],
    limits: Limits,
    most_bytes: int,
    *,
    gzipped: bool = False,
) -> PredictRequest:
    """Reads a body; what TensorFlow Serving refuses is refused too, and so is what is not finite or beyond the limits.

    Args:
        body: as it came.
        signatures: what can be asked, by name.
        limits: how much at once.
        most_bytes: `limits.bytes_of` the signatures, which is the same for each body.
        gzipped: whether it is compressed.

    Raises:
        RefusedRequest: with status 400, or 413 for a body that is larger than any request.
    """
    if gzipped:
        body = _inflated(body, most_bytes)
    num_values = sum(map(body.count, (b",", b"[", b"{")))
    if max(num_values * _LEAST_BYTES_A_VALUE, body.count(b'"') * _LEAST_BYTES_A_QUOTE) > most_bytes:
        raise RefusedRequest(413, "The body has more numbers, lists or names than any request takes.")
    try:
        with _without_garbage_collection():
            content = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise _refused(f"The body is no JSON: {error}.".replace("..", ".")) from error
    if not isinstance(content, dict):
        raise _refused('The body is a JSON object with "instances" or "inputs".')
    if unknown := [name for name in content if name not in ("signature_name", "instances", "inputs")]:
        raise _refused(f'The body has "signature_name", "instances" and "inputs" only; it has {_quoted(unknown)} too.')
    name = content.get("signature_name", DEFAULT_SIGNATURE)
    signature = _signature(DEFAULT_SIGNATURE if name == "" else name, signatures)
    if ("instances" in content) == ("inputs" in content):
        raise _refused('The body has either "instances", one for each example, or "inputs", one for each input.')
    by_row = "instances" in content
    values = _columns(content["instances"], signature, limits) if by_row else _named(content["inputs"], signature)
    inputs = {name: read_tensor(values[name], name, info) for name, info in signature.inputs.items()}
    request = PredictRequest(signature, inputs, by_row, _num_rows(signature, inputs, limits))
    _refuse_repeated_names(body, content)
    return request


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """What is read holds no cycles, and looking for them takes several times as long as the reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _inflated(body: bytes | bytearray, most: int) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    try:
        found = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise _refused("The body is not compressed with gzip, as its Content-Encoding says.") from error
    if len(found) > most:
        raise RefusedRequest(413, f"A request's body has at most {most:,} bytes; this one has more, uncompressed.")
    if not stream.eof or stream.unused_data:
        raise _refused("The body is not one whole gzip stream.")
    return found


def _signature(name: Any, signatures: Mapping[str, Signature]) -> Signature:
    if not isinstance(name, str) or name not in signatures:
        received = "of another kind" if isinstance(name, (list, dict)) else json.dumps(name)[:80]
        raise _refused(f"Serving signature key {received} not found. There are: {', '.join(signatures)}.")
    return signatures[name]


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


def _columns(instances: Any, signature: Signature, limits: Limits) -> dict[str, Any]:
    """The rows' values put together by input."""
    if whole := [name for name, info in signature.inputs.items() if not info.has_batch]:
        raise _refused(
            f"Signature {signature.name} takes {_quoted(whole)} once for all examples, which cannot be said row by "
            'row: send {"signature_name": ..., "inputs": {...}} instead of "instances".'
        )
    if not isinstance(instances, list) or not instances:
        raise _refused('"instances" is a list of one or more examples.')
    _refuse_more_rows(len(instances), signature, limits)
    rows = [_named(instance, signature) for instance in instances]
    return {name: [row[name] for row in rows] for name in signature.inputs}


def _num_rows(signature: Signature, inputs: Mapping[str, np.ndarray], limits: Limits) -> int:
    rows = {name: len(inputs[name]) for name, info in signature.inputs.items() if info.has_batch}
    if len(set(rows.values())) > 1:
        raise _refused(f"All inputs have as many examples; received {rows}.")
    count = next(iter(rows.values()), 1)
    if "num_samples" in inputs:
        num_samples = int(inputs["num_samples"])
        most = limits.num_samples if rows else limits.rows_of(signature)
        if not 1 <= num_samples <= most:
            raise _refused(f"num_samples is a whole number from 1 to {most}; received {num_samples}.")
        if rows and count * num_samples > (most_draws := max(limits.draws, limits.num_samples)):
            raise _refused(
                f"A request has at most {most_draws} draws in all; {count} examples of {num_samples} are more. Send "
                "them in parts."
            )
    _refuse_more_rows(count, signature, limits)
    return count


def _refuse_more_rows(count: int, signature: Signature, limits: Limits) -> None:
    if count > (most := limits.rows_of(signature)):
        raise _refused(f"A request has at most {most} examples; received {count}. Send them in parts.")


def _refuse_repeated_names(body: bytes | bytearray, content: dict[str, Any]) -> None:
    """Of a name that stands twice in an object orjson keeps the last value, TensorFlow Serving the first.

    All strings of a body that is good otherwise are names, but for the signature's.
    """
    instances = content.get("instances", [])
    objects = [part for part in (content, content.get("inputs"), *instances) if isinstance(part, dict)]
    num_strings = sum(len(part) for part in objects) + ("signature_name" in content)
    if body.count(b'"') > 2 * num_strings:
        raise _refused("A name stands twice in an object of the body.")


def _quoted(names: Any) -> str:
    return ", ".join(json.dumps(str(name)[:40]) for name in list(names)[:10])


def _refused(message: str) -> RefusedRequest:
    return RefusedRequest(400, message)
