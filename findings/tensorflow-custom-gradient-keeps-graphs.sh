#!/usr/bin/env bash
# TensorFlow: the graph of a tf.function that used a tf.custom_gradient stays in memory when the function is deleted.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import gc
import weakref

import tensorflow as tf

from finding import done, seen


@tf.custom_gradient
def with_own_gradient(x):
    return tf.square(x), lambda upstream: 2.0 * x * upstream


def graph_of(square):
    """A weak reference to the graph of a function that is deleted."""
    function = tf.function(lambda x: square(x))
    function(tf.zeros([1000]))
    return weakref.ref(function.get_concrete_function(tf.zeros([1000])).graph)


alive = {}
for name, square in (("tf.square", tf.square), ("tf.custom_gradient", with_own_gradient)):
    graph = graph_of(square)
    gc.collect()
    alive[name] = graph() is not None
seen(
    "the graph of a deleted function is freed, whether or not an operation in it has a gradient of its own",
    f"still in memory: {alive}",
    alive == {"tf.square": False, "tf.custom_gradient": True},
)
done()
PY
