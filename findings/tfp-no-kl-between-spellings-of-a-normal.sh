#!/usr/bin/env bash
# TFP: no exact KL between two spellings of the same normal distribution.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

tfd = tfp.distributions
diagonal = tfd.MultivariateNormalDiag(tf.zeros(3), tf.ones(3))
for name, other in {
    "Independent(Normal)": tfd.Independent(tfd.Normal(tf.zeros(3), 1.0), 1),
    "Sample(Normal)": tfd.Sample(tfd.Normal(0.0, 1.0), 3),
}.items():
    try:
        found = str(tfd.kl_divergence(diagonal, other).numpy())
    except NotImplementedError as error:
        found = f"NotImplementedError: {str(error)[:60]}..."
    seen(f"KL(MultivariateNormalDiag || {name}) of equal distributions is 0", found, "NotImplemented" in found)
done()
PY
