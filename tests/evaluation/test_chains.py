"""Markov chains over latents of every kind: where z is free of constraints, and log p(x) by quadrature."""

import itertools

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae import evaluation, layers
from tfvae.evaluation._chains import can_run_chains, support_of
from tfvae.evaluation._simplex import Simplex

tfd = tfp.distributions

MEANS = np.array([[1.5, -0.5], [-1.0, 2.0], [0.3, 0.4]])  # of x, for each of the three numbers that a decoder sees
SIGMA = 0.6
X = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")


def model_of(posterior_layer, prior, size):
    """p(x|z) = N(z @ MEANS, SIGMA^2), with an encoder that knows nothing of x."""
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(posterior_layer.parameters_size)])
    encoder.layers[-1].kernel.assign(0.0 * encoder.layers[-1].kernel)
    encoder.add(posterior_layer)
    decoder = keras.Sequential([keras.Input((size,)), keras.layers.Dense(4), layers.IndependentNormal(2)])
    kernel = np.concatenate([MEANS[:size], np.zeros((size, 2))], axis=1)
    decoder.layers[0].set_weights([kernel, np.concatenate([np.zeros(2), np.full(2, np.log(np.expm1(SIGMA)))])])
    return tfvae.models.VAE(encoder, decoder, prior, seed=0)


def log_likelihood(z, x):
    """`[..., N]` of z `[..., D]`."""
    difference = x - (z @ MEANS[: z.shape[-1]])[..., np.newaxis, :]
    return -0.5 * np.sum(difference**2 / SIGMA**2 + np.log(2 * np.pi * SIGMA**2), axis=-1)


def log_marginal_on_the_line(log_prior, x):
    """Of a z of two numbers, by a grid."""
    axis = np.linspace(-8.0, 8.0, 201)
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    log_joint = log_likelihood(z, x.astype("float64")) + log_prior(z)[..., np.newaxis]
    return scipy.special.logsumexp(log_joint, axis=(0, 1)) + 2 * np.log(axis[1] - axis[0])


def log_marginal_of_shares(log_prior, x):
    """Of three shares, by a grid of their first two."""
    n = 800
    axis = (np.arange(n) + 0.5) / n
    first, second = (part.ravel() for part in np.meshgrid(axis, axis, indexing="ij"))
    inside = first + second < 1.0
    z = np.stack([first, second, 1.0 - first - second], axis=-1)[inside]
    log_joint = log_likelihood(z, x.astype("float64")) + log_prior(z)[:, np.newaxis]
    return scipy.special.logsumexp(log_joint, axis=0) - 2 * np.log(n)


def mixture_vae():
    prior = tfvae.priors.MixtureOfGaussians(2, 3, seed=1)
    vae = model_of(layers.MultivariateNormalDiag(2), prior, 2)
    prior.loc.assign([[2.0, 0.0], [-1.5, 1.0], [0.0, -2.0]])
    prior.logits.assign([0.5, 0.0, -0.5])
    distribution = prior.distribution()
    return vae, log_marginal_on_the_line(lambda z: distribution.log_prob(z.astype("float32")).numpy(), X)


def vamp_vae():
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), layers.MultivariateNormalDiag(2)])
    keras.utils.set_random_seed(2)
    prior = tfvae.priors.VampPrior(encoder, 4)
    vae = tfvae.models.VAE(encoder, model_of(layers.MultivariateNormalDiag(2), None, 2).decoder, prior, seed=0)
    distribution = prior.distribution()
    return vae, log_marginal_on_the_line(lambda z: distribution.log_prob(z.astype("float32")).numpy(), X)


def dirichlet_vae():
    concentration = np.array([1.5, 2.0, 3.0])
    vae = model_of(layers.GenericDistribution(tfd.Dirichlet, 3), tfd.Dirichlet(concentration.astype("float32")), 3)
    return vae, log_marginal_of_shares(lambda z: tfd.Dirichlet(concentration).log_prob(z).numpy(), X)


def concrete_vae():
    prior = tfd.RelaxedOneHotCategorical(0.9, logits=[0.3, 0.0, -0.4])
    exact = tfd.RelaxedOneHotCategorical(np.float64(0.9), logits=np.array([0.3, 0.0, -0.4]))
    layer = layers.GenericDistribution(tfd.RelaxedOneHotCategorical, 3, fixed={"temperature": 0.9})
    return model_of(layer, prior, 3), log_marginal_of_shares(lambda z: exact.log_prob(z).numpy(), X)


MODELS = {"mixture": mixture_vae, "VampPrior": vamp_vae, "Dirichlet": dirichlet_vae, "concrete": concrete_vae}
CHAINS = {
    "ais": lambda vae: evaluation.log_marginal_ais(vae, X, num_chains=64, num_steps=40, num_leapfrog_steps=3),
    "hmc": lambda vae: evaluation.log_marginal_hmc(vae, X, num_samples=150, num_burnin=100, max_tree_depth=3),
}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "chains"), itertools.product(MODELS, CHAINS))
def test_log_marginal_by_quadrature(model, chains):
    vae, expected = MODELS[model]()
    record = CHAINS[chains](vae)
    error = np.sqrt(record.monte_carlo_variance)
    np.testing.assert_array_less(np.abs(record.per_example - expected), 5 * error + 1e-3)
    assert np.all(error < 0.3)


