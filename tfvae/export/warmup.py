"""Warm-up requests, which TensorFlow Serving sends to a model so that the first client does not wait."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data.examples import CONDITION

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
_BATCHES = (1, 8)
_NUM_SAMPLES = 10


def warmup_requests(functions: Mapping[str, Any]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Creates requests for each signature, with one example and with several.

    The inputs x are drawn from the model, and z from their posterior. Labels are drawn too. A condition is one of the
    unit vectors if it is a vector, which fits classes, else zeros.

    Args:
        functions: Exported functions by signature.
    """
    if not functions:
        return []
    requests = []
    for count in _BATCHES:
        values: dict[str, Any] = {"seed": np.array([0, count], np.int32), "num_samples": np.int32(count)}
        values |= {"label": np.full([count], -1, np.int32), "condition": _conditions(functions["sample"], count)}
        values["x"] = _outputs(functions["sample"], values)["sample"]
        z, values["num_samples"] = _outputs(functions["encode"], values), np.int32(_NUM_SAMPLES)
        for name, function in functions.items():
            # The label of `sample` is one for all of its samples, and that of z is a one-hot vector.
            own = {**values, **z} if name != "sample" else {**values, "label": values["label"][:1]}
            own["condition"] = own["condition"][:1] if name == "sample" else own["condition"]
            requests.append((name, {key: own[key] for key in _names(function)}))
    return sorted(requests, key=lambda request: list(functions).index(request[0]))


def _conditions(function: Any, count: int) -> np.ndarray:
    """Returns conditions `[count, *shape]` for a function with such an input, else no conditions."""
    shape = next((spec.shape[1:] for spec in function.input_signature if spec.name == CONDITION), None)
    if shape is None:
        return np.zeros([0], np.float32)
    if shape.rank == 1:
        return np.eye(shape[0], dtype=np.float32)[np.arange(count) % shape[0]]
    return np.zeros([count, *shape], np.float32)


def _outputs(function: Any, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    inputs = {name: tf.constant(values[name]) for name in _names(function)}
    return {name: value.numpy() for name, value in function(**inputs).items()}


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
