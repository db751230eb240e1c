"""A model that a file would not give back is refused when it is saved."""

import functools
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae.layers import IndependentBernoulli, IndependentNormal, MultivariateNormalDiag, VariationalWeights
from tfvae.models import check_saving

layers, tfd = keras.layers, tfp.distributions

X = np.random.default_rng(0).integers(2, size=(4, 6)).astype("float32")


def softplus(t):
    return keras.ops.softplus(t) + 3.0


def own(t):
    return t + 1.0


def glorot_uniform(shape, dtype=None):
    return tf.zeros(shape, dtype)


def l2(weight):
    return 0.3 * tf.reduce_sum(weight)


def mean_squared_error(y, prediction):
    return tf.reduce_mean(y - prediction)


@keras.saving.register_keras_serializable(package="check_saving")
def registered(t):
    return t + 2.0


class Unregistered(layers.Layer):
    def call(self, inputs):
        return inputs


class Dense(layers.Dense):  # of a name that Keras has
    pass


@keras.saving.register_keras_serializable(package="check_saving")
class Registered(layers.Layer):
    def __init__(self, function="relu", **kwargs):
        super().__init__(**kwargs)
        self._function = keras.activations.get(function)

    def call(self, inputs):
        return self._function(inputs)

    def get_config(self):
        return {**super().get_config(), "function": keras.activations.serialize(self._function)}


def vae_of(*body, decoder_body=(), prior=None):
    encoder = keras.Sequential([keras.Input((6,)), *body, layers.Dense(4), MultivariateNormalDiag(2, seed=1)])
    decoder = keras.Sequential([keras.Input((2,)), *decoder_body, layers.Dense(6), IndependentBernoulli(6, seed=1)])
    return tfvae.models.VAE(encoder, decoder, prior=prior(encoder) if prior else None, seed=1)


LOST = {
    "activation named as Keras' own": (lambda: layers.Dense(5, activation=softplus), "softplus .*softplus of Keras"),
    "activation layer": (lambda: layers.Activation(softplus), "softplus of Keras"),
    "other approximation of gelu": (lambda: layers.Dense(5, activation=keras.ops.gelu), "gelu of Keras"),
    "unknown activation": (lambda: layers.Dense(5, activation=own), "contains own"),
    "function of Keras in a Lambda": (lambda: layers.Lambda(keras.ops.exp), "contains exp"),
    "function of TensorFlow in a Lambda": (lambda: layers.Lambda(tf.exp), "contains exp"),
    "lambda": (lambda: layers.Lambda(lambda t: t), "a Python lambda"),
    "lambda as activation": (lambda: layers.Activation(lambda t: t), "a Python lambda"),
    "partial": (lambda: layers.Activation(functools.partial(keras.ops.leaky_relu, negative_slope=0.3)), "partial"),
    "bound method": (lambda: layers.Activation(Registered("tanh").call), "contains call"),
    "initialiser": (lambda: layers.Dense(5, kernel_initializer=glorot_uniform), "glorot_uniform"),
    "regulariser": (lambda: layers.Dense(5, kernel_regularizer=l2), "contains l2"),
    "class": (Unregistered, "Unregistered"),
    "class of Keras' name": (lambda: Dense(5), "Dense"),
    "registered class": (lambda: Registered(softplus), "softplus of Keras"),
    "nested model": (lambda: keras.Sequential([keras.Sequential([layers.Dense(3, activation=softplus)])]), "softplus"),
    "wrapper": (lambda: VariationalWeights(keras.Sequential([layers.Dense(4, activation=softplus)]), 10), "softplus"),
}


