"""The Hamiltonian ELBO by itself: the map of the leapfrog steps, its weights, closed forms and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian
from slow import slow_except

from tfvae._dtype_policy import dtype_policy
from tfvae.estimators import (
    EstimatorWithBuild,
    EstimatorWithLayers,
    EstimatorWithProposal,
    FreeBits,
    HamiltonianELBO,
    KLPenalty,
    Problem,
)
from tfvae.estimators._leapfrog import evolved, slope_of
from tfvae.priors import PoincareNormal

tfd = tfp.distributions
MODEL = make_linear_gaussian()
B, D, X = 4, 3, 5
TEMPERINGS = ["fixed", "free", "none"]
STEP_SIZES = np.array([0.11, 0.17, 0.08])  # of the three elements
LOC_SHIFT, SCALE = np.array([0.2, -0.1, 0.3]), np.array([0.6, 0.7, 0.5])


def hamiltonian(num_steps=3, **arguments):
    """An estimator in float64 whose step sizes, and factors of free tempering, are not equal."""
    with dtype_policy("float64"):
        estimator = HamiltonianELBO(num_steps, **{"temperature": 1.7, **arguments})
        estimator.build((None, X), (D,))
    dynamics = estimator.layers[0]
    if "step_size" not in arguments:
        dynamics.raw_step_size.assign(np.log(STEP_SIZES / (0.5 - STEP_SIZES)))
    if estimator.tempering == "free":
        dynamics.raw_tempering.assign_add(0.5 * np.arange(num_steps))
    return estimator


def misfit(batch_size=B):
    """A linear-Gaussian problem with a diagonal posterior that is shifted and too wide."""
    x = MODEL.data(batch_size)
    loc = 0.8 * MODEL.posterior_mean(x) + LOC_SHIFT
    posterior = tfd.MultivariateNormalDiag(loc, np.broadcast_to(SCALE, loc.shape))
    return Problem(tf.constant(x), posterior, MODEL.prior(), MODEL.generate), loc


def nonlinear(batch_size=2):
    """A problem whose potential is not quadratic, with a decoder of two layers."""
    rng = np.random.default_rng(5)
    first, second = (tf.constant(rng.normal(size=shape)) for shape in ((D, 4), (4, X)))

    def generate(z):
        hidden = tf.tanh(tf.einsum("...d,dh->...h", z, first))
        return tfd.Independent(tfd.Bernoulli(logits=tf.einsum("...h,hx->...x", hidden, second)), 1)

    x = tf.constant(rng.integers(0, 2, size=(batch_size, X)).astype("float64"))
    posterior = tfd.MultivariateNormalDiag(rng.normal(size=(batch_size, D)), np.full((batch_size, D), 0.7))
    return Problem(x, posterior, MODEL.prior(), generate)


# The map ------------------------------------------------------------------------------------------------------------


def moved(estimator, problem, u):
    dynamics = estimator.layers[0]
    path = {"step_size": dynamics.step_size(u.dtype), "factors": dynamics.factors(u.dtype)}
    return tf.stack(evolved(u[..., 0, :], u[..., 1, :], slope_of(problem), **path)[:2], axis=-2)


@pytest.mark.parametrize("tempering", slow_except(TEMPERINGS, "fixed"))
def test_the_determinant_is_that_of_automatic_differentiation(tempering):
    """Also of one element at a time: a wrong sign or axis would not show in a symmetric map."""
    problem, estimator = nonlinear(), hamiltonian(3, tempering=tempering)
    u = tf.constant(np.random.default_rng(1).normal(size=(2, 2, D)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(u)
        end = moved(estimator, problem, u)
    jacobian = tf.reshape(tape.batch_jacobian(end, u, experimental_use_pfor=False), [2, 2 * D, 2 * D])
    factors = np.array([float(factor) for factor in estimator.layers[0].factors(tf.float64)])
    expected = D * np.sum(np.log(factors))
    np.testing.assert_allclose(tf.linalg.slogdet(jacobian)[1], expected, atol=1e-10)
    assert (expected == 0.0) == (tempering == "none")
    if tempering == "fixed":
        first = 1 / np.prod(factors)
        np.testing.assert_allclose(first, 1.7**0.5, rtol=1e-7)
        roots = first + (1 - first) * (np.arange(4) / 3) ** 2  # 1 / sqrt(beta_k)
        np.testing.assert_allclose(factors, roots[1:] / roots[:-1], rtol=1e-12)


def test_without_tempering_the_map_is_reversible_and_keeps_the_energy():
    problem = nonlinear()
    u = tf.constant(np.random.default_rng(1).normal(size=(2, 2, D)))
    estimator = hamiltonian(3, tempering="none")
    flipped = tf.constant([[1.0], [-1.0]], tf.float64)  # the sign of the momentum
    back = moved(estimator, problem, moved(estimator, problem, u) * flipped) * flipped
    np.testing.assert_allclose(back, u, atol=1e-13)

    def energy(u):
        z, rho = u[..., 0, :], u[..., 1, :]
        log_joint = problem.generate(z).log_prob(problem.x) + problem.prior.log_prob(z)
        return 0.5 * tf.reduce_sum(rho**2, -1) - log_joint

    errors = []
    for num_steps in (4, 8, 16):  # of the same path, in smaller steps: the error falls with the square of the step
        estimator = hamiltonian(num_steps, tempering="none", step_size=1.0 / num_steps)
        errors.append(np.abs(energy(moved(estimator, problem, u)) - energy(u)))
    np.testing.assert_allclose(np.array(errors[:2]) / np.array(errors[1:]), 4.0, rtol=0.15)


@pytest.mark.parametrize("tempering", slow_except(TEMPERINGS, "free"))
def test_a_density_is_that_of_the_draw(tempering):
    """Retracing the path of a draw finds its first position and momentum."""
    proposal = hamiltonian(4, tempering=tempering).with_proposal(nonlinear())
    u, log_prob = proposal.posterior.experimental_sample_and_log_prob([3], seed=(1, 2))
    assert u.shape == (3, 2, 2, D)
    np.testing.assert_allclose(proposal.posterior.log_prob(tf.identity(u)), log_prob, atol=1e-11)
    np.testing.assert_array_equal(proposal.posterior.sample([3], seed=(1, 2)), u)
    assert np.ptp(log_prob) > 1.0


def test_chunks_change_nothing():
    problem, estimator = nonlinear(), hamiltonian(2)
    whole = estimator.with_proposal(problem).posterior.experimental_sample_and_log_prob([7], seed=(3, 4))
    for chunk_size in (1, 3, tf.constant(100)):
        chunked = estimator.with_proposal(problem, chunk_size=chunk_size).posterior
        for ours, theirs in zip(chunked.experimental_sample_and_log_prob([7], seed=(3, 4)), whole, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


# Weights and bounds -------------------------------------------------------------------------------------------------


def exact_bound(x, loc, step_size, factors):
    """The bound of a linear map: log p(x) - KL between the two normals of (z, rho), each example by itself."""
    precision, eye, none = np.linalg.inv(MODEL.posterior_covariance), np.eye(D), np.zeros((D, D))
    kick = np.block([[eye, none], [-0.5 * step_size[:, None] * precision, eye]])
    drift = np.block([[eye, np.diag(step_size)], [none, eye]])
    steps = np.eye(2 * D)
    for factor in factors:
        steps = np.diag(np.repeat([1.0, factor], D)) @ kick @ drift @ kick @ steps
    covariance = steps @ np.diag(np.concatenate([SCALE**2, np.full(D, np.prod(factors) ** -2.0)])) @ steps.T
    target = np.block([[MODEL.posterior_covariance, none], [none, eye]])
    mean = np.concatenate([loc - MODEL.posterior_mean(x), np.zeros_like(loc)], axis=-1) @ steps.T
    spread = np.trace(np.linalg.solve(target, covariance)) - 2 * D
    log_dets = np.linalg.slogdet(target)[1] - np.linalg.slogdet(covariance)[1]
    kl = 0.5 * (spread + log_dets + np.sum(mean * np.linalg.solve(target, mean.T).T, axis=-1))
    return MODEL.log_marginal(x) - kl


def log_weights(estimator, problem, num_draws, seed=0):
    proposal = estimator.with_proposal(problem)
    u, log_q = proposal.posterior.experimental_sample_and_log_prob([num_draws], seed=seed)
    return (proposal.generate(u).log_prob(problem.x) + proposal.prior.log_prob(u) - log_q).numpy()


def test_each_step_moves_a_misfit_posterior_closer():
    """The bound has a closed form here. Each of three steps is worth 0.2 nats at least, of 3.6 that are missing."""
    problem, loc = misfit()
    bounds = [MODEL.elbo(problem.x.numpy(), loc, np.diag(SCALE**2))]
    for num_steps in (1, 2, 3):
        estimator = hamiltonian(num_steps)
        factors = [float(factor) for factor in estimator.layers[0].factors(tf.float64)]
        bounds.append(exact_bound(problem.x.numpy(), loc, STEP_SIZES, factors))
        log_w = log_weights(estimator, problem, 20_000)
        errors = log_w.std(axis=0) / np.sqrt(len(log_w))
        np.testing.assert_array_less(np.abs(log_w.mean(axis=0) - bounds[-1]), 5 * errors)
        assert errors.max() < 0.05
    assert np.all(bounds[-1] < MODEL.log_marginal(problem.x.numpy()))
    assert np.all(np.diff(np.mean(bounds, axis=1)) > 0.2)


@pytest.mark.parametrize("tempering", slow_except(TEMPERINGS, "free"))
def test_weights_average_to_the_marginal_likelihood(tempering):
    problem, _ = misfit()
    log_w = log_weights(hamiltonian(2, tempering=tempering), problem, 20_000)
    weights = np.exp(log_w - MODEL.log_marginal(problem.x.numpy()))  # of mean one
    errors = weights.std(axis=0) / np.sqrt(len(weights))
    assert errors.max() < 0.05
    np.testing.assert_array_less(np.abs(weights.mean(axis=0) - 1.0), 5 * errors)


@pytest.mark.parametrize("tempering", slow_except(TEMPERINGS, "fixed"))
def test_without_a_step_it_is_the_elbo(tempering):
    """Whatever the temperature: rho_0 is wide, and is narrow again at the end."""
    problem, _ = misfit()
    estimator = hamiltonian(3, step_size=1e-9, tempering=tempering, num_samples=6)
    estimate = estimator(problem, beta=0.3, seed=4)
    proposal = estimator.with_proposal(problem)
    z = proposal.posterior.sample(6, seed=2)[..., 0, :]
    plain = MODEL.generate(z).log_prob(problem.x) + problem.prior.log_prob(z) - problem.posterior.log_prob(z)
    np.testing.assert_allclose(log_weights(estimator, problem, 6, seed=2), plain, atol=1e-6)
    np.testing.assert_allclose(estimate.bound, estimate.log_likelihood - estimate.kl, rtol=1e-12)
    np.testing.assert_allclose(estimate.surrogate_loss, 0.3 * estimate.kl - estimate.log_likelihood, rtol=1e-12)
    exact = Problem(problem.x, MODEL.posterior(problem.x), problem.prior, MODEL.generate)
    np.testing.assert_allclose(estimator(exact, seed=4).bound, MODEL.log_marginal(problem.x.numpy()), rtol=1e-6)


def test_the_estimate_is_the_mean_of_the_log_weights():
    problem = nonlinear()
    one, several = hamiltonian(2), hamiltonian(2, num_samples=5)
    with_beta, without = (several(problem, beta=beta, seed=3) for beta in (0.4, 1.0))
    np.testing.assert_array_equal(with_beta.bound, without.bound)
    np.testing.assert_allclose(without.surrogate_loss, -without.bound, rtol=1e-12)
    for value in one(problem, seed=3)[:4]:
        assert value.shape == (2,)
        assert value.dtype == tf.float64
    assert isinstance(one, EstimatorWithBuild)
    assert isinstance(one, EstimatorWithLayers)
    assert isinstance(one, EstimatorWithProposal)


# Gradients ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tempering", slow_except(TEMPERINGS, "fixed"))
def test_gradients_against_central_differences(tempering):
    """Of the posterior, the decoder, the step sizes and the tempering, with second derivatives of the decoder."""
    x, estimator = nonlinear().x, hamiltonian(2, tempering=tempering, num_samples=2)
    rng = np.random.default_rng(3)
    shapes = {"loc": (2, D), "raw_scale": (2, D), "first": (D, 4), "second": (4, X)}
    values = {name: tf.Variable(rng.normal(size=shape)) for name, shape in shapes.items()}
    values |= {variable.name: variable.value for variable in estimator.layers[0].trainable_variables}

    @tf.function
    def loss():
        posterior = tfd.MultivariateNormalDiag(values["loc"] + 0.0, tf.nn.softplus(values["raw_scale"]))

        def generate(z):
            hidden = tf.tanh(tf.einsum("...d,dh->...h", z, values["first"]))
            return tfd.Independent(tfd.Bernoulli(logits=tf.einsum("...h,hx->...x", hidden, values["second"])), 1)

        problem = Problem(x, posterior, MODEL.prior(), generate)
        return tf.reduce_sum(estimator(problem, beta=0.7, seed=(4, 5)).surrogate_loss)

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, list(values.values()))
    step = 1e-5
    for (name, variable), gradient in zip(values.items(), gradients, strict=True):
        before = np.array(variable.numpy())
        differences = np.zeros_like(before)
        for index in np.ndindex(before.shape):
            ends = []
            for sign in (1, -1):
                after = before.copy()
                after[index] += sign * step
                variable.assign(after)
                ends.append(float(loss()))
            differences[index] = (ends[0] - ends[1]) / (2 * step)
        variable.assign(before)
        np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8, err_msg=name)
        assert np.all(np.abs(gradient) > 1e-5), name


def test_xla_computes_the_same_map_and_second_derivatives():
    """XLA draws other normal numbers, so the first position and momentum are given."""
    problem, estimator = nonlinear(), hamiltonian(2)
    u = tf.constant(np.random.default_rng(1).normal(size=(2, 2, D)))
    sources = [u, estimator.layers[0].raw_step_size.value, estimator.layers[0].raw_tempering.value]

    def end_and_gradients():
        with tf.GradientTape() as tape:
            tape.watch(sources)
            end = moved(estimator, problem, u)
            loss = tf.reduce_sum(end**3)
        return [end, *tape.gradient(loss, sources)]

    for ours, theirs in zip(tf.function(end_and_gradients, jit_compile=True)(), end_and_gradients(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


# What it refuses ----------------------------------------------------------------------------------------------------


def test_latents_that_cannot_move():
    x, prior, generate = tf.zeros([2, X]), MODEL.prior(tf.float32), MODEL.generate
    estimator = HamiltonianELBO()
    bits = tfd.Independent(tfd.Bernoulli(logits=tf.zeros([2, D])), 1)
    with pytest.raises(ValueError, match=r"HamiltonianELBO differentiates.*not reparameterised"):
        estimator(Problem(x, bits, bits, generate))
    joint = tfd.JointDistributionSequential([prior, prior])
    with pytest.raises(ValueError, match=r"HamiltonianELBO moves z.*one tensor.*Received: latents of event_shape="):
        estimator(Problem(x, joint, joint, generate))
    normal = tfd.MultivariateNormalDiag(tf.zeros([2, D]), tf.ones(D))
    ones = tf.ones(D)
    positive = (tfd.Beta(ones, ones), tfd.LogNormal(ones, 1.0), tfd.Kumaraswamy(ones, 2.0))
    independent = [tfd.Independent(each, 1) for each in positive]
    for other in (*independent, tfd.SphericalUniform(D), tfd.Dirichlet(ones), PoincareNormal(D).distribution()):
        with pytest.raises(ValueError, match=r"HamiltonianELBO moves z.*any real numbers.*Received: <tfp\."):
            estimator(Problem(x, normal, other, generate))
    flow = tfd.TransformedDistribution(prior, tfp.bijectors.Shift(1.0))
    mixture = tfd.MixtureSameFamily(tfd.Categorical([0.0, 0.0]), tfd.MultivariateNormalDiag(tf.zeros([2, D])))
    for other in (flow, mixture, tfd.Sample(tfd.Normal(0.0, 1.0), D)):
        assert np.all(np.isfinite(estimator(Problem(x, normal, other, generate), seed=1).bound))


def test_a_weighting_of_the_kl():
    problem, _ = misfit()
    with pytest.raises(TypeError, match=r"needs an estimator whose loss has a separate KL term"):
        hamiltonian()(problem, beta=KLPenalty(FreeBits(0.1), tf.constant(1.0)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_steps": 0}, "`num_steps` must be an integer of at least 1. Received: num_steps=0"),
        ({"num_samples": 2.5}, "`num_samples` must be an integer"),
        ({"step_size": 0.5}, "`step_size` must be a finite number, above 0 and below 0.5. Received: step_size=0.5"),
        ({"step_size": 0.0}, "`step_size` must be a finite number, above 0"),
        ({"max_step_size": -1}, "`max_step_size` must be a finite number, above 0. Received: max_step_size=-1"),
        ({"temperature": 1.0}, "`temperature` must be a finite number, above 1. Received: temperature=1"),
        ({"tempering": "quadratic"}, "must be 'fixed', 'free' or 'none'. Received: tempering='quadratic'"),
        ({"tempering": None}, "Received: tempering=None"),
        ({"trainable": 1}, "`trainable` must be True or False. Received: trainable=1"),
    ],
)
def test_impossible_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        HamiltonianELBO(**arguments)


def test_configuration():
    estimator = HamiltonianELBO(np.int64(4), step_size=np.float32(0.25), tempering="free", trainable=False)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(estimator))
    assert (
        repr(again)
        == repr(estimator)
        == "HamiltonianELBO(num_steps=4, step_size=0.25, tempering='free', trainable=False)"
    )
    assert again != estimator, "each has weights of its own"
    assert estimator.layers[0].trainable_variables == []
    again.build((None, X), (D,))
    assert [variable.name for variable in again.layers[0].non_trainable_variables] == ["raw_step_size", "raw_tempering"]
    with pytest.raises(ValueError, match=r"z has shape \(3,\)\. Create another.*Received: latents of event_shape=\(2,"):
        again.build((None, X), (2,))
