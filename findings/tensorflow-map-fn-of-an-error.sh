#!/usr/bin/env bash
# TensorFlow: after an error within tf.map_fn, TFP's autoregressive flows can no longer be sampled eagerly.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen

tfb, tfd = tfp.bijectors, tfp.distributions

network = tfb.AutoregressiveNetwork(params=2, hidden_units=[8])
base = tfd.Sample(tfd.Normal(0.0, 1.0), 3)
flow = tfd.TransformedDistribution(base, tfb.MaskedAutoregressiveFlow(network))


def sampled():
    """The shape of two draws, or the error's type."""
    try:
        return tuple(flow.sample(2, seed=(0, 1)).shape)
    except Exception as error:
        return type(error).__name__


@tf.function
def products(rows):
    return tf.map_fn(lambda row: tf.tensordot(row, [1.0, 2.0, 3.0], 1), rows)


before, total = sampled(), None
try:
    products(tf.ones([5, 2]))  # rows of the wrong length, a mistake that the user corrects
except ValueError:
    total = float(tf.reduce_sum(products(tf.ones([5, 3]))))
after = sampled()
caching_device = tf.compat.v1.get_variable_scope().caching_device
seen(
    "draws of an unrelated flow are the same before and after an error within tf.map_fn that was caught",
    f"draws {before} before, {after} after",
    before == (2, 3) and after == "NotImplementedError" and total == 30.0,
)
seen(
    "tf.map_fn resets the caching device that it sets in the scope of variables",
    f"caching device: {'none' if caching_device is None else 'still set'}",
    caching_device is not None,
)
done()
PY
