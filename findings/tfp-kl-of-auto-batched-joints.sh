#!/usr/bin/env bash
# TFP: the KL of auto-batched joint distributions keeps the event axes of their parts.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

tfd = tfp.distributions


def joint(loc):
    parts = [tfd.Normal(tf.fill([5], loc), 1.0), tfd.Normal(0.0, 1.0)]
    return tfd.JointDistributionSequentialAutoBatched(parts, batch_ndims=0)


kl = tfd.kl_divergence(joint(1.0), joint(0.0))
log_prob = joint(0.0).log_prob(joint(0.0).sample(seed=(1, 2)))
seen(
    f"log_prob has shape {log_prob.shape}, the batch shape, and so has the KL: 2.5",
    f"a KL of shape {kl.shape}: {kl.numpy()}",
    log_prob.shape == [] and kl.shape == [5],
)
done()
PY
