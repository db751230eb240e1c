#!/usr/bin/env bash
# tfp.layers: a KLDivergenceRegularizer counts the KL twice under tf_keras, so that tutorials train with beta = 2.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from finding import done, seen

tfd = tfp.distributions
prior = tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1)
posterior = tfp.layers.IndependentNormal(
    2, activity_regularizer=tfp.layers.KLDivergenceRegularizer(prior, use_exact_kl=True)
)
model = tf_keras.Sequential([tf_keras.layers.InputLayer((4,)), posterior])
x = tf.constant([[1.0, 2.0, 0.5, -0.5]] * 8)
exact = float(tf.reduce_mean(tfd.kl_divergence(tfp.layers.IndependentNormal.new(x, 2), prior)))
model(x)
model.compile("sgd", loss=lambda y, q: tf.zeros([8]))
loss = model.evaluate(x, x, verbose=0, batch_size=8)
seen(
    f"the loss of a model whose only term is the regulariser is the KL, {exact:.4f}",
    f"{loss:.4f}, {loss / exact:.3f} times the KL; {len(model.losses)} losses of one layer",
    abs(loss / exact - 2) < 1e-4,
)
done()
PY
