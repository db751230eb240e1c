"""Conversion of a network to an ONNX file with tf2onnx, the checker of ONNX, and onnxruntime."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tf2onnx

from tfvae.export.converting import File, Inputs, Network
from tfvae.export.messages import first_line
from tfvae.export.onnx_operations import HANDLERS

_OPSET = 18  # newest version that tf2onnx supports


def onnx_files(network: Network) -> Iterator[File]:
    """Yields the network in float32.

    Raises:
        ValueError: If tf2onnx does not support one of its operations.
    """
    try:
        content = _model(network).SerializeToString()
        run = _runner(content)
    except Exception as error:  # tf2onnx raises errors of any type
        raise ValueError(_refusal(network.name, error)) from error
    yield File(f"{network.name}.onnx", "float32", content, run)


def _model(network: Network) -> Any:
    function = network.function
    model, _ = tf2onnx.convert.from_function(
        function, input_signature=function.input_signature, opset=_OPSET, custom_op_handlers=dict(HANDLERS)
    )
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model)
    return model


def _runner(content: bytes) -> Callable[[Inputs], Mapping[str, np.ndarray]]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _refusal(name: str, error: Exception) -> str:
    unknown = re.search(r"No Op registered for (\w+)", str(error))
    reason = first_line(error) if unknown is None else f"it does not support TensorFlow's {unknown[1]}"
    text = f"tf2onnx {tf2onnx.__version__} cannot convert the {name}: {reason}. Nothing was written. "
    if "Random" in reason:
        return text + "A layer draws random numbers, which only a SavedModel supports: use export.save."
    return text + "Use other layers, or export a SavedModel (export.save) or LiteRT (export.save_litert)."
