#!/usr/bin/env bash
# TensorFlow: tf.math.lbeta loses all digits at arguments of a million, where tfp.math.lbeta keeps them.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

pair = [1e6, 0.5]
exact = float(tfp.math.lbeta(*tf.constant(pair, tf.float64)))
plain, stable = float(tf.math.lbeta(tf.constant(pair))), float(tfp.math.lbeta(*tf.constant(pair)))
seen(
    f"lbeta(1e6, 0.5) in float32 is {exact:.5f} to five digits or so",
    f"tf.math.lbeta {plain:.5f}, tfp.math.lbeta {stable:.5f}",
    abs(plain - exact) > 0.05 and abs(stable - exact) < 1e-4,
)
done()
PY
