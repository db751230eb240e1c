"""Every estimator on data with missing values: its numbers are those of the model of the observed values alone."""

import inspect
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import LinearGaussian, make_linear_gaussian
from slow import slow_except
from small_models import random_bits
from test_enumerated import vae_of_labels
from test_partly_observed import vae_of_numbers

import tfvae
from tfvae import estimators, layers
from tfvae.estimators import Problem
from tfvae.layers._observed import Observed

tfd = tfp.distributions
MODEL = make_linear_gaussian()
COLUMNS = [0, 2, 3]
SUB = LinearGaussian(MODEL.weights[COLUMNS], MODEL.bias[COLUMNS], MODEL.sigma)
ESTIMATORS = [
    estimators.SGVB(2),
    estimators.SGVB(2, kl="monte_carlo"),
    estimators.StickingTheLanding(2),
    estimators.ImportanceWeighted(3, num_samples=2, chunk_size=2),
    estimators.DReG(3),
    estimators.DReG(4, chunk_size=2),
    estimators.MIWAE(2, 3),
    estimators.PIWAE(2, 3),
    estimators.CIWAE(3, elbo_weight=0.25),
    estimators.Renyi(0.3, 4),
    estimators.Renyi(-math.inf, 4),
    estimators.ScoreFunction(2),
    estimators.VIMCO(3),
    estimators.ReweightedWakeSleep(3),
    estimators.ReweightedWakeSleep(3, encoder_phase="both"),
    estimators.WakeSleep(2),
]
FAST = [estimators.SGVB(2), estimators.ImportanceWeighted(3, num_samples=2, chunk_size=2), estimators.WakeSleep(2)]
BY_NAME = pytest.mark.parametrize("estimator", slow_except(ESTIMATORS, *FAST), ids=repr)
MOVING = [estimators.HamiltonianELBO(2)]  # whose bound varies with exact posteriors too


def dreams(estimator):
    return getattr(estimator, "encoder_phase", "wake") != "wake" or isinstance(estimator, estimators.WakeSleep)


def test_no_estimator_is_left_out():
    public = [getattr(estimators, name) for name in estimators.__all__]
    classes = {part for part in public if inspect.isclass(part) and part is not estimators.Estimator}
    found = {part for part in classes if list(inspect.signature(part.__call__).parameters)[1:2] == ["problem"]}
    of_labels = {estimators.Enumerated, estimators.PartlyObserved}  # which have a test of their own
    assert found == {type(estimator) for estimator in ESTIMATORS + MOVING} | of_labels


def observed_likelihood(weights, mask):
    def generate(z):
        mean = tf.linalg.matmul(z, weights, transpose_b=True) + MODEL.bias
        normal = tfd.MultivariateNormalDiag(mean, tf.constant(MODEL.sigma, tf.float64, shape=[5]))
        return Observed(normal, mask)

    return generate


