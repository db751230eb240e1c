"""Response bodies of `:predict` in the format of TensorFlow Serving's REST API."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from tfvae.serving.predict_body import PredictRequest

# The serializer blocks all other threads, for about two milliseconds with this many numbers.
_CHUNK_SIZE = 16_384


def predict_response(request: PredictRequest, outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the body: "predictions" by row or "outputs" by column. A single output has no name."""
    key = "predictions" if request.by_row else "outputs"
    if len(outputs) == 1:
        return _object({key: _array(*outputs.values())})
    if not request.by_row:
        return _object({key: _named(outputs)})
    rows = zip(*outputs.values(), strict=True)
    return _object({key: _list(_named(dict(zip(outputs, row, strict=True))) for row in rows)})


def _named(values: Mapping[str, Any]) -> bytes:
    return _object({name: _array(value) for name, value in values.items()})


def _array(value: Any) -> bytes:
    if np.ndim(value) and np.size(value) > _CHUNK_SIZE:
        return _list(map(_array, value))
    if np.isfinite(value).all():
        return orjson.dumps(
            np.ascontiguousarray(value) if np.ndim(value) else value[()], option=orjson.OPT_SERIALIZE_NUMPY
        )
    # JSON has no NaN and infinity. They are written as strings in the form of Protocol Buffers' JSON, which NumPy and
    # float() can read. TensorFlow Serving writes them without quotes, which many parsers reject.
    shown = np.asarray(value).astype(object)
    for matches, text in ((np.isnan, "NaN"), (np.isposinf, "Infinity"), (np.isneginf, "-Infinity")):
        shown[matches(value)] = text
    return orjson.dumps(shown.tolist())


def _object(values: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(orjson.dumps(name) + b":" + value for name, value in values.items()) + b"}"


def _list(values: Any) -> bytes:
    return b"[" + b",".join(values) + b"]"
