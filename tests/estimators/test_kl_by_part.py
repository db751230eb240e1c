"""The KL part by part, held to closed forms."""

import itertools
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae import layers, priors
from tfvae.estimators import (
    SGVB,
    DReG,
    FreeBits,
    ImportanceWeighted,
    Problem,
    ScoreFunction,
    elbo_terms,
    kl_by_part,
)
from tfvae.layers._coercion import as_distribution

tfd = tfp.distributions
GAIN, B, S = np.random.default_rng(0).normal(size=(3, 2)), 4, 4_000


def normal(loc, scale):
    return tfd.MultivariateNormalDiag(loc, scale * tf.ones_like(loc))


def times(matrix, vector):
    return tf.linalg.matvec(tf.constant(matrix), vector)


def top_down(loc, scale):
    """z1 of size 2, then z2 of size 3 given z1; loc [..., 5]."""
    return tfd.JointDistributionNamed(
        {"z1": normal(loc[..., :2], scale), "z2": lambda z1: normal(loc[..., 2:] + times(GAIN, z1), 0.6 * scale)}
    )


def bottom_up(loc, scale):
    return tfd.JointDistributionNamed(
        {"z2": normal(loc[..., 2:], scale), "z1": lambda z2: normal(loc[..., :2] + times(GAIN.T, z2), 0.6 * scale)}
    )


def moments(order, loc, scale):
    """The same distribution of the vector (z1, z2): its mean [..., 5] and covariance."""
    loc, (first, second, gain) = np.array(loc), order
    mean = loc.copy()
    mean[..., second] += loc[..., first] @ gain.T
    a = np.zeros((5, 5))
    a[first, first] = np.eye(len(gain.T))
    a[second, first], a[second, second] = gain, 0.6 * np.eye(len(gain))
    return mean, scale**2 * a @ a.T


TOP_DOWN, BOTTOM_UP = (slice(0, 2), slice(2, 5), GAIN), (slice(2, 5), slice(0, 2), GAIN.T)
MAKE = {"top down": (top_down, TOP_DOWN), "bottom up": (bottom_up, BOTTOM_UP)}
LOC = np.random.default_rng(1).normal(size=(B, 5))


def exact_kl(q_order, p_order):
    (mean_q, cov_q), (mean_p, cov_p) = moments(q_order, LOC, 0.8), moments(p_order, np.zeros(5), 1.1)
    q = tfd.MultivariateNormalTriL(mean_q, np.linalg.cholesky(cov_q))
    return tfd.kl_divergence(q, tfd.MultivariateNormalTriL(mean_p, np.linalg.cholesky(cov_p))).numpy()


@pytest.mark.parametrize(
    ("q_name", "p_name"),
    slow_except(itertools.product(MAKE, MAKE), ("top down", "top down"), ("bottom up", "top down")),
)
def test_the_sum_of_the_parts_is_the_kl(q_name, p_name):
    (make_q, q_order), (make_p, p_order) = MAKE[q_name], MAKE[p_name]
    q, p = make_q(tf.constant(LOC), 0.8), make_p(tf.zeros(5, tf.float64), 1.1)
    z = q.sample(S, seed=(3, 4))
    for kl in ("auto", "monte_carlo"):
        parts = kl_by_part(q, p, z, kl=kl)
        assert list(parts) == [name for name, _ in q.resolve_graph()]
        assert all(part.shape == (S, B) for part in parts.values())
        total = sum(parts.values()).numpy()
        error = total.std(axis=0) / np.sqrt(S)
        np.testing.assert_array_less(np.abs(total.mean(axis=0) - exact_kl(q_order, p_order)), 5 * error + 1e-9)
    np.testing.assert_allclose(total, q.log_prob(z) - p.log_prob(z))


def test_a_closed_form_only_where_the_prior_is_given_what_the_posterior_drew():
    """q draws z1, z2 and p draws z2, z1: z2's KL is exact given z1, z1's term is the difference of the logs."""
    q, p = top_down(tf.constant(LOC), 0.8), bottom_up(tf.zeros(5, tf.float64), 1.1)
    z = q.sample(6, seed=(3, 4))
    of_q, of_p = (joint.sample_distributions(value=z, seed=(0, 0))[0] for joint in (q, p))
    parts = kl_by_part(q, p, z)
    np.testing.assert_allclose(parts["z2"], tfd.kl_divergence(of_q["z2"], of_p["z2"]))
    np.testing.assert_allclose(parts["z1"], of_q["z1"].log_prob(z["z1"]) - of_p["z1"].log_prob(z["z1"]))
    assert (parts["z1"].numpy() < 0).any()


