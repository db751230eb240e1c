#!/usr/bin/env bash
# TFP: float32 draws of Beta, Kumaraswamy and relaxed Bernoulli variables are exactly 1, where log_prob is infinite.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

tfd = tfp.distributions
for name, distribution, low, high in (
    ("Beta(1, 0.1)", tfd.Beta(1.0, 0.1), 0.15, 0.25),
    ("Kumaraswamy(1, 0.2)", tfd.Kumaraswamy(1.0, 0.2), 0.02, 0.05),
    ("RelaxedBernoulli(0.1, logits=0)", tfd.RelaxedBernoulli(0.1, logits=0.0), 0.1, 0.2),
):
    draws = tf.identity(distribution.sample(100_000, seed=(1, 2)))
    share = float(np.mean(draws == 1.0))
    finite = np.isfinite(distribution.log_prob(1.0))
    seen(
        f"draws of {name} lie in its open interval, or log_prob of a draw is finite",
        f"{share:.1%} are exactly 1.0, where log_prob is {distribution.log_prob(1.0).numpy()}",
        low < share < high and not finite,
    )
done()
PY
