"""The answers of `:predict`, as TensorFlow Serving's REST API has them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from tfvae.serving.predict_body import PredictRequest

# Written at once: no other thread runs while numbers are written, about two milliseconds for so many.
_NUMBERS_AT_ONCE = 16_384


def predict_answer(request: PredictRequest, outputs: Mapping[str, np.ndarray]) -> bytes:
    """The body of the answer: "predictions" by row, "outputs" by column; one output comes without its name."""
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
    if np.ndim(value) and np.size(value) > _NUMBERS_AT_ONCE:
        return _list(map(_array, value))
    if np.isfinite(value).all():
        return orjson.dumps(
            np.ascontiguousarray(value) if np.ndim(value) else value[()], option=orjson.OPT_SERIALIZE_NUMPY
        )
    # JSON has no NaN or infinity. As text, in the words of Protocol Buffers' JSON, they tell what they are, and NumPy
    # and float() read them. TensorFlow Serving writes them bare, which many readers refuse.
    shown = np.asarray(value).astype(object)
    for is_such, text in ((np.isnan, "NaN"), (np.isposinf, "Infinity"), (np.isneginf, "-Infinity")):
        shown[is_such(value)] = text
    return orjson.dumps(shown.tolist())


def _object(values: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(orjson.dumps(name) + b":" + value for name, value in values.items()) + b"}"


def _list(values: Any) -> bytes:
    return b"[" + b",".join(values) + b"]"