@BY_NAME
def test_exact_posteriors_give_log_p_of_the_observed_values(estimator):
    x = MODEL.data(6)
    mask = np.random.default_rng(1).uniform(size=x.shape) < 0.6
    mask[0], mask[1] = True, False
    covariance = MODEL.weights @ MODEL.weights.T + MODEL.sigma**2 * np.eye(5)
    expected = np.zeros(6)
    locs, trils = np.zeros((6, 3)), np.zeros((6, 3, 3))
    for i, seen in enumerate(mask):
        part = LinearGaussian(MODEL.weights[seen], MODEL.bias[seen], MODEL.sigma)
        locs[i], trils[i] = part.posterior_mean(x[i, seen]), np.linalg.cholesky(part.posterior_covariance)
        if seen.any():
            normal = tfd.MultivariateNormalFullCovariance(MODEL.bias[seen], covariance[np.ix_(seen, seen)])
            expected[i] = normal.log_prob(x[i, seen])
    posterior = tfd.MultivariateNormalTriL(tf.constant(locs), tf.constant(trils))
    problem = Problem(
        tf.constant(np.where(mask, x, 1e3)),
        posterior,
        MODEL.prior(),
        observed_likelihood(tf.constant(MODEL.weights), tf.constant(mask)),
        infer=lambda _: posterior,
    )
    found = estimator(problem, seed=3)
    if getattr(estimator, "kl", "monte_carlo") != "monte_carlo":  # log p(x|z) is that of draws, the KL is not
        np.testing.assert_allclose(found.kl, tfd.kl_divergence(posterior, MODEL.prior()), rtol=1e-9)
    else:
        np.testing.assert_allclose(found.bound, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("estimator", slow_except([*ESTIMATORS, *MOVING], *FAST, *MOVING), ids=repr)
def test_numbers_and_gradients_are_those_of_the_observed_columns(estimator):
    x = MODEL.data(4)
    mask = np.zeros(x.shape, bool)
    mask[:, COLUMNS] = True
    mean = 0.8 * SUB.posterior_mean(x[:, COLUMNS])

    def evaluate(make, x, weights):
        loc, raw_scale, weights = tf.constant(mean), tf.zeros(mean.shape, tf.float64), tf.constant(weights)
        with tf.GradientTape() as tape:
            tape.watch([loc, raw_scale, weights])
            posterior = tfd.MultivariateNormalDiag(loc, tf.nn.softplus(raw_scale))
            problem = Problem(tf.constant(x), posterior, MODEL.prior(), make(weights), infer=lambda _: posterior)
            found = estimator(problem, beta=0.7, seed=5)
            total = tf.reduce_sum(found.surrogate_loss)
        return found, tape.gradient(total, [loc, raw_scale, weights], unconnected_gradients="zero")

    def columns(weights):
        def generate(z):
            mean = tf.linalg.matmul(z, weights, transpose_b=True) + SUB.bias
            return tfd.MultivariateNormalDiag(mean, tf.constant(SUB.sigma, tf.float64, shape=[3]))

        return generate

    masked, of_masked = evaluate(
        lambda weights: observed_likelihood(weights, tf.constant(mask)), np.where(mask, x, 1e3), MODEL.weights
    )
    alone, of_alone = evaluate(columns, x[:, COLUMNS], SUB.weights)
    for name in ("bound", "log_likelihood", "kl"):
        np.testing.assert_allclose(getattr(masked, name), getattr(alone, name), rtol=1e-9, atol=1e-9, err_msg=name)
    if not dreams(estimator):  # which are other draws
        np.testing.assert_allclose(masked.surrogate_loss, alone.surrogate_loss, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(of_masked[0], of_alone[0], rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(of_masked[1], of_alone[1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(of_masked[2].numpy()[COLUMNS], of_alone[2], rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(of_masked[2].numpy()[[1, 4]], 0.0)


def bernoulli_of(likelihood, columns):
    return tfd.Bernoulli(probs=tf.gather(likelihood.mean(), columns, axis=-1))


def normal_of(likelihood, columns):
    return tfd.Normal(*(tf.gather(part, columns, axis=-1) for part in (likelihood.mean(), likelihood.stddev())))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "make", "labels", "each_of"),
    [
        (estimators.Enumerated(num_samples=2), vae_of_labels, np.array([0, -1, 2, -1, 1, -1]), bernoulli_of),
        (
            estimators.PartlyObserved(num_samples=2),
            vae_of_numbers,
            np.array([0.5, np.nan, 1.0, np.nan, -1.0, np.nan], "float32"),
            normal_of,
        ),
    ],
    ids=repr,
)
def test_bounds_given_labels_are_those_of_the_observed_columns(estimator, make, labels, each_of):
    vae = make(estimator)
    x, columns = random_bits(6, vae.event_shape), [0, 2]
    mask = np.zeros(x.shape, bool)
    mask[:, columns] = True
    masked = vae.estimate(vae.batch_of(({"x": x, "observed": mask}, labels)), seed=7)
    problem = estimator.observe(vae.problem(tf.constant(np.where(mask, x, 0.0), tf.float32)), tf.constant(labels))

    def generate(z):
        return tfd.Independent(each_of(vae.generate(z), columns), 1)

    found = estimator(problem._replace(x=tf.constant(x[:, columns]), generate=generate), seed=7)
    np.testing.assert_allclose(masked.bound, found.bound, rtol=1e-5)
    np.testing.assert_allclose(masked.surrogate_loss, found.surrogate_loss, rtol=1e-5)


@pytest.mark.parametrize("estimator", slow_except(filter(dreams, ESTIMATORS), estimators.WakeSleep(2)), ids=repr)
def test_dreams_have_the_missing_values_of_the_batch(estimator):
    """The encoder is trained on what it will see, whatever the model dreams there."""
    inputs = {name: keras.Input((8,), name=name) for name in ("x", "observed")}
    joined = keras.layers.Concatenate()([inputs["x"], inputs["observed"]])
    encoder = keras.Model(inputs, layers.MultivariateNormalDiag(2)(keras.layers.Dense(4)(joined)))
    decoder = keras.Sequential([keras.layers.Dense(8), layers.IndependentBernoulli(8)])
    vae = tfvae.models.VAE(encoder, decoder, estimator=estimator, seed=0)
    x, mask = random_bits(6, (8,)), random_bits(6, (8,), seed=1) > 0
    seen = []
    call = encoder.call
    encoder.call = lambda given, *args, **kwargs: seen.append(given) or call(given, *args, **kwargs)
    vae.estimate(vae.batch_of({"x": x, "observed": mask}), seed=0)
    assert len(seen) == 2
    for given in seen:
        np.testing.assert_array_equal(given["observed"], mask)
        np.testing.assert_array_equal(np.asarray(given["x"])[~mask], 0.0)
    assert np.any(seen[0]["x"] != seen[1]["x"])
