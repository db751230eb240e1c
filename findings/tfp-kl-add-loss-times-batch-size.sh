#!/usr/bin/env bash
# tfp.layers: KLDivergenceAddLoss(use_exact_kl=True) adds the KL times the batch size.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from finding import done, seen

tfd = tfp.distributions
prior = tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1)


def loss_of(batch_size):
    add_kl = tfp.layers.KLDivergenceAddLoss(prior, use_exact_kl=True)
    model = tf_keras.Sequential([tf_keras.layers.InputLayer((4,)), tfp.layers.IndependentNormal(2), add_kl])
    model.compile("sgd", loss=lambda y, q: tf.zeros([batch_size]))
    x = tf.constant([[1.0, 2.0, 0.5, -0.5]] * batch_size)
    return model.evaluate(x, x, verbose=0, batch_size=batch_size)


for batch_size in (2, 16):
    found, of_one = loss_of(batch_size), loss_of(1)
    seen(
        f"the exact KL of {batch_size} equal examples adds as much to the loss as that of one, {of_one:.4f}",
        f"{found:.4f}, {found / of_one:.2f} times as much",
        abs(found / of_one - batch_size) < 0.01 * batch_size,
    )
done()
PY
