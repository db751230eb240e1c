"""Hierarchical latents: posterior and prior are TFP joint distributions whose parts depend on each other."""

import itertools

import joint_gaussian as joint
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except
from test_multi_sample import every

from tfvae._kl import exact_kl, exact_kl_or_none
from tfvae.estimators import SGVB, DReG, ImportanceWeighted, Problem, ReweightedWakeSleep, ScoreFunction

tfd = tfp.distributions
B = 4
X = tf.constant(joint.MODEL.data(B, seed=2))
LOG_MARGINAL = joint.MODEL.log_marginal(X.numpy())
EVERY = [*every(3, 2), SGVB(), ScoreFunction()]
# Draws by a path, in chunks, with a gradient stopped in the posterior, by a score, and dreams.
ONE_OF_EACH_KIND = [ImportanceWeighted(3, 2, chunk_size=2), DReG(3, 2), ScoreFunction(), ReweightedWakeSleep(3, "both")]


@pytest.mark.parametrize("estimator", slow_except(EVERY, *ONE_OF_EACH_KIND), ids=repr)
def test_the_exact_posterior_makes_every_bound_log_marginal(estimator):
    problem = Problem(X, joint.posterior(X), joint.prior(), joint.generate, infer=lambda x: joint.posterior(x))
    estimate = estimator(problem, beta=0.7, seed=3)
    np.testing.assert_allclose(estimate.bound, LOG_MARGINAL, rtol=1e-10)
    for value in tf.nest.flatten(estimate):
        assert value.shape == (B,)


OF_A_GRADIENT = [SGVB(2), DReG(3), ImportanceWeighted(5, chunk_size=2)]


@pytest.mark.parametrize("estimator", slow_except(OF_A_GRADIENT, *OF_A_GRADIENT[1:]), ids=repr)
def test_gradients_are_those_of_one_flat_z(estimator):
    """By the scale's factor of the posterior, with the same noise: z in two parts, or u in one piece."""
    tril = np.linalg.cholesky(joint.MODEL.posterior_covariance)
    factor = tf.constant(1.3, tf.float64)

    def of(posterior, prior, generate):
        with tf.GradientTape() as tape:
            tape.watch(factor)
            estimate = estimator(Problem(X, posterior(), prior, generate), beta=0.6, seed=5)
        return *tf.nest.flatten(estimate), tape.gradient(estimate.surrogate_loss, factor)

    class Flat(tfd.MultivariateNormalTriL):
        """The draws of the joint distribution as one vector."""

        def sample(self, sample_shape=(), seed=None, name="sample", **kwargs):
            first, second = joint.posterior(X, factor).sample(sample_shape, seed=seed)
            return tf.concat([first, second - tf.linalg.matvec(tf.constant(joint.COUPLING), first)], axis=-1)

        def experimental_sample_and_log_prob(self, sample_shape=(), seed=None, name="both", **kwargs):
            z = self.sample(sample_shape, seed=seed)
            return z, self.log_prob(z)

    mean = tf.constant(joint.MODEL.posterior_mean(X.numpy()))
    flat = of(lambda: Flat(mean, factor * tril), joint.MODEL.prior(), joint.MODEL.generate)
    parts = of(lambda: joint.posterior(X, factor), joint.prior(), joint.generate)
    # The flat posterior knows its KL, the joint one has that of its draws.
    names = ("surrogate_loss", "bound", "log_likelihood", "kl", "gradient")
    compared = ["log_likelihood"] if isinstance(estimator, SGVB) else ["surrogate_loss", "bound", "gradient"]
    for name, ours, theirs in zip(names, parts, flat, strict=True):
        if name in compared:
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, err_msg=name)


def test_no_closed_form_of_dependent_parts():
    with pytest.raises(NotImplementedError, match=r"No closed form.*monte_carlo"):
        SGVB(kl="analytic")(Problem(X, joint.posterior(X), joint.prior(), joint.generate))
    kl = SGVB(4000)(Problem(X, joint.posterior(X, 0.8), joint.prior(), joint.generate), seed=1).kl
    exact = joint.MODEL.kl(joint.MODEL.posterior_mean(X.numpy()), 0.64 * joint.MODEL.posterior_covariance)
    np.testing.assert_allclose(kl, exact, atol=0.2)


