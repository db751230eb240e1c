#!/usr/bin/env bash
# TFP: a log_prob within a tf.function keeps the function's graph, and the variables it reads, in memory for ever.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import gc
import weakref

import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

tfd = tfp.distributions


def graph_of(make):
    """A weak reference to the graph of a function that is deleted."""
    loc = tf.Variable([0.0, 0.0])
    function = tf.function(lambda x: make(loc).log_prob(x))
    function(tf.zeros([3, 2]))
    return weakref.ref(function.get_concrete_function(tf.zeros([3, 2])).graph)


with_bijector = graph_of(lambda loc: tfd.MultivariateNormalDiag(loc, tf.ones(2)))
without = graph_of(lambda loc: tfd.Independent(tfd.Normal(loc, 1.0), 1))
gc.collect()
alive = {"MultivariateNormalDiag": with_bijector() is not None, "Independent(Normal)": without() is not None}
seen(
    "the graph of a deleted function is freed, whichever spelling of a normal it scores",
    f"still in memory: {[name for name, is_alive in alive.items() if is_alive]}",
    alive == {"MultivariateNormalDiag": True, "Independent(Normal)": False},
)
done()
PY
