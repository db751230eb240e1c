#!/usr/bin/env bash
# TFP: log_prob of a drawn tensor and of a copy of it differ, for bijectors remember how they made a tensor object.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

distribution = tfp.distributions.RelaxedOneHotCategorical(0.1, logits=[0.0, 1.0, 2.0])
draws = distribution.sample(10_000, seed=(1, 2))
of_draws, of_copy = (np.isfinite(distribution.log_prob(x)) for x in (draws, tf.identity(draws)))
seen(
    "log_prob depends on the numbers alone: a copy of the draws has the same",
    f"{np.sum(~of_draws)} values that are not finite for the draws, {np.sum(~of_copy)} for a copy",
    of_draws.all() and not of_copy.all(),
)
done()
PY
