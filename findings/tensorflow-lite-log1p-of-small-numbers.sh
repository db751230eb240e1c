#!/usr/bin/env bash
# TensorFlow's converter to LiteRT makes log(1 + x) of tf.math.log1p(x), and exp(x) - 1 of tf.math.expm1(x), without a
# word. Below 6e-8, both are zero instead of x. So log(-expm1(-x)), the usual form of log(1 - exp(-x)) that is written to
# be exact for small x, is minus infinity in the file, and 0.18 too large at 1e-7.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"

prepare tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 ai-edge-litert==2.3.0
run <<'PY'
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from finding import done, seen


def in_litert(function, x):
    traced = tf.function(function, input_signature=[tf.TensorSpec(x.shape, tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


x = np.array([1e-9, 1e-7, 1e-4], np.float32)
for function in (tf.math.log1p, tf.math.expm1):
    found = in_litert(function, x)
    seen(f"{function.__name__}: {function(x).numpy()}", found, found[0] == 0.0 and found[1] > 1.1e-7)


def log_complement(x):
    return tf.math.log(-tf.math.expm1(-x))


found = in_litert(log_complement, x)
seen(log_complement(x).numpy(), found, np.isneginf(found[0]))
done()
PY
