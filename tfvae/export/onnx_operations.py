"""ONNX versions of TensorFlow operations that tf2onnx lacks or gets wrong, for its argument `custom_op_handlers`.

TFP's distributions use them often. Most networks do not.
"""

from typing import Any

import numpy as np


def _log1p(context: Any, node: Any, name: str, args: Any) -> None:
    # With u = 1 + x rounded, log(u) - ((u - 1) - x) / u is log(1 + x) up to the last two bits, also for small x.
    (x,) = node.input
    one = _constant(context, name, 1.0)
    u = _make(context, "Add", x, one)
    lost = _make(context, "Sub", _make(context, "Sub", u, one), x)
    _replace(context, node, "Sub", _make(context, "Log", u), _make(context, "Div", lost, u))


def _expm1(context: Any, node: Any, name: str, args: Any) -> None:
    # Near zero this is 2 tanh(x / 2) / (1 - tanh(x / 2)). Elsewhere exp(x) - 1 is accurate.
    (x,) = node.input
    one, two, half = (_constant(context, f"{name}_{value}", value) for value in (1.0, 2.0, 0.5))
    near = _make(context, "Less", _make(context, "Abs", x), half)
    tanh = _make(context, "Tanh", _make(context, "Mul", x, half))
    small = _make(context, "Div", _make(context, "Mul", two, tanh), _make(context, "Sub", one, tanh))
    _replace(context, node, "Where", near, small, _make(context, "Sub", _make(context, "Exp", x), one))


def _erfc(context: Any, node: Any, name: str, args: Any) -> None:
    (x,) = node.input
    _replace(context, node, "Sub", _constant(context, name, 1.0), _make(context, "Erf", x))


def _broadcast_args(context: Any, node: Any, name: str, args: Any) -> None:
    # The shape to which two shapes broadcast: ones are added in front of the shorter one, then the maxima are taken.
    ranks = [context.get_shape(shape)[0] for shape in node.input]
    padded = []
    for shape, rank in zip(node.input, ranks, strict=True):
        if rank < max(ranks):
            ones = context.make_const(f"{name}_ones", np.ones(max(ranks) - rank, np.int32)).output[0]
            shape = context.make_node("Concat", [ones, shape], attr={"axis": 0}).output[0]
        padded.append(shape)
    _replace(context, node, "Max", *padded)


def _select(context: Any, node: Any, name: str, args: Any) -> None:
    # tf2onnx multiplies both values by zeros and ones, and zero times a missing value, NaN, is NaN.
    _replace(context, node, "Where", *node.input)


HANDLERS: dict[str, tuple[Any, list[Any]]] = {
    "BroadcastArgs": (_broadcast_args, []),
    "Erfc": (_erfc, []),
    "Expm1": (_expm1, []),
    "Log1p": (_log1p, []),
    "SelectV2": (_select, []),
}


def _constant(context: Any, name: str, value: float) -> str:
    return context.make_const(f"{name}_constant", np.array(value, np.float32)).output[0]


def _make(context: Any, operation: str, *inputs: str) -> str:
    return context.make_node(operation, list(inputs)).output[0]


def _replace(context: Any, node: Any, operation: str, *inputs: str) -> None:
    """Replaces a node by another operation with the same outputs, types and shapes."""
    outputs = list(node.output)
    shapes, dtypes = [context.get_shape(name) for name in outputs], [context.get_dtype(name) for name in outputs]
    context.remove_node(node.name)
    context.make_node(operation, list(inputs), outputs=outputs, name=node.name, shapes=shapes, dtypes=dtypes)
