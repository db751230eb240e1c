"""A network as LiteRT files: TensorFlow's converter, LiteRT's own quantizer, and LiteRT's interpreter."""

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

from tfvae.export.converting import File, Network
from tfvae.export.messages import first_line

# What networks are made of. All else stays float32: eight bits are too few for the exponentials and logarithms between
# a network's output and a distribution's parameters, and no work worth saving.
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
_SIGNATURE = "serving_default"  # what TensorFlow's converter calls the only one


def litert_files(network: Network, precisions: Sequence[str]) -> Iterator[File]:
    """The network in each precision.

    Raises:
        ValueError: where LiteRT's builtin operations do not express it, or it cannot be quantized.
    """
    float32 = _float32(network)
    for precision in precisions:
        try:
            content = _in_precision(precision, float32, network)
            run = _runner(content, network.input)
        except Exception as error:  # what the quantizer does not know shows as errors of every type
            raise ValueError(
                f"LiteRT's quantizer cannot make the {network.name} {precision}, so nothing was written: "
                f"{type(error).__name__}: {first_line(error)}. Leave that precision out, as in precisions=('float32',)."
            ) from error
        yield File(f"{precision}/{network.name}.tflite", precision, content, run)


def _in_precision(precision: str, float32: bytes, network: Network) -> bytes:
    if precision == "float16":
        return _float16(float32)
    return _int8(float32, network) if precision == "int8" else float32


def _float32(network: Network) -> bytes:
    function = network.function.get_concrete_function()
    try:
        return tf.lite.TFLiteConverter.from_concrete_functions([function], network.module).convert()
    except Exception as error:
        raise ValueError(_refusal(network.name, error)) from error


def _float16(content: bytes) -> bytes:
    """Weights in half precision, computed with in single precision."""
    quantizer = Quantizer(bytearray(content))
    quantizer.add_weight_only_config(".*", Operation.ALL_SUPPORTED, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    return _quantized(quantizer, None)


def _int8(content: bytes, network: Network) -> bytes:
    """Weights and what flows between the layers in eight bits; input and output stay float32."""
    quantizer = Quantizer(bytearray(content))
    for operation in _INT8_OPERATIONS:
        quantizer.add_static_config(".*", operation, activation_num_bits=8, weight_num_bits=8)
    # In one batch: between batches the quantizer averages the ranges, where the widest is wanted.
    examples = {_SIGNATURE: [{network.input: network.calibrating}]}
    # The other mode reads every tensor when all is over, also those within loops, which are gone by then.
    mode = CalibrationMode.CALIBRATION_PROFILER_BASED
    return _quantized(quantizer, quantizer.calibrate(examples, num_threads=os.cpu_count() or 1, mode=mode))


def _quantized(quantizer: Quantizer, ranges: Mapping | None) -> bytes:
    with warnings.catch_warnings():  # about how the quantizer calls LiteRT's interpreter
        warnings.filterwarnings("ignore", ".*experimental_preserve_all_tensors")
        result = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _runner(content: bytes, name: str) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    answer = Interpreter(model_content=content).get_signature_runner()  # it takes batches of every size
    return lambda x: answer(**{name: x})


def _refusal(name: str, error: Exception) -> str:
    """One sentence of the pages that TensorFlow's converter writes."""
    operations = sorted(set(re.findall(r"'tf\.(\w+)' op", str(error))))
    needs = f"it needs TensorFlow's {', '.join(operations)}" if operations else first_line(error)
    text = f"LiteRT's builtin operations cannot express the {name}, so nothing was written: {needs}. "
    if any(operation.startswith("TensorList") for operation in operations):
        return text + "That is a recurrent layer's loop: build the layer with unroll=True."
    if any("Random" in operation for operation in operations):
        return text + "A layer within it draws random numbers, which only a SavedModel does: export.save."
    return text + "Build it of other layers, or export a SavedModel (export.save) or ONNX (export.save_onnx)."
