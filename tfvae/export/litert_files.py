"""Conversion of a network to LiteRT files, with TensorFlow's converter and LiteRT's quantizer and interpreter."""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.calibrator import CalibrationMode
from ai_edge_quantizer.qtyping import TFLOperationName as Operation
from ai_edge_quantizer.quantizer import Quantizer

from tfvae.export.converting import File, Inputs, Network
from tfvae.export.litert_operations import with_accurate_operations
from tfvae.export.messages import first_line

# Operations of networks. All others stay in float32: eight bits are not enough for the exponentials and logarithms
# between the output of a network and the parameters of a distribution, and these operations take little time.
_INT8_OPERATIONS = (
    Operation.FULLY_CONNECTED,
    Operation.CONV_2D,
    Operation.DEPTHWISE_CONV_2D,
    Operation.CONV_2D_TRANSPOSE,
    Operation.TANH,
    Operation.RELU,
    Operation.MAX_POOL_2D,
    Operation.AVERAGE_POOL_2D,
)
_SIGNATURE = "serving_default"  # name that TensorFlow's converter gives to a single signature


def litert_files(network: Network, precisions: Sequence[str]) -> Iterator[File]:
    """Yields the network in each precision.

    Raises:
        ValueError: If LiteRT's builtin operations cannot express the network, or it cannot be quantized.
    """
    float32 = _float32(network)
    for precision in precisions:
        try:
            content = _in_precision(precision, float32, network)
            run = _runner(content)
        except Exception as error:  # the quantizer raises errors of any type for unknown operations
            raise ValueError(
                f"LiteRT's quantizer cannot convert the {network.name} to {precision}: {type(error).__name__}: "
                f"{first_line(error)}. Nothing was written. Omit this precision, for example with "
                "precisions=('float32',)."
            ) from error
        yield File(f"{precision}/{network.name}.tflite", precision, content, run)


def _in_precision(precision: str, float32: bytes, network: Network) -> bytes:
    if precision == "float16":
        return _float16(float32)
    return _int8(float32, network) if precision == "int8" else float32


def _float32(network: Network) -> bytes:
    function, module = with_accurate_operations(network.function.get_concrete_function(), network.module)
    try:
        return tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert()
    except Exception as error:
        raise ValueError(_refusal(network.name, error)) from error


def _float16(content: bytes) -> bytes:
    """Stores the weights in half precision. Computations are in single precision."""
    quantizer = Quantizer(bytearray(content))
    quantizer.add_weight_only_config(".*", Operation.ALL_SUPPORTED, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    return _quantized(quantizer, None)


def _int8(content: bytes, network: Network) -> bytes:
    """Quantizes weights and activations to eight bits. Input and output stay float32."""
    quantizer = Quantizer(bytearray(content))
    for operation in _INT8_OPERATIONS:
        quantizer.add_static_config(".*", operation, activation_num_bits=8, weight_num_bits=8)
    # All examples are in one batch, because the quantizer averages ranges over batches instead of taking the widest.
    examples = {_SIGNATURE: [dict(network.calibration)]}
    # The other mode reads all tensors at the end, when those within loops no longer exist.
    mode = CalibrationMode.CALIBRATION_PROFILER_BASED
    return _quantized(quantizer, quantizer.calibrate(examples, num_threads=os.cpu_count() or 1, mode=mode))


def _quantized(quantizer: Quantizer, ranges: Mapping | None) -> bytes:
    with warnings.catch_warnings():  # the quantizer uses a deprecated argument of LiteRT's interpreter
        warnings.filterwarnings("ignore", ".*experimental_preserve_all_tensors")
        result = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _runner(content: bytes) -> Callable[[Inputs], Mapping[str, np.ndarray]]:
    answer = Interpreter(model_content=content).get_signature_runner()  # it takes batches of every size
    return lambda inputs: answer(**inputs)


def _refusal(name: str, error: Exception) -> str:
    """Returns a short message for the long errors of TensorFlow's converter."""
    operations = sorted(set(re.findall(r"'tf\.(\w+)' op", str(error))))
    needs = f"it needs TensorFlow's {', '.join(operations)}" if operations else first_line(error)
    text = f"LiteRT's builtin operations cannot express the {name}: {needs}. Nothing was written. "
    if any(operation.startswith("TensorList") for operation in operations):
        return text + "The operation is the loop of a recurrent layer: create the layer with unroll=True."
    if any("Random" in operation for operation in operations):
        return text + "A layer draws random numbers, which only a SavedModel supports: use export.save."
    return text + "Use other layers, or export a SavedModel (export.save) or ONNX (export.save_onnx)."