# KL of joint distributions ------------------------------------------------------------------------------------------

LOC = np.random.default_rng(1).normal(size=(B, 5))
SCALE, PRIOR_SCALE = np.array([0.5, 0.6, 0.7, 0.8, 0.9]), np.array([1.0, 1.1, 1.2, 1.3, 1.4])


def normal(part, loc=LOC, scale=SCALE):
    return tfd.Normal(loc[..., part], scale[part])


def independent(*arguments):
    return tfd.Independent(normal(*arguments), 1)


FIRST, SECOND = slice(0, 2), slice(2, 5)
OF_PRIOR = (np.zeros(5), PRIOR_SCALE)
POSTERIORS = {
    "sequential": lambda: tfd.JointDistributionSequential([independent(FIRST), independent(SECOND)]),
    "with batch axes": lambda: tfd.JointDistributionSequential(
        [independent(FIRST), independent(SECOND)], batch_ndims=1
    ),
    "auto-batched": lambda: tfd.JointDistributionSequentialAutoBatched([normal(FIRST), normal(SECOND)], batch_ndims=1),
    "a function of nothing": lambda: tfd.JointDistributionSequential([independent(FIRST), lambda: independent(SECOND)]),
}
PRIORS = {
    "sequential": lambda: tfd.JointDistributionSequential(
        [independent(FIRST, *OF_PRIOR), independent(SECOND, *OF_PRIOR)]
    ),
    "another spelling": lambda: tfd.JointDistributionSequential(
        [independent(FIRST, *OF_PRIOR), tfd.MultivariateNormalDiag(np.zeros(3), PRIOR_SCALE[SECOND])]
    ),
    "auto-batched": lambda: tfd.JointDistributionSequentialAutoBatched(
        [normal(FIRST, *OF_PRIOR), normal(SECOND, *OF_PRIOR)]
    ),
}
KL = np.sum(0.5 * ((SCALE**2 + LOC**2) / PRIOR_SCALE**2 - 1) - np.log(SCALE / PRIOR_SCALE), axis=1)


@pytest.mark.parametrize(
    ("posterior", "prior"),
    slow_except(
        itertools.product(POSTERIORS, PRIORS),
        ("sequential", "another spelling"),
        ("with batch axes", "sequential"),
        ("auto-batched", "auto-batched"),
        ("auto-batched", "sequential"),
        ("a function of nothing", "sequential"),
    ),
)
def test_kl_of_independent_parts(posterior, prior):
    np.testing.assert_allclose(exact_kl(POSTERIORS[posterior](), PRIORS[prior]()), KL, rtol=1e-12)


def test_kl_of_named_parts_goes_by_their_names():
    posterior = tfd.JointDistributionNamed({"b": independent(SECOND), "a": independent(FIRST)})
    prior = tfd.JointDistributionNamed({"a": independent(FIRST, *OF_PRIOR), "b": independent(SECOND, *OF_PRIOR)})
    np.testing.assert_allclose(exact_kl(posterior, prior), KL, rtol=1e-12)
    nested = tfd.JointDistributionSequential([posterior, independent(FIRST)])
    of_nested = tfd.JointDistributionSequential([prior, independent(FIRST)])
    np.testing.assert_allclose(exact_kl(nested, of_nested), KL, rtol=1e-12)


def test_kl_of_what_is_not_known_to_be_independent():
    dependent = tfd.JointDistributionSequential([independent(FIRST), lambda z: normal(FIRST, z)])

    @tfd.JointDistributionCoroutineAutoBatched
    def coroutine():
        yield normal(FIRST, *OF_PRIOR)
        yield normal(SECOND, *OF_PRIOR)

    flat = tfd.MultivariateNormalDiag(np.zeros(5))
    for pair in ((dependent, dependent), (POSTERIORS["sequential"](), coroutine), (dependent, flat)):
        assert exact_kl_or_none(*pair) is None
