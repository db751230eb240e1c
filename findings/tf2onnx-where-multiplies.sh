#!/usr/bin/env bash
# tf2onnx makes two products and a sum of tf.where for floats, so the value that was not chosen counts as zero times
# itself: NaN, if it is NaN. Only a condition that is tf.math.is_nan(x) itself becomes ONNX's Where. With its negation,
# as in tf.where(~tf.math.is_nan(x), x, 0), missing values that TensorFlow replaces by zeros are NaN in the ONNX model.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"

prepare tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0
run <<'PY'
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx
from finding import done, seen


@tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
def without_missing(x):
    return tf.where(tf.math.logical_not(tf.math.is_nan(x)), x, tf.zeros_like(x))


def where(context, node, name, args):
    shapes, dtypes = [context.get_shape(each) for each in node.output], [context.get_dtype(each) for each in node.output]
    inputs, outputs = list(node.input), list(node.output)
    context.remove_node(node.name)
    context.make_node("Where", inputs, outputs=outputs, name=node.name, shapes=shapes, dtypes=dtypes)


x = np.array([[1.0, np.nan, 3.0]], np.float32)
answers, operations = [], []
for handlers in ({}, {"SelectV2": (where, [])}):
    model, _ = tf2onnx.convert.from_function(
        without_missing, without_missing.input_signature, opset=18, custom_op_handlers=handlers
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answers.append(session.run(None, {session.get_inputs()[0].name: x})[0][0].tolist())
    operations.append(sorted(node.op_type for node in model.graph.node))
print("TensorFlow:", without_missing(x).numpy()[0].tolist(), "operations:", *operations)
seen("[1.0, 0.0, 3.0], as in TensorFlow", answers[0], np.isnan(answers[0]).tolist() == [False, True, False])
seen("[1.0, 0.0, 3.0] with Where", answers[1], answers[1] == [1.0, 0.0, 3.0])
done()
PY