def test_the_kl_of_independent_parts_is_exact():
    def independent(loc, scale):
        return tfd.JointDistributionNamed({"a": normal(loc[..., :2], scale), "b": normal(loc[..., 2:], scale)})

    q, p = independent(tf.constant(LOC), 0.8), independent(tf.zeros(5, tf.float64), 1.1)
    parts = kl_by_part(q, p, q.sample(2, seed=(0, 1)))
    for name, loc in (("a", LOC[:, :2]), ("b", LOC[:, 2:])):
        ratio = 0.8 / 1.1
        expected = 0.5 * np.sum(ratio**2 + (loc / 1.1) ** 2 - 1 - 2 * np.log(ratio), axis=-1)
        np.testing.assert_allclose(parts[name], np.broadcast_to(expected, (2, B)))


def test_what_is_refused():
    q, p = top_down(tf.constant(LOC), 0.8), top_down(tf.zeros(5, tf.float64), 1.1)
    z = q.sample(seed=(0, 1))
    with pytest.raises(TypeError, match=r"named parts.*Received: posterior="):
        kl_by_part(normal(tf.constant(LOC), 1.0), p, z)
    with pytest.raises(ValueError, match=r"same names.*\['z1', 'z2'\].*\['a', 'z2'\]"):
        kl_by_part(q, tfd.JointDistributionNamed({"a": p.model["z1"], "z2": p.model["z1"]}), z)
    with pytest.raises(ValueError, match="kl"):
        kl_by_part(q, p, z, kl="exact")


# In estimators -----------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    problem: Problem
    variables: list[Any]


@pytest.fixture(scope="module")
def case():
    """Two layers of latents, drawn bottom up by q and top down by p; x of size 4."""

    def normal(size):
        diagonal = layers.MultivariateNormalDiag
        return keras.Sequential([keras.layers.Dense(diagonal.params_size(size)), diagonal(size)])

    keras.utils.set_random_seed(3)
    posterior = layers.Joint({"z1": normal(3), "z2": normal(2)})
    prior = priors.Joint({"z2": priors.StandardNormal(2), "z1": normal(3)})
    x = tf.constant(np.random.default_rng(0).normal(size=(B, 4)), tf.float32)

    def generate(z):
        return tfd.Independent(tfd.Normal(tf.pad(z["z1"], [[0, 0]] * (z["z1"].shape.rank - 1) + [[0, 1]]), 1.0), 1)

    problem = Problem(x, as_distribution(posterior(x)), prior.distribution(), generate)
    return Case(problem, posterior.trainable_variables + prior.trainable_variables)


REPORTING = [SGVB(2), SGVB(2, "monte_carlo"), ImportanceWeighted(2), DReG(2), ScoreFunction(2)]


@pytest.mark.parametrize("estimator", slow_except(REPORTING, *REPORTING[::2]), ids=repr)
def test_estimates_report_the_kl_of_each_part(case, estimator):
    estimate = estimator(case.problem, seed=1)
    assert list(estimate.terms) == ["kl_z1", "kl_z2"]
    assert all(term.shape == (B,) for term in estimate.terms.values())
    np.testing.assert_allclose(sum(estimate.terms.values()), estimate.kl, rtol=1e-6)


def test_the_elbo_of_parts_is_that_of_the_draws(case):
    """One problem, closed forms where they may be used and none: the means agree, the draws are the same."""
    auto, draws = (elbo_terms(case.problem, num_samples=3000, kl=kl, seed=1) for kl in ("auto", "monte_carlo"))
    np.testing.assert_array_equal(auto.log_likelihood, draws.log_likelihood)
    posterior, prior = case.problem.posterior, case.problem.prior
    z = posterior.sample(3000, seed=(1, 1))
    ratio = (posterior.log_prob(z) - prior.log_prob(z)).numpy()
    error = ratio.std(axis=0) / np.sqrt(3000)
    for terms in (auto, draws):
        np.testing.assert_array_less(np.abs(terms.kl - ratio.mean(axis=0)), 10 * error)
    with pytest.raises(NotImplementedError, match="No closed form"):
        elbo_terms(case.problem, kl="analytic", seed=0)


def test_free_bits_by_part(case):
    problem = case.problem
    terms = elbo_terms(problem, seed=1)
    means = {name: float(tf.reduce_mean(kl)) for name, kl in terms.kl_by_part.items()}
    low, high = sorted(means.values())
    nats = 0.5 * (low + high)
    penalty = FreeBits(nats).penalty(terms, problem, beta=tf.constant(2.0))
    assert penalty.shape == (B,)
    np.testing.assert_allclose(tf.reduce_mean(penalty), 2.0 * (nats + high), rtol=1e-5)


def test_other_joint_distributions_keep_their_kl():
    q, p = top_down(tf.constant(LOC), 0.8), top_down(tf.zeros(5, tf.float64), 1.1)
    problem = Problem(tf.constant(LOC), q, p, lambda z: normal(tf.concat([z["z1"], z["z2"]], -1), 1.0))
    estimate = SGVB(2)(problem, seed=1)
    assert estimate.terms == {}
