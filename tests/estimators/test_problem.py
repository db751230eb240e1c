"""What an estimator is given and what it returns, whatever the estimator."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian

from tfvae.estimators import (
    CIWAE,
    MIWAE,
    PIWAE,
    SGVB,
    VIMCO,
    DReG,
    Estimate,
    EstimatorWithBuild,
    EstimatorWithLayers,
    EstimatorWithUpdate,
    ImportanceWeighted,
    Problem,
    Renyi,
    ReweightedWakeSleep,
    ScoreFunction,
    StickingTheLanding,
    WakeSleep,
    averaged_elbo,
    elbo_terms,
    importance_estimate,
)
from tfvae.layers import IndependentNormal, MultivariateNormalDiag
from tfvae.models import VAE

tfd = tfp.distributions
MODEL = make_linear_gaussian()
X = tf.constant(MODEL.data(4))
PROBLEM = Problem(X, MODEL.posterior(X.numpy()), MODEL.prior(), MODEL.generate, lambda x: MODEL.posterior(x.numpy()))
ESTIMATORS = [
    SGVB(),
    StickingTheLanding(),
    ImportanceWeighted(),
    ImportanceWeighted(chunk_size=2),
    DReG(),
    DReG(chunk_size=2),
    MIWAE(),
    PIWAE(),
    CIWAE(),
    Renyi(),
    ScoreFunction(),
    VIMCO(),
    ReweightedWakeSleep(encoder_phase="both"),
    WakeSleep(),
]
TERMS = ("surrogate_loss", "bound", "log_likelihood", "kl")

# Latents that were observed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        *ESTIMATORS,
        elbo_terms,
        lambda problem: averaged_elbo(problem, num_samples=1, seed=0),
        lambda problem: importance_estimate(X, lambda x: problem, num_importance_samples=1, seed=0),
    ],
)
def test_observed_latents_are_not_ignored(use):
    label = (tf.zeros(4, tf.int32), tf.ones(4, bool))
    for observed in (label, (None, label)):
        with pytest.raises(ValueError, match=r"draws all of z.*conditions on observed latents.*Received: observed=\("):
            use(PROBLEM._replace(observed=observed))
    assert tf.compat.v1.get_variable_scope().caching_device is None  # or TFP's flows would have no eager samples


def test_parts_none_of_which_was_observed():
    plain, parts = (SGVB()(PROBLEM._replace(observed=observed), seed=1) for observed in (None, (None, None)))
    np.testing.assert_array_equal(plain.bound, parts.bound)


# Terms of its own -----------------------------------------------------------------------------------------------------


def with_terms(problem, *, beta=1.0, seed=None):
    """An estimator that reports a term more."""
    return SGVB()(problem, beta=beta, seed=seed)._replace(terms={"entropy": problem.posterior.entropy()})


def test_terms_are_empty_by_default():
    assert Estimate(*(X[:, 0] for _ in TERMS)).terms == {}
    assert SGVB()(PROBLEM, seed=0).terms == {}


def test_terms_through_a_graph_and_sliced():
    estimate = with_terms(PROBLEM, seed=1)

    @tf.function(autograph=False)
    def first(size):
        return tf.nest.map_structure(lambda term: term[:size], with_terms(PROBLEM, seed=1))

    for size in (3, 0):
        part = first(tf.constant(size))
        assert isinstance(part, Estimate)
        assert part._fields == (*TERMS, "terms")
        assert list(part.terms) == ["entropy"]
        for ours, theirs in zip(tf.nest.flatten(part), tf.nest.flatten(estimate), strict=True):
            np.testing.assert_array_equal(ours, theirs[:size])


# In a VAE -------------------------------------------------------------------------------------------------------------


class Counting:
    """SGVB with a part that learns and a count of the steps that it was told of."""

    def __init__(self):
        self.layers = (keras.layers.Dense(1),)
        self.steps = []

    def __call__(self, problem, *, beta=1.0, seed=None):
        return with_terms(problem, beta=beta, seed=seed)

    def update(self, estimate, *, beta=1.0):
        self.steps.append((estimate, float(beta)))


@pytest.fixture(scope="module")
def vae():
    encoder = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dropout(0.5), keras.layers.Dense(6), MultivariateNormalDiag(3)]
    )
    decoder = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(10), IndependentNormal(5)]
    )
    return VAE(encoder, decoder, estimator=Counting(), beta=0.5, seed=1)


def test_a_vae_makes_the_problem(vae):
    x = tf.cast(X, tf.float32)
    problem = vae.problem(x)
    assert problem.x is x
    assert problem.observed is None
    np.testing.assert_array_equal(problem.posterior.mean(), vae.encode(x).mean())
    np.testing.assert_array_equal(problem.infer(x + 1.0).mean(), vae.encode(x + 1.0).mean())
    z = tf.ones([2, 4, 3])
    np.testing.assert_array_equal(problem.prior.log_prob(z), vae.prior.distribution().log_prob(z))
    np.testing.assert_array_equal(problem.generate(z).mean(), vae.decode(z).mean())
    ours, theirs = SGVB(2)(problem, beta=0.5, seed=3), vae.estimate(x, estimator=SGVB(2), seed=3)
    np.testing.assert_array_equal(ours.surrogate_loss, theirs.surrogate_loss)


def test_a_problem_in_training_and_with_a_prior_that_is_known(vae):
    x, z = tf.ones([40, 5]), tf.ones([40, 3])
    prior = tfd.MultivariateNormalDiag(tf.ones(3))
    problem = vae.problem(x, prior=prior, training=True)
    assert problem.prior is prior
    for distribution in (problem.posterior, problem.infer(x), problem.generate(z)):  # each has dropout
        assert np.ptp(distribution.mean(), axis=0).max() > 0.0
    assert np.ptp(vae.problem(x).generate(z).mean(), axis=0).max() == 0.0


def test_layers_and_updates_are_asked_for(vae):
    for estimator in ESTIMATORS:
        assert isinstance(estimator, EstimatorWithLayers) == isinstance(estimator, ScoreFunction)
        assert isinstance(estimator, EstimatorWithUpdate) == isinstance(estimator, ScoreFunction)
    own = vae.estimator
    assert isinstance(own, EstimatorWithLayers)
    assert isinstance(own, EstimatorWithUpdate)
    assert vae.estimator_layers == list(own.layers)
    x = tf.cast(X, tf.float32)
    assert list(vae.estimate(x).terms) == ["entropy"]
    assert not own.steps
    estimate = vae.estimate(x, training=True)
    ((seen, beta),) = own.steps
    assert seen is estimate
    assert beta == 0.5
    vae.estimator = SGVB()
    assert vae.estimator_layers == []
    with pytest.raises(ValueError, match=r"passed to the constructor, VAE\(.*Received: estimator=<.*Counting"):
        vae.estimator = own
    assert vae.estimator == SGVB()


class OfShapes(Counting):
    """Builds a weight for each latent dimension."""

    def build(self, x_shape, latent_shape):
        self.shapes = x_shape, latent_shape
        self.layers[0].build((None, *latent_shape))


def test_an_estimator_that_builds_its_layers():
    encoder = keras.Sequential([keras.layers.Dense(6), MultivariateNormalDiag(3)])
    decoder = keras.Sequential([keras.layers.Dense(10), IndependentNormal(5)])
    estimator = OfShapes()
    assert isinstance(estimator, EstimatorWithBuild)
    vae = VAE(encoder, decoder, estimator=estimator)
    assert estimator.shapes == ((None, 5), (3,))
    assert estimator.layers[0].kernel.shape == (3, 1)
    assert any(weight is estimator.layers[0].kernel for weight in vae.trainable_variables)
