"""Warm-up requests, which TensorFlow Serving sends to a model so that the first client does not wait."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
_BATCHES = (1, 8)
_NUM_SAMPLES = 10


def warmup_requests(functions: Mapping[str, Any]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Creates requests for each signature, with one example and with several.

    The inputs z are drawn from the prior, and x from the model.

    Args:
        functions: Exported functions by signature.
    """
    if not functions:
        return []
    drawn = {}
    for count in _BATCHES:
        seed = tf.constant([0, count], tf.int32)
        answer = functions["sample"](num_samples=tf.constant(count), seed=seed)
        x = answer["sample"]
        drawn[count] = {"x": x.numpy(), "seed": seed.numpy(), "num_samples": np.int32(_NUM_SAMPLES)}
        drawn[count] |= {name: value.numpy() for name, value in functions["encode"](x=x, seed=seed).items()}
    return [
        (name, {key: values[key] for key in _names(function)})
        for name, function in functions.items()
        for values in drawn.values()
    ]


def write_warmup(folder: Path, name: str, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]]) -> None:
    """Writes requests to the file that TensorFlow Serving reads, a TFRecord of `tensorflow.serving.PredictionLog`.

    Args:
        folder: Folder of the SavedModel.
        name: Name of the model.
        requests: Signature and inputs of each request.
    """
    path = folder / WARMUP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            writer.write(_prediction_log(name, signature, inputs))


def _prediction_log(name: str, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    """Encodes a `PredictionLog` that contains a `PredictLog` with a `PredictRequest`.

    The messages are encoded here because the package with their Python classes is large and rarely installed. The
    field numbers are those of prediction_log.proto, predict.proto and model.proto in the apis of tensorflow/serving.
    """
    spec = _field(1, name.encode()) + _field(3, signature.encode())
    request = _field(1, spec)
    for key, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(2, _field(1, key.encode()) + _field(2, tensor))
    return _field(6, _field(1, request))


def _field(number: int, content: bytes) -> bytes:
    """Encodes a length-delimited field of protocol buffers: its key, the length and the content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _names(function: Any) -> list[str]:
    return [spec.name for spec in function.input_signature]