@pytest.mark.slow
def test_both_sides_of_a_mixture():
    vae, _ = mixture_vae()
    prior = vae.prior.distribution()
    bounds = evaluation.bidirectional_ais(vae, num_examples=60, num_chains=16, num_steps=60)
    truth = log_marginal_on_the_line(lambda z: prior.log_prob(z.astype("float32")).numpy(), bounds.x)
    for excess in (truth - bounds.lower.per_example, bounds.upper.per_example - truth):
        assert excess.mean() > -5 * excess.std(ddof=1) / np.sqrt(60)
    assert bounds.gap.mean > 0.0


def test_the_simplex():
    u = tf.constant(np.random.default_rng(3).normal(size=(4, 2)))
    simplex = Simplex()
    z = simplex.forward(u)
    np.testing.assert_allclose(np.sum(z, axis=-1), 1.0)
    np.testing.assert_allclose(simplex.inverse(tf.identity(z)), u, atol=1e-12)
    with tf.GradientTape() as tape:
        tape.watch(u)
        first = tf.nn.softmax(tf.concat([u, tf.zeros_like(u[:, :1])], -1))[:, :2]
    determinant = np.linalg.slogdet(tape.batch_jacobian(first, u))[1]
    np.testing.assert_allclose(simplex.forward_log_det_jacobian(u, event_ndims=1), determinant, rtol=1e-12)
    assert simplex.forward_event_shape([2]) == [3]
    assert simplex.inverse_event_shape([3]) == [2]
    np.testing.assert_array_equal(simplex.forward_event_shape_tensor([2]), [3])
    np.testing.assert_array_equal(simplex.inverse_event_shape_tensor([3]), [2])


def mixture_of(components):
    return tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 0.0]), components)


def independent(distribution):
    return tfd.Independent(distribution, 1)


KNOWN = {
    "mixture of gammas": lambda: mixture_of(independent(tfd.Gamma(tf.ones([2, 3]), 1.0))),
    "mixture of Dirichlets": lambda: mixture_of(tfd.Dirichlet(tf.ones([2, 3]))),
    "list of normals": lambda: tfd.Mixture(
        tfd.Categorical(logits=[0.0, 0.0]),
        [tfd.MultivariateNormalDiag(tf.zeros(2)), tfd.MultivariateNormalTriL(tf.zeros(2), tf.eye(2))],
    ),
    "ExpConcrete": lambda: tfd.ExpRelaxedOneHotCategorical(0.7, logits=tf.zeros(3)),
    "flow": lambda: tfvae.priors.Flow(2).distribution(),
}
UNKNOWN = {
    "one-hot": lambda: tfd.OneHotCategorical(logits=tf.zeros(3), dtype=tf.float32),
    "bits": lambda: independent(tfd.Bernoulli(logits=tf.zeros(3), dtype=tf.float32)),
    "mixture of one-hots": lambda: mixture_of(tfd.OneHotCategorical(logits=tf.zeros([2, 3]), dtype=tf.float32)),
    "mixture of unequal supports": lambda: mixture_of(
        independent(tfd.Uniform(tf.zeros([2, 3]), [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]))
    ),
    "list of unequal supports": lambda: tfd.Mixture(
        tfd.Categorical(logits=[0.0, 0.0]), [independent(tfd.Uniform(tf.zeros(2), high)) for high in (1.0, 2.0)]
    ),
    "sphere": lambda: tfd.VonMisesFisher([1.0, 0.0, 0.0], 2.0),
    "scaled shares": lambda: tfd.TransformedDistribution(tfd.Dirichlet([1.0, 2.0]), tfp.bijectors.Scale(2.0)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_supports_that_are_known(name):
    prior = KNOWN[name]()
    z = prior.sample(6, seed=(1, 2))
    support = support_of(prior)
    np.testing.assert_allclose(support.forward(support.inverse(tf.identity(z))), z, rtol=1e-4, atol=1e-5)
    assert can_run_chains(prior)


@pytest.mark.parametrize("name", UNKNOWN)
def test_supports_that_are_not(name):
    prior = UNKNOWN[name]()
    assert not can_run_chains(prior)
    with pytest.raises(ValueError, match=r"needs continuous latents.*None is known.*Use log_marginal.*prior="):
        support_of(prior)


@pytest.mark.parametrize("is_discrete", [True, False])
def test_log_marginal_names_chains_only_where_there_are_some(is_discrete):
    if is_discrete:
        prior = tfd.OneHotCategorical(logits=[0.0, 1.0, 2.0], dtype=tf.float32)
        vae = model_of(layers.OneHotCategorical(3), prior, 3)
        vae.encoder.layers[-2].bias.assign([0.0, 0.0, -6.0])
    else:
        vae = model_of(layers.MultivariateNormalDiag(2), None, 2)
        vae.encoder.layers[-2].bias.assign([0.0, 0.0, -5.0, -5.0])
    with pytest.warns(UserWarning, match="log_marginal is unreliable") as caught:
        evaluation.log_marginal(vae, X, num_importance_samples=1000)
    assert ("log_marginal_ais" in str(caught[0].message)) != is_discrete
