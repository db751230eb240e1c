#!/usr/bin/env bash
# TFP: a flow around a Keras 3 network has no trainable variables, so that an optimizer over them trains nothing.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import keras
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from finding import done, seen

tfb, tfd = tfp.bijectors, tfp.distributions


def flow(library):
    class ShiftAndLogScale(library.Model):
        """Of two variables: the second one's are a function of the first."""

        def __init__(self):
            super().__init__()
            self.dense = library.layers.Dense(2)

        def call(self, x):
            of_second = self.dense(x[..., :1])
            return tf.stack([tf.zeros_like(of_second), of_second], axis=-2)

    network = ShiftAndLogScale()
    base = tfd.Sample(tfd.Normal(0.0, 1.0), 2)
    return tfd.TransformedDistribution(base, tfb.MaskedAutoregressiveFlow(network)), network


for library, count in ((tf_keras, 2), (keras, 0)):
    distribution, network = flow(library)
    distribution.log_prob(tf.zeros([3, 2]))
    found = len(distribution.trainable_variables)
    seen(
        f"a flow finds the {len(network.trainable_variables)} variables of its {library.__name__} network",
        f"{found} trainable variables",
        found == count,
    )
done()
PY
