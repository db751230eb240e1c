"""Training with two replicas, on two logical devices of the CPU."""

import keras
import numpy as np
import tensorflow as tf

from same_numbers_scenarios.parts import (
    BATCH_SIZE,
    GRAY,
    WEIGHTS,
    X,
    fit,
    flat,
    images,
    make_encoder,
    make_vae,
    trained,
)
from tfvae.callbacks import BetaSchedule, LinearWarmUp
from tfvae.data import Split
from tfvae.estimators import DReG

(_cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(_cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
STRATEGY = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(2)])
# The last batch has one example, fewer than there are replicas.
ODD = images(4 * BATCH_SIZE + 1)


def on_both(make=make_vae, x=ODD, policy="float32", **kwargs):
    """The scenario of a fit by both replicas."""

    def scenario(folder):
        keras.config.set_dtype_policy(policy)
        with STRATEGY.scope():
            vae = make()
            optimizer = keras.optimizers.SGD(0.1, momentum=0.5, global_clipnorm=0.3)
            return fit(vae, x() if callable(x) else x, optimizer=optimizer, **kwargs)

    return scenario


def everything(folder):
    """Sample weights, validation and a schedule of beta."""
    return on_both(
        x=X,
        sample_weight=WEIGHTS,
        validation_data=(X[:9], None, WEIGHTS[:9]),
        validation_batch_size=4,
        callbacks=[BetaSchedule(LinearWarmUp(num_steps=7))],
    )(folder)


def with_noise():
    """A model with dropout and a weight regulariser."""
    return make_vae(DReG(3), encoder=make_encoder([keras.layers.Dropout(0.5, seed=1)], kernel_regularizer="l2"))


def normalized():
    """A model with batch normalisation."""
    return make_vae(encoder=make_encoder([keras.layers.BatchNormalization()]))


def single_batches(folder):
    """`train_on_batch` and `test_on_batch`."""
    with STRATEGY.scope():
        vae = make_vae()
        vae.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    found = {"train": vae.train_on_batch(X[:8], return_dict=True), "test": vae.test_on_batch(X[:5], return_dict=True)}
    return trained(vae) | flat(found) | {"elbo": np.asarray(vae.elbo(X, seed=1))}


def batches():
    """Of gray images, shuffled and binarised."""
    return Split(GRAY, num_levels=17).batches(BATCH_SIZE, shuffle=True, seed=3, binarize="dynamic")


SCENARIOS = {
    "arrays": on_both(),
    "everything": everything,
    "dropout": on_both(with_noise),
    "batch_normalization": on_both(normalized),
    "split": on_both(x=batches),
    "float16": on_both(policy="mixed_float16"),
    "single_batches": single_batches,
}
