#!/usr/bin/env bash
# TFP: Poisson.log_prob in float32 is off by whole nats at counts of millions.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

for count in (1.6e5, 3e6, 1e8):
    found, exact = (
        float(tfp.distributions.Poisson(tf.constant(count, dtype)).log_prob(tf.constant(count, dtype)))
        for dtype in (tf.float32, tf.float64)
    )
    seen(f"log_prob({count:g}) at rate {count:g} is {exact:.4f}, to some digits", f"{found:.4f}", abs(found - exact) > 0.01)
done()
PY
