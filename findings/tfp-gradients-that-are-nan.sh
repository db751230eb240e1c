#!/usr/bin/env bash
# TFP: gradients through the sigmoid bijector are NaN from 89 on, and through Beta draws of small concentration.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import math

import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen


def gradient(fn, value):
    value = tf.constant(value)
    with tf.GradientTape() as tape:
        tape.watch(value)
        result = tf.reduce_sum(fn(value))
    return float(result), float(tape.gradient(result, value))


value, slope = gradient(tfp.bijectors.Sigmoid().forward, 100.0)
plain = gradient(tf.sigmoid, 100.0)[1]
seen(
    f"Sigmoid().forward(100.) is 1 with a gradient of {plain}, as tf.sigmoid has it",
    f"{value} with {slope}",
    math.isnan(slope),
)
_, slope = gradient(lambda a: tfp.distributions.Beta(a, 1.0).sample(1000, seed=(1, 2)), 0.05)
seen(
    "the pathwise gradient of draws of Beta(0.05, 1), which is FULLY_REPARAMETERIZED, is finite",
    f"{slope}",
    math.isnan(slope),
)
done()
PY
