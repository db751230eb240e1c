#!/usr/bin/env bash
# TFP: the reparameterised gradient of a mixture by its logits falls short where components lie apart.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

tfd = tfp.distributions
logit = tf.constant(0.0)
with tf.GradientTape() as tape:
    tape.watch(logit)
    mixture = tfd.MixtureSameFamily(
        tfd.Categorical(logits=tf.stack([0.0, logit])), tfd.Normal([0.0, 12.0], 1.0), reparameterize=True
    )
    mean = tf.reduce_mean(mixture.sample(200_000, seed=(1, 2)))
found = float(tape.gradient(mean, logit))
seen(
    "d E[z] / d logit of halves at 0 and 12 is 12 * 0.25 = 3, and a mixture that is FULLY_REPARAMETERIZED gives it",
    f"{mixture.reparameterization_type}: {found:.3f}",
    mixture.reparameterization_type == tfd.FULLY_REPARAMETERIZED and found < 2.8,
)
done()
PY