@pytest.mark.parametrize("name", list(LOST))
def test_what_would_be_lost_is_refused(name):
    make, named = LOST[name]
    with pytest.raises(ValueError, match=named) as caught:
        check_saving(keras.Sequential([keras.Input((6,)), make()]))
    assert "register_keras_serializable" in str(caught.value)
    assert "Layer '" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_vae_is_not_saved(tmp_path):
    vae = vae_of(layers.Dense(5, activation=softplus, name="hidden"))
    with pytest.raises(ValueError, match=r"Layer 'hidden' \(Dense\) has activation=softplus"):
        vae.save(tmp_path / "vae.keras")
    for name in ("vae.h5", "vae.hdf5", "vae", "vae.tf", "vae.weights.h5"):
        with pytest.raises(ValueError, match=r"must end in `\.keras`.*filepath="):
            vae.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_decoder_prior_and_several_faults():
    with pytest.raises(ValueError, match="softplus") as caught:
        check_saving(vae_of(layers.Activation(own), decoder_body=[layers.Dense(3, activation=softplus)]))
    assert "contains own" in str(caught.value)
    with pytest.raises(ValueError, match="VampPrior"):
        check_saving(vae_of(prior=lambda encoder: tfvae.priors.VampPrior(encoder, 3, activation=softplus)))
    check_saving(vae_of(prior=lambda encoder: tfvae.priors.VampPrior(encoder, 3, activation="sigmoid")))


def test_what_comes_back_is_saved(tmp_path):
    body = [
        layers.Dense(5, activation=tf.nn.relu),
        layers.Dense(
            5, activation=registered, kernel_initializer=keras.initializers.HeNormal(), kernel_regularizer="l2"
        ),
        layers.Activation(keras.ops.softplus),
        layers.BatchNormalization(),
        layers.Reshape((1, 5)),
        layers.Bidirectional(layers.GRU(3)),
        layers.Lambda(registered),
        Registered(registered),
    ]
    vae = vae_of(*body)
    vae.compile("adam")
    vae.optimizer.build(vae.trainable_variables)
    state = random.getstate()
    vae.save(tmp_path / "vae.keras")
    assert random.getstate() == state
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.encode(X).mean(), vae.encode(X).mean())


def test_custom_objects_in_scope_are_found():
    vae = vae_of(Unregistered(), layers.Activation(own))
    with keras.saving.custom_object_scope({"Unregistered": Unregistered, "own": own}):
        check_saving(vae)


@pytest.mark.parametrize(
    ("argument", "value", "named"),
    [
        (
            "loss",
            lambda y, rv: -rv.log_prob(y),
            r"loss contains a Python lambda.*tfvae\.losses\.negative_log_likelihood",
        ),
        ("loss", mean_squared_error, "loss has mean_squared_error .*mean_squared_error of Keras"),
        ("metrics", [mean_squared_error], "metrics"),
        ("loss", tfvae.losses.negative_log_likelihood, None),
        ("loss", "mse", None),
        ("metrics", ["mae", keras.metrics.MeanSquaredError()], None),
    ],
)
def test_loss_and_metrics_of_a_functional_model(argument, value, named):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), IndependentNormal(1)])
    model.compile("adam", **{"loss": "mse", argument: value})
    if named is None:
        check_saving(model)
    else:
        with pytest.raises(ValueError, match=named):
            check_saving(model)


def test_lambda_whose_source_is_not_known():
    # As at an interactive prompt, where Keras' own error is "could not get source code".
    loss = eval("lambda y, rv: -rv.log_prob(y)")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), IndependentNormal(1)])
    model.compile("adam", loss=loss)
    with pytest.raises(ValueError, match="loss contains a Python lambda"):
        check_saving(model)


def test_weights_are_saved_in_hdf5_and_a_model_of_hdf5_is_named(tmp_path):
    vae = vae_of()
    vae.save_weights(tmp_path / "vae.weights.h5")
    other = vae_of()
    other.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(other.encode(X).mean(), vae.encode(X).mean())
    with pytest.raises(ValueError, match="HDF5"):
        tfvae.load_model(tmp_path / "vae.weights.h5")
    with pytest.raises(ValueError, match="is a folder, but"):
        tfvae.load_model(tmp_path)


def test_every_function_of_keras_that_saves_asks(tmp_path):
    vae = vae_of(layers.Dense(3, activation=softplus))
    with pytest.raises(ValueError, match="activation=softplus"):
        keras.saving.save_model(vae, tmp_path / "model.keras")


def test_an_optimizer_that_would_not_be_found_is_named():
    class OwnOptimizer(keras.optimizers.SGD):
        pass

    vae = vae_of(layers.Dense(3))
    vae.compile(OwnOptimizer())
    with pytest.raises(ValueError, match="optimizer contains class OwnOptimizer") as refused:
        check_saving(vae)
    assert len(str(refused.value)) < 400
