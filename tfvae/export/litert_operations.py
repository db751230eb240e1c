"""Accurate versions of operations that TensorFlow's converter to LiteRT simplifies.

The converter replaces log1p(x) by log(1 + x) and expm1(x) by exp(x) - 1, which are wrong for small x, and LiteRT's log
is less accurate near 1 than TensorFlow's.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfvae.typing import Tensor

_NUM_TERMS = 9


def with_accurate_operations(function: Any, module: tf.Module) -> tuple[Any, tf.Module]:
    """Returns a concrete function without the operations that lose accuracy, and the module that it belongs to.

    A function that has none of them is returned unchanged.

    Args:
        function: Concrete function whose inputs are tensors and whose outputs are a dictionary of tensors.
        module: Module with its variables.
    """
    if not _has_operations(function.graph.as_graph_def()):  # before all weights are copied
        return function, module
    graph = convert_variables_to_constants_v2(function).graph
    definition = graph.as_graph_def()
    rewritten = tf.compat.v1.GraphDef(versions=definition.versions, library=definition.library)
    for node in definition.node:
        if node.op in _OPERATIONS and node.attr["T"].type == tf.float32.as_datatype_enum:
            rewritten.node.extend(_nodes(node))
        else:
            rewritten.node.append(node)
    for node in rewritten.node:
        node.attr.pop("_gradient_op_type", None)  # gradients cannot be saved with the function
    names = sorted(function.structured_outputs)

    def run(*inputs: Tensor) -> dict[str, Tensor]:
        outputs = tf.graph_util.import_graph_def(
            rewritten,
            input_map={tensor.name: value for tensor, value in zip(graph.inputs, inputs, strict=True)},
            return_elements=[tensor.name for tensor in graph.outputs],
        )
        return dict(zip(names, outputs, strict=True))

    result = tf.Module()
    result.run = tf.function(run, input_signature=[_spec(tensor) for tensor in graph.inputs])
    return result.run.get_concrete_function(), result


def _has_operations(definition: Any) -> bool:
    """Whether the nodes of a graph, or those of the functions that it calls, have one of the operations."""
    called = (function.node_def for function in definition.library.function)
    return any(node.op in _OPERATIONS for nodes in (definition.node, *called) for node in nodes)


def _spec(tensor: Any) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.op.name)


def _log1p(x: Tensor) -> Tensor:
    """Computes log(1 + x), for |x| < 1/2 as 2 artanh(s) = 2 (s + s^3 / 3 + ...) of s = x / (2 + x), |s| <= 1/3."""
    s = x / (2.0 + x)
    square = tf.square(s)
    series = tf.zeros_like(x)
    for k in reversed(range(_NUM_TERMS)):
        series = series * square + 1.0 / (2 * k + 1)
    return tf.where(tf.abs(x) < 0.5, 2.0 * s * series, tf.math.log(1.0 + x))


def _expm1(x: Tensor) -> Tensor:
    """Computes exp(x) - 1, for |x| < 1/2 as x + x^2 / 2! + ...; a tanh would be quantized."""
    series = tf.ones_like(x)
    for k in reversed(range(2, _NUM_TERMS + 2)):
        series = 1.0 + x / k * series
    return tf.where(tf.abs(x) < 0.5, x * series, tf.exp(x) - 1.0)


_OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {"Expm1": _expm1, "Log1p": _log1p}


@functools.cache
def _template(operation: str) -> tuple[Any, str, str]:
    """Returns the nodes of an accurate version, and the names of its input and of its output node."""
    spec = tf.TensorSpec(None, tf.float32, name="x")
    graph = tf.function(_OPERATIONS[operation], input_signature=[spec]).get_concrete_function().graph
    (x,), (y,) = graph.inputs, graph.outputs
    return graph.as_graph_def().node, x.op.name, y.op.name


def _nodes(node: Any) -> list[Any]:
    """Returns the nodes that replace a node. The last one has its name."""
    nodes, x, y = _template(node.op)
    new = {one.name: f"{node.name}/{one.name}" for one in nodes} | {y: node.name, x: node.input[0]}
    control = [name for name in node.input if name.startswith("^")]
    replacing = []
    for one in nodes:
        if one.name == x:
            continue
        copy = tf.compat.v1.NodeDef()
        copy.CopyFrom(one)
        copy.name = new[one.name]
        del copy.input[:]
        copy.input.extend([new[name.removesuffix(":0")] for name in one.input] + control)
        replacing.append(copy)
    return replacing
