"""The KL term against a prior that learns, and with a weight that moves."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae.layers import (
    DistributionLambda,
    IndependentBernoulli,
    KLDivergenceAddLoss,
    KLDivergenceRegularizer,
    MultivariateNormalDiag,
    VariableLayer,
)
from tfvae.losses import negative_log_likelihood

tfd = tfp.distributions
PACKAGE = "tests_kl_priors"
D = 2
X = np.random.default_rng(0).integers(0, 2, size=(16, 5)).astype("float32")


@keras.saving.register_keras_serializable(package=PACKAGE)
def normal_of(parameters):
    return tfd.MultivariateNormalDiag(parameters[:D], tf.nn.softplus(parameters[D:]) + 1e-3)


def keras_model_prior():
    return keras.Sequential([VariableLayer(2 * D, initializer="glorot_uniform"), DistributionLambda(normal_of)])


PRIORS = {
    "normal": lambda: tfvae.priors.Normal(D),
    "mixture": lambda: tfvae.priors.MixtureOfGaussians(D, 3),
    "flow": lambda: tfvae.priors.Flow(D),
    "keras model": keras_model_prior,
}


def functional(prior, where, **kwargs):
    inputs = keras.Input((5,))
    parameters = keras.layers.Dense(2 * D)(inputs)
    if where == "regularizer":
        regularizer = KLDivergenceRegularizer(prior, **kwargs)
        z = MultivariateNormalDiag(D, seed=1, activity_regularizer=regularizer)(parameters)
    else:
        z = KLDivergenceAddLoss(prior, **kwargs)(MultivariateNormalDiag(D, seed=1)(parameters))
    return keras.Model(inputs, IndependentBernoulli((5,))(keras.layers.Dense(5)(z)))


def weights_of(prior):
    return {id(weight) for weight in prior.trainable_weights}


@pytest.fixture(params=list(PRIORS))
def prior(request):
    return PRIORS[request.param]()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["regularizer", "add loss"])
def test_weights_of_the_prior_are_the_models_and_train(prior, where):
    model = functional(prior, where)
    ids = [id(weight) for weight in model.trainable_weights]
    assert weights_of(prior)
    assert weights_of(prior) < set(ids)
    assert len(ids) == len(set(ids))
    model.compile(keras.optimizers.Adam(1e-2), loss=negative_log_likelihood, jit_compile=False)
    before = [weight.numpy() for weight in prior.trainable_weights]
    model.fit(X, X, epochs=2, verbose=0)
    assert all(np.any(a != b.numpy()) for a, b in zip(before, prior.trainable_weights, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("where", ["regularizer", "add loss"])
def test_model_with_its_prior_survives_its_file_and_cloning(prior, where, tmp_path):
    model = functional(prior, where)
    model.compile(keras.optimizers.Adam(1e-2), loss=negative_log_likelihood, jit_compile=False)
    model.fit(X, X, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert len(loaded.trainable_weights) == len(model.trainable_weights)
    likelihoods = [m(X).log_prob(X) for m in (model, loaded)]
    np.testing.assert_array_equal(*likelihoods)
    np.testing.assert_allclose(loaded.losses, model.losses, rtol=1e-6)
    assert len(model.losses) == 1
    loaded.fit(X, X, verbose=0)
    clone = keras.models.clone_model(model)
    assert len(clone.trainable_weights) == len(model.trainable_weights)
    assert not {id(weight) for weight in clone.trainable_weights} & {id(weight) for weight in model.trainable_weights}
    clone.set_weights(model.get_weights())
    weights = tmp_path / "model.weights.h5"
    model.save_weights(weights)
    clone.load_weights(weights)
    np.testing.assert_allclose(clone(X).log_prob(X), model(X).log_prob(X), rtol=1e-5)


def test_gradient_of_the_prior_is_that_of_the_kl():
    prior = tfvae.priors.Normal(D)
    model = functional(prior, "regularizer", weight=0.5)
    posterior = keras.Model(model.inputs[0], model.layers[2].output)
    model.compile(keras.optimizers.SGD(1.0), loss=negative_log_likelihood, run_eagerly=True)
    with tf.GradientTape() as tape:
        kl = 0.5 * tf.reduce_mean(tfd.kl_divergence(posterior(X), prior.distribution()))
    expected = tape.gradient(kl, prior.trainable_weights)
    before = [tf.identity(weight) for weight in prior.trainable_weights]
    model.train_on_batch(X, X)
    for old, new, gradient in zip(before, prior.trainable_weights, expected, strict=True):
        np.testing.assert_allclose(old - new, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_prior_learns_to_be_the_aggregate_posterior():
    """For a fixed diagonal posterior the best normal prior has its mean, and its spread of means plus variance."""
    prior = tfvae.priors.Normal(D)
    inputs = keras.Input((2 * D,))
    regularizer = KLDivergenceRegularizer(prior)
    model = keras.Model(inputs, MultivariateNormalDiag(D, "mean", activity_regularizer=regularizer)(inputs))
    parameters = (
        np.random.default_rng(1).normal([1.0, -2.0, 0.3, 0.0], [1.0, 0.5, 0.0, 0.0], (64, 2 * D)).astype("float32")
    )
    model.compile(keras.optimizers.Adam(0.05), loss=lambda y, q: 0.0 * q.mean(), jit_compile=False)
    steps = tf.data.Dataset.from_tensors((parameters, parameters[:, :D])).repeat(400)
    model.fit(steps, verbose=0)
    q = model(parameters)
    mean = np.mean(q.mean(), axis=0)
    variance = np.mean(q.variance() + np.square(q.mean() - mean), axis=0)
    np.testing.assert_allclose(prior.distribution().mean(), mean, atol=1e-2)
    np.testing.assert_allclose(prior.distribution().variance(), variance, rtol=2e-2)


def test_vamp_prior_outside_the_encoder_shares_its_weights(tmp_path):
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2 * D), MultivariateNormalDiag(D, seed=1)])
    decoder = keras.Sequential([keras.Input((D,)), keras.layers.Dense(5), IndependentBernoulli((5,))])
    prior = tfvae.priors.VampPrior(encoder, 4)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, decoder(KLDivergenceAddLoss(prior)(encoder(inputs))))
    ids = [id(weight) for weight in model.trainable_weights]
    assert len(ids) == len(set(ids)) == 5  # two kernels, two biases, the pseudo-inputs
    model.compile(keras.optimizers.Adam(1e-2), loss=negative_log_likelihood, run_eagerly=True)
    model.fit(X, X, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert len({id(weight) for weight in loaded.trainable_weights}) == 5
    np.testing.assert_array_equal(model(X).log_prob(X), loaded(X).log_prob(X))
    np.testing.assert_allclose(loaded.losses, model.losses, rtol=1e-5)


# Weights that move -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "make"),
    slow_except(
        itertools.product(["regularizer", "add loss"], [tf.Variable, keras.Variable]),
        ("regularizer", tf.Variable),
        ("add loss", keras.Variable),
    ),
)
def test_weight_variable_is_read_in_every_step_and_never_trained(make, where):
    beta = make(0.0)
    model = functional(tfvae.priors.StandardNormal(D), where, weight=beta)
    model.compile(keras.optimizers.SGD(0.1), loss=negative_log_likelihood, jit_compile=False)
    assert all(weight is not beta for weight in model.trainable_weights)
    without = model.evaluate(X, X, verbose=0)
    likelihood = -np.mean(model(X).log_prob(X))
    beta.assign(1000.0)
    assert model.evaluate(X, X, verbose=0) > without + 10.0, "a compiled step sees the new value"
    assert np.isfinite(likelihood)
    model.run_eagerly = True
    model.fit(X, X, verbose=0)
    assert float(tf.convert_to_tensor(beta)) == 1000.0


def test_weight_variable_is_a_variable_again_after_loading(tmp_path):
    model = functional(tfvae.priors.StandardNormal(D), "regularizer", weight=keras.Variable(0.25))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    weight = loaded.layers[2].distribution_regularizer.weight
    assert isinstance(weight, keras.Variable)
    np.testing.assert_allclose(weight, 0.25)
    model(X)
    loaded(X)
    np.testing.assert_allclose(loaded.losses, model.losses, rtol=1e-6)
    weight.assign(0.5)
    loaded(X)
    np.testing.assert_allclose(loaded.losses[0], 2.0 * model.losses[0], rtol=1e-6)
