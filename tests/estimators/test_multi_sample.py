"""All estimators on linear-Gaussian models: identities without variance, inequalities, expected gradients, rates."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import LinearGaussian, make_linear_gaussian
from slow import slow_except

from tfvae.estimators import (
    CIWAE,
    MIWAE,
    PIWAE,
    SGVB,
    VIMCO,
    DReG,
    ImportanceWeighted,
    Problem,
    Renyi,
    ReweightedWakeSleep,
    RunningMean,
    ScoreFunction,
    StickingTheLanding,
    WakeSleep,
)

tfd = tfp.distributions
MODEL = make_linear_gaussian()
A, B = "monte_carlo", "analytic"


def every(k, s):
    """Every estimator whose bound is made of log weights only, with K and S where it has them."""
    return [
        SGVB(s, kl=A),
        StickingTheLanding(s),
        ImportanceWeighted(k, s),
        ImportanceWeighted(k, s, chunk_size=2),
        DReG(k, s),
        MIWAE(s, k),
        PIWAE(s, k),
        CIWAE(k, 0.3),
        Renyi(0.5, k),
        Renyi(2.0, k),
        Renyi(-math.inf, k),
        ScoreFunction(s, kl=A),
        ScoreFunction(s, kl=A, baseline=RunningMean()),
        VIMCO(k + 1),
        ReweightedWakeSleep(k),
        ReweightedWakeSleep(k, "both"),
        WakeSleep(s),
    ]


def infer_exactly(x):
    """MODEL's p(z|x), of a tensor x."""
    mean = tf.linalg.matvec(tf.constant(MODEL.posterior_weights, x.dtype), x - tf.constant(MODEL.bias, x.dtype))
    tril = tf.constant(np.linalg.cholesky(MODEL.posterior_covariance), x.dtype)
    return tfd.MultivariateNormalTriL(mean, tril)


def run(estimator, x, posterior, *, beta=1.0, seed=0, dtype=tf.float64):
    x = tf.constant(x, dtype)
    problem = Problem(x, posterior, MODEL.prior(dtype), MODEL.generate, infer_exactly)
    return estimator(problem, beta=beta, seed=seed)


class Replayed(tfd.MultivariateNormalDiag):
    """A posterior with the same draws whatever the seed and however they are arranged: the first rows of `noise`."""

    noise: np.ndarray  # [N, B, D]

    def sample(self, sample_shape=(), seed=None, name="sample", **kwargs):
        shape = [int(size) for size in np.atleast_1d(sample_shape)]
        noise = self.noise[: int(np.prod(shape))].reshape(*shape, *self.noise.shape[1:])
        return self.loc + self.scale.diag_part() * noise

    def experimental_sample_and_log_prob(self, sample_shape=(), seed=None, name="both", **kwargs):
        z = self.sample(sample_shape)
        return z, self.log_prob(z)


def replayed(loc, scale, noise):
    posterior = Replayed(loc, tf.broadcast_to(scale, tf.shape(loc)))
    posterior.noise = noise
    return posterior


def mismatched(x):
    """A diagonal posterior that is not the true one: loc [B, D] and scale [D]."""
    return 0.8 * MODEL.posterior_mean(x) + np.array([0.2, -0.1, 0.3]), np.array([0.3, 0.5, 0.2])


def replayed_mismatch(batch_size=4, num_draws=12, seed=0):
    """(x, a posterior that replays its draws, their log weights [N, B])."""
    x = MODEL.data(batch_size, seed)
    noise = np.random.default_rng(seed + 100).normal(size=(num_draws, batch_size, 3))
    q = replayed(*mismatched(x), noise)
    z = q.sample(num_draws)
    return x, q, (MODEL.prior().log_prob(z) + MODEL.generate(z).log_prob(x) - q.log_prob(z)).numpy()


def log_mean_exp(values, axis=0):
    return np.logaddexp.reduce(values, axis=axis) - np.log(values.shape[axis])


# (1) Identities without variance -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "s", "batch_size", "seed"), slow_except([(1, 2, 5, 0), (5, 3, 1, 1), (2, 3, 4, 2)], (2, 3, 4, 2))
)
def test_exact_posterior_makes_every_bound_log_marginal(k, s, batch_size, seed):
    x = MODEL.data(batch_size, seed)
    posterior = infer_exactly(tf.constant(x))
    for estimator in every(k, s):
        estimate = run(estimator, x, posterior, beta=0.4, seed=seed)
        np.testing.assert_allclose(estimate.bound, MODEL.log_marginal(x), rtol=1e-10, err_msg=repr(estimator))
        for value in tf.nest.flatten(estimate):
            assert value.shape == (batch_size,), estimator
            assert value.dtype == tf.float64, estimator


def test_exact_posterior_leaves_the_path_derivative_no_variance():
    x = MODEL.data(4)
    mean = tf.constant(MODEL.posterior_mean(x))
    tril = tf.constant(np.linalg.cholesky(MODEL.posterior_covariance))
    sizes = {}
    for estimator in (StickingTheLanding(3), DReG(5, 2), SGVB(3, kl=A), ImportanceWeighted(5)):
        with tf.GradientTape() as tape:
            tape.watch([mean, tril])
            loss = run(estimator, x, tfd.MultivariateNormalTriL(mean, tril), seed=8).surrogate_loss
        gradients = tape.gradient(loss, [mean, tril])
        sizes[type(estimator)] = max(float(tf.reduce_max(tf.abs(g))) for g in gradients)
    assert max(sizes[StickingTheLanding], sizes[DReG]) < 1e-9
    assert min(sizes[SGVB], sizes[ImportanceWeighted]) > 0.05


PAIRS = [
    (ImportanceWeighted(1, num_samples=6), SGVB(6, kl=A)),
    (DReG(1, num_samples=6), StickingTheLanding(6)),
    (MIWAE(3, 2), ImportanceWeighted(2, num_samples=3)),
    (MIWAE(1, 6), ImportanceWeighted(6)),
    (PIWAE(1, 6), ImportanceWeighted(6)),
    (CIWAE(6, elbo_weight=0.0), ImportanceWeighted(6)),
    (CIWAE(6, elbo_weight=1.0), SGVB(6, kl=A)),
    (Renyi(0.0, 6), ImportanceWeighted(6)),
    (Renyi(1.0, 6), SGVB(6, kl=A)),
    (ReweightedWakeSleep(1, "sleep"), WakeSleep(1)),
]


# The others are the importance-weighted estimator by another way: its bounds and gradients are held to formulas below.
BY_TWO_NAMES = [PAIRS[number] for number in (1, 4, 6, 8, 9)]


@pytest.mark.parametrize(
    "pair", [pytest.param(p, marks=() if p in BY_TWO_NAMES else pytest.mark.slow) for p in PAIRS], ids=repr
)
def test_one_estimator_by_two_names(pair):
    """The same draws give the same bound and the same gradient, of the encoder and through the encoder alone."""
    x, q, _ = replayed_mismatch()
    loc, scale = tf.constant(mismatched(x)[0]), tf.constant(np.broadcast_to(mismatched(x)[1], (4, 3)))
    results = []
    for estimator in pair:
        with tf.GradientTape() as tape:
            tape.watch([loc, scale])
            estimate = run(estimator, x, replayed(loc, scale, q.noise), beta=0.4)
        results.append(
            (estimate.bound, *tape.gradient(estimate.surrogate_loss, [loc, scale], unconnected_gradients="zero"))
        )
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_miwae_is_the_importance_weighted_estimator_of_the_same_seed():
    x = MODEL.data(4)
    q = tfd.MultivariateNormalDiag(*(np.broadcast_to(part, (4, 3)) for part in mismatched(x)))
    for ours, theirs in zip(
        run(MIWAE(3, 5), x, q, seed=4), run(ImportanceWeighted(5, num_samples=3), x, q, seed=4), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


# (2) Bounds by hand, and inequalities, on the same draws -----------------------------------------------------------


def test_bounds_by_hand():
    x, q, log_w = replayed_mismatch(num_draws=6)
    pairs = log_w.reshape(2, 3, 4)
    power = {alpha: log_mean_exp((1 - alpha) * log_w) / (1 - alpha) for alpha in (0.5, 2.0)}
    expected = {
        SGVB(6, kl=A): log_w.mean(0),
        ScoreFunction(6, kl=A): log_w.mean(0),
        StickingTheLanding(6): log_w.mean(0),
        WakeSleep(6): log_w.mean(0),
        ImportanceWeighted(6): log_mean_exp(log_w),
        VIMCO(6): log_mean_exp(log_w),
        ReweightedWakeSleep(6): log_mean_exp(log_w),
        DReG(3, 2): log_mean_exp(pairs, 1).mean(0),
        MIWAE(2, 3): log_mean_exp(pairs, 1).mean(0),
        PIWAE(2, 3): log_mean_exp(log_w),
        CIWAE(6, 0.3): 0.3 * log_w.mean(0) + 0.7 * log_mean_exp(log_w),
        Renyi(0.5, 6): power[0.5],
        Renyi(2.0, 6): power[2.0],
        Renyi(-3.0, 6): log_mean_exp(log_w),
        Renyi(-math.inf, 6): log_mean_exp(log_w),
    }
    log_likelihood = MODEL.generate(q.sample(6)).log_prob(x).numpy().mean(0)
    for estimator, bound in expected.items():
        estimate = run(estimator, x, q)
        np.testing.assert_allclose(estimate.bound, bound, rtol=1e-11, err_msg=repr(estimator))
        np.testing.assert_allclose(estimate.log_likelihood, log_likelihood, rtol=1e-11, err_msg=repr(estimator))
    np.testing.assert_allclose(run(Renyi(-math.inf, 6), x, q).surrogate_loss, -log_w.max(0), rtol=1e-11)


@pytest.mark.slow  # follows from the formulas of the test above
def test_the_order_of_the_bounds():
    x, q, log_w = replayed_mismatch(batch_size=20)
    ladder = [
        Renyi(20.0, 12),
        Renyi(2.0, 12),
        SGVB(12, kl=A),
        MIWAE(6, 2),
        MIWAE(3, 4),
        PIWAE(3, 4),
        Renyi(-2.0, 12),  # its report; its surrogate is above
    ]
    bounds = [log_w.min(0), *(run(estimator, x, q).bound.numpy() for estimator in ladder), log_w.max(0)]
    for number, (lower, upper) in enumerate(itertools.pairwise(bounds)):
        assert np.all(lower <= upper + 1e-9), number
    mixtures = [run(CIWAE(12, weight), x, q).bound.numpy() for weight in (1.0, 0.7, 0.2, 0.0)]
    for lower, upper in itertools.pairwise(mixtures):
        assert np.all(lower < upper)
    orders = [-run(Renyi(alpha, 12), x, q).surrogate_loss.numpy() for alpha in (5, 1.5, 1.0, 0.5, 0.0, -4, -math.inf)]
    for lower, upper in itertools.pairwise(orders):
        assert np.all(lower < upper)


def test_reported_renyi_bounds_lie_below_log_marginal():
    times = 4000
    x = MODEL.data(1)
    loc, scale = mismatched(x)
    q = tfd.MultivariateNormalDiag(np.tile(loc, (times, 1)), np.tile(scale, (times, 1)))
    for alpha in (-math.inf, -2.0, 0.5, 3.0):
        estimate = run(Renyi(alpha, 4), np.tile(x, (times, 1)), q, seed=3)
        error = 5 * np.std(estimate.bound) / np.sqrt(times)
        assert np.mean(estimate.bound) + error < MODEL.log_marginal(x)[0], alpha
    # The largest weight of many is no bound: why it is not what is reported.
    many = run(Renyi(-math.inf, 60), np.tile(x, (400, 1)), tfd.MultivariateNormalDiag(q.loc[:400], q.stddev()[:400]))
    assert np.mean(-many.surrogate_loss) > MODEL.log_marginal(x)[0] > np.mean(many.bound)


# (3) The contract of an Estimate -----------------------------------------------------------------------------------


TO_COMPILE = [DReG(3, 2), VIMCO(4)]


def test_what_is_reported_knows_nothing_of_beta():
    x, dtype = MODEL.data(4), tf.float32
    loc, scale = mismatched(x)
    q = tfd.MultivariateNormalDiag(tf.constant(loc, dtype), tf.constant(np.broadcast_to(scale, loc.shape), dtype))
    exact_kl = MODEL.kl(loc, np.diag(scale**2))
    for estimator in (SGVB(2), DReG(3, 2), Renyi(2.0, 3), ScoreFunction(2), VIMCO(3)):
        one, other = (run(estimator, x, q, beta=beta, seed=3, dtype=dtype) for beta in (1.0, 0.3))
        for value in tf.nest.flatten(one):
            assert value.shape == (4,), estimator
            assert value.dtype == dtype, estimator
        for name in ("bound", "log_likelihood", "kl"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=repr((estimator, name)))
        assert np.all(np.abs(one.surrogate_loss - other.surrogate_loss) > 1e-4), estimator
        np.testing.assert_allclose(one.kl, exact_kl, rtol=1e-5, err_msg=repr(estimator))


@pytest.mark.parametrize(
    ("estimator", "jit_compile"),
    slow_except(itertools.product(TO_COMPILE, [False, True]), (TO_COMPILE[0], False)),
    ids=repr,
)
def test_compiles_with_an_unknown_batch_size(estimator, jit_compile):
    """XLA makes other normal numbers of a seed, so the noise is given."""
    x, q, _ = replayed_mismatch(batch_size=5)
    loc, scale = mismatched(x)

    def both(x, loc):
        with tf.GradientTape() as tape:
            tape.watch(loc)
            posterior = replayed(loc, scale, q.noise)
            result = estimator(Problem(x, posterior, MODEL.prior(), MODEL.generate), seed=(1, 2))
        return result, tape.gradient(result.surrogate_loss, loc)

    eager, eager_gradient = both(tf.constant(x), tf.constant(loc))
    signature = [tf.TensorSpec([None, n], tf.float64) for n in (5, 3)]
    compiled, gradient = tf.function(both, input_signature=signature, jit_compile=jit_compile)(tf.constant(x), loc)
    np.testing.assert_allclose(gradient, eager_gradient, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(*map(tf.nest.flatten, (compiled, eager)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


IN_PARTS = [SGVB(2), DReG(2, 2), ImportanceWeighted(3, chunk_size=2), ScoreFunction(2), VIMCO(3)]


@pytest.mark.parametrize("estimator", slow_except(IN_PARTS, IN_PARTS[0], IN_PARTS[-1]), ids=repr)
def test_latents_in_parts(estimator):
    """A model that falls into two: z = (z_0, z_1), x = (x_0, x_1), whose exact posterior is a joint of two."""
    models = [make_linear_gaussian(1, 2, seed=3), make_linear_gaussian(1, 3, sigma=0.4, seed=4)]
    data = [model.data(4, seed) for seed, model in enumerate(models)]
    x = tf.constant(np.concatenate(data, axis=1))
    parts = [model.posterior(part) for model, part in zip(models, data, strict=True)]
    posterior = tfd.JointDistributionSequential(parts)
    prior = tfd.JointDistributionSequential([model.prior() for model in models])

    def generate(z):
        return tfd.Blockwise([model.generate(part) for model, part in zip(models, z, strict=True)])

    expected = sum(model.log_marginal(part) for model, part in zip(models, data, strict=True))
    estimate = estimator(Problem(x, posterior, prior, generate), seed=1)
    if isinstance(estimator, SGVB | ScoreFunction):  # with the exact KL
        np.testing.assert_allclose(estimate.bound, estimate.log_likelihood - estimate.kl, rtol=1e-12)
    else:
        np.testing.assert_allclose(estimate.bound, expected, rtol=1e-10)


# (4) Gradients of one draw of the noise ----------------------------------------------------------------------------


BOUNDS = [ImportanceWeighted(3, 2), MIWAE(2, 3), CIWAE(4, 0.3), Renyi(0.5, 4), Renyi(2.0, 4), Renyi(-math.inf, 4)]


@pytest.mark.parametrize("estimator", slow_except(BOUNDS, *BOUNDS[2:3], *BOUNDS[4:]), ids=repr)
def test_surrogates_that_are_bounds_against_central_differences(estimator):
    x, q, _ = replayed_mismatch(batch_size=2)
    rng = np.random.default_rng(3)
    values = [mismatched(x)[0], rng.normal(size=(2, 3)), np.array(MODEL.weights), rng.normal(size=3)]
    directions = [rng.normal(size=value.shape) for value in values]

    def surrogate(loc, raw_scale, weights, prior_loc):
        def generate(z):
            mean = tf.linalg.matmul(z, weights, transpose_b=True) + MODEL.bias
            return tfd.MultivariateNormalDiag(mean, tf.constant(MODEL.sigma, tf.float64, shape=[5]))

        prior = tfd.MultivariateNormalDiag(prior_loc, tf.constant([0.8, 1.1, 1.3], tf.float64))
        posterior = replayed(loc, tf.nn.softplus(raw_scale), q.noise)
        problem = Problem(tf.constant(x), posterior, prior, generate)
        return tf.reduce_sum(estimator(problem, beta=0.4).surrogate_loss)

    tensors = [tf.constant(value) for value in values]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = surrogate(*tensors)
    gradients = tape.gradient(loss, tensors)
    step = 1e-5
    ends = [
        surrogate(*(tensor + sign * step * direction for tensor, direction in zip(tensors, directions, strict=True)))
        for sign in (1, -1)
    ]
    slope = sum(np.sum(gradient * direction) for gradient, direction in zip(gradients, directions, strict=True))
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-7)


@pytest.mark.parametrize("beta", slow_except([1.0, 0.4], 0.4))
def test_gradients_in_parts_by_hand(beta):
    """Estimators whose surrogate is no bound: each part of the gradient, for the draws at hand, from the formulas."""
    x, q, _ = replayed_mismatch(batch_size=2, num_draws=6)
    loc, scale = mismatched(x)
    noise = q.noise.reshape(2, 3, 2, 3)  # [S, K, B, D]
    z = loc + scale * noise
    residual = x - MODEL.bias - z @ MODEL.weights.T
    log_prior, log_q = MODEL.prior().log_prob(z).numpy(), q.log_prob(z).numpy()
    log_w = MODEL.generate(tf.constant(z)).log_prob(x).numpy() + beta * (log_prior - log_q)
    by_z = residual @ MODEL.weights / MODEL.sigma**2 + beta * (-z + noise / scale)  # d log w / dz, [S, K, B, D]
    score = -beta * noise / scale  # -beta d log q / d loc at fixed z
    by_weights = np.einsum("skbx,skbd->skbxd", residual, z) / MODEL.sigma**2
    own = np.exp(log_w - np.logaddexp.reduce(log_w, axis=1, keepdims=True))[..., None]  # shares within a bound
    of_all = np.exp(log_w - np.logaddexp.reduce(log_w, axis=(0, 1), keepdims=True))[..., None]
    # d/dphi E[log mean w] has sum_k v_k d log w_k / dz, and the scores' -beta sum_k v_k d log q_k, whose expectation
    # is that of -beta sum_k v_k (1 - v_k) d log w_k / dz.
    twice = (1 - beta) * own + beta * own**2
    flat, six = log_w.reshape(6, 2), range(6)
    others = [(flat.sum(0) - flat[k]) / 5 for k in six]  # the log of the geometric mean of the other weights
    without = [log_mean_exp(np.stack([others[k] if j == k else flat[j] for j in six])) for k in six]
    signal = (log_mean_exp(flat) - np.stack(without)).reshape(2, 3, 2, 1)
    expected = {
        VIMCO(6): (
            (signal * noise / scale + of_all * score).sum((0, 1)),
            (of_all[..., None] * by_weights).sum((0, 1)).sum(0),
        ),
        ReweightedWakeSleep(6): (
            (of_all * noise / scale).sum((0, 1)),
            (of_all[..., None] * by_weights).sum((0, 1)).sum(0),
        ),
        ScoreFunction(6, kl=A): (
            (log_w[..., None] * noise / scale).mean((0, 1)),
            by_weights.mean((0, 1)).sum(0),
        ),
        StickingTheLanding(6): (by_z.mean((0, 1)), by_weights.mean((0, 1)).sum(0)),
        DReG(3, 2): ((twice * by_z).sum(1).mean(0), (own[..., None] * by_weights).sum(1).mean(0).sum(0)),
        PIWAE(2, 3): (
            (own * (by_z + score)).sum(1).mean(0),
            (of_all[..., None] * by_weights).sum((0, 1)).sum(0),
        ),
    }
    for estimator, gradients in expected.items():
        tensors = tf.constant(loc), tf.constant(MODEL.weights)
        with tf.GradientTape() as tape:
            tape.watch(tensors)

            def generate(z, weights=tensors[1]):
                mean = tf.linalg.matmul(z, weights, transpose_b=True) + MODEL.bias
                return tfd.MultivariateNormalDiag(mean, tf.constant(MODEL.sigma, tf.float64, shape=[5]))

            posterior = replayed(tensors[0], scale, q.noise)
            problem = Problem(tf.constant(x), posterior, MODEL.prior(), generate)
            loss = estimator(problem, beta=beta).surrogate_loss
        for ours, theirs in zip(tape.gradient(loss, tensors), gradients, strict=True):
            np.testing.assert_allclose(-ours, theirs, rtol=1e-9, atol=1e-10, err_msg=repr(estimator))


def test_sleep_trains_the_encoder_alone():
    """Wake and sleep add up for the encoder; decoder and prior, one whose samples have a gradient, know wake alone."""
    values, x = parameters(2, 3)
    tensors = {name: tf.constant(value) for name, value in values.items()}

    def infer(x):
        loc = tensors["loc"] + x[..., :2] * tensors["raw_scale"]
        return tfd.MultivariateNormalDiag(loc, 0.6 * tf.ones_like(loc))

    gradients = {}
    for phase in ("wake", "sleep", "both"):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            _, prior, generate = parts(tensors)
            data = tf.constant(np.tile(x, (4, 1)))
            estimate = ReweightedWakeSleep(3, phase)(Problem(data, infer(data), prior, generate, infer), seed=2)
        gradients[phase] = tape.gradient(estimate.surrogate_loss, tensors)
    for name in values:
        wake, sleep, both = (gradients[phase][name].numpy() for phase in ("wake", "sleep", "both"))
        np.testing.assert_allclose(both, wake + sleep if name in ENCODER else wake, rtol=1e-9, err_msg=name)
        if name not in ENCODER:
            np.testing.assert_allclose(sleep, wake, rtol=1e-9, err_msg=name)


# (5) Expected gradients, within five standard errors of the sample itself ------------------------------------------

TIMES = 4000
ENCODER = ("loc", "raw_scale")
SIGMA = 0.7


def parameters(latent_size, data_size):
    """Parameters of posterior, decoder and prior, for one x."""
    rng = np.random.default_rng(latent_size)
    shapes = {
        "loc": [latent_size],
        "raw_scale": [latent_size],
        "weights": [data_size, latent_size],
        "bias": [data_size],
        "prior_loc": [latent_size],
        "prior_raw_scale": [latent_size],
    }
    return {name: rng.normal(size=shape) * 0.7 for name, shape in shapes.items()}, rng.normal(size=data_size)


def parts(values):
    """Posterior, prior and generate, of parameters with or without a batch axis."""
    posterior = tfd.MultivariateNormalDiag(values["loc"], tf.nn.softplus(values["raw_scale"]))
    prior = tfd.MultivariateNormalDiag(values["prior_loc"], tf.nn.softplus(values["prior_raw_scale"]))

    def generate(z):
        mean = tf.reduce_sum(values["weights"] * z[..., tf.newaxis, :], axis=-1) + values["bias"]
        return tfd.MultivariateNormalDiag(mean, tf.fill(tf.shape(mean), tf.constant(SIGMA, tf.float64)))

    return posterior, prior, generate


def sampled_gradients(estimator, values, x, *, beta, seed, times=TIMES):
    """Gradients of `-surrogate_loss`, [times, *shape] for each parameter, of as many independent estimates."""
    tiled = {name: tf.constant(np.broadcast_to(value, (times, *value.shape))) for name, value in values.items()}
    with tf.GradientTape() as tape:
        tape.watch(tiled)
        problem = Problem(tf.constant(np.tile(x, (times, 1))), *parts(tiled))
        loss = estimator(problem, beta=beta, seed=seed).surrogate_loss
    return {name: -gradient.numpy() for name, gradient in tape.gradient(loss, tiled).items()}


def check_means(samples, expected, names, label):
    for name in names:
        values = samples[name]
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        off = np.abs(values.mean(axis=0) - expected[name])
        np.testing.assert_array_less(off, 5 * error + 1e-7, err_msg=f"{label}: {name}")


def closed_form_elbo(values, x, beta):
    """E[log p(x|z)] - beta KL(q || p)."""
    scale, prior_scale = (np.log1p(np.exp(values[name])) for name in ("raw_scale", "prior_raw_scale"))
    model = LinearGaussian(values["weights"], values["bias"], SIGMA)
    kl = model.kl((values["loc"] - values["prior_loc"]) / prior_scale, np.diag((scale / prior_scale) ** 2))
    return model.log_likelihood(x, values["loc"], np.diag(scale**2)) - beta * kl


def elbo_gradients(values, x, beta, step=1e-5):
    gradients = {}
    for name, value in values.items():
        gradients[name] = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * step
                ends.append(closed_form_elbo({**values, name: moved}, x, beta))
            gradients[name][index] = (ends[0] - ends[1]) / (2 * step)
    return gradients


def updated_running_mean():
    baseline = RunningMean(0.5)
    for value in (-9.0, -6.0, -7.5):
        baseline.update(tf.constant([value, value - 1.0]))
    return baseline


ELBO_ESTIMATORS = [
    (SGVB(kl=A), 1.0),
    (SGVB(2, kl=B), 0.4),
    (StickingTheLanding(), 1.0),
    (StickingTheLanding(2), 0.4),
    (ImportanceWeighted(1), 0.4),
    (DReG(1, 2), 0.4),
    (CIWAE(3, elbo_weight=1.0), 1.0),
    (Renyi(1.0, 2), 0.4),
    (ScoreFunction(kl=A), 1.0),
    (ScoreFunction(kl=A), 0.4),
    (ScoreFunction(2, kl=B), 0.4),
    (ScoreFunction(kl=A, baseline=updated_running_mean()), 0.4),
    (ScoreFunction(2, kl=B, baseline=updated_running_mean()), 1.0),
    (ScoreFunction(kl=A, baseline=keras.Sequential([keras.layers.Dense(1)])), 1.0),
]


@pytest.mark.parametrize(
    ("estimator", "beta"),
    slow_except(ELBO_ESTIMATORS, *(ELBO_ESTIMATORS[number] for number in (1, 3, 5, 6, 10, 11, 13))),
    ids=repr,
)
def test_expected_gradient_is_the_elbos(estimator, beta):
    values, x = parameters(2, 3)
    samples = sampled_gradients(estimator, values, x, beta=beta, seed=5)
    check_means(samples, elbo_gradients(values, x, beta), values, repr(estimator))


def quadrature(objective, k, values, x, beta, num_nodes=40):
    """The gradients of E[objective(log_weights [K, N])] over K draws of one latent, by Gauss-Hermite quadrature."""
    nodes, masses = np.polynomial.hermite_e.hermegauss(num_nodes)
    noise = np.stack(np.meshgrid(*[nodes] * k, indexing="ij")).reshape(k, -1, 1)  # [K, N, 1]
    mass = np.prod(np.stack(np.meshgrid(*[masses / masses.sum()] * k, indexing="ij")).reshape(k, -1), axis=0)
    tensors = {name: tf.constant(value) for name, value in values.items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        posterior, prior, generate = parts(tensors)
        z = tensors["loc"] + tf.nn.softplus(tensors["raw_scale"]) * noise
        log_w = generate(z).log_prob(x) + beta * (prior.log_prob(z) - posterior.log_prob(z))
        value = tf.reduce_sum(mass * objective(log_w))
    return value.numpy(), {name: gradient.numpy() for name, gradient in tape.gradient(value, tensors).items()}


def weighted_bound(log_w):
    return tf.reduce_logsumexp(log_w, axis=0) - math.log(log_w.shape[0])


def half_renyi(log_w):
    return 2 * weighted_bound(0.5 * log_w)


def three_tenths(log_w):
    return 0.3 * tf.reduce_mean(log_w, axis=0) + 0.7 * weighted_bound(log_w)


def test_quadrature_is_exact():
    values, x = parameters(1, 2)
    value, gradients = quadrature(weighted_bound, 1, values, x, 0.4)
    np.testing.assert_allclose(value, closed_form_elbo(values, x, 0.4), rtol=1e-12)
    for name, expected in elbo_gradients(values, x, 0.4).items():
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-8, atol=1e-9)
    coarse, fine = (quadrature(weighted_bound, 3, values, x, 1.0, n) for n in (25, 40))
    np.testing.assert_allclose(coarse[0], fine[0], atol=1e-5)
    for name in values:
        np.testing.assert_allclose(coarse[1][name], fine[1][name], atol=1e-4)


MULTI_SAMPLE_BOUNDS = [
    (ImportanceWeighted(3), 3, weighted_bound, 1.0),
    (ImportanceWeighted(2, 2), 2, weighted_bound, 0.4),
    (DReG(3), 3, weighted_bound, 1.0),
    (DReG(3), 3, weighted_bound, 0.4),
    (DReG(2, 2), 2, weighted_bound, 2.5),
    (VIMCO(2), 2, weighted_bound, 0.4),
    (VIMCO(3), 3, weighted_bound, 1.0),
    (MIWAE(2, 3), 3, weighted_bound, 1.0),
    (CIWAE(3, 0.3), 3, three_tenths, 0.4),
    (Renyi(0.5, 3), 3, half_renyi, 1.0),
]


@pytest.mark.parametrize(
    ("estimator", "k", "objective", "beta"),
    slow_except(MULTI_SAMPLE_BOUNDS, *(MULTI_SAMPLE_BOUNDS[number] for number in (1, 3, 6, 8))),
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_expected_gradients_of_multi_sample_bounds(estimator, k, objective, beta):
    values, x = parameters(1, 2)
    samples = sampled_gradients(estimator, values, x, beta=beta, seed=6)
    check_means(samples, quadrature(objective, k, values, x, beta)[1], values, repr(estimator))


def test_piwae_and_reweighted_wake_sleep_serve_decoder_and_encoder_differently():
    values, x = parameters(1, 2)
    tight, loose = (quadrature(weighted_bound, k, values, x, 1.0)[1] for k in (3, 1))
    model = [name for name in values if name not in ENCODER]
    piwae = sampled_gradients(PIWAE(3, 1), values, x, beta=1.0, seed=7)
    check_means(piwae, tight, model, "decoder and prior follow all draws")
    check_means(piwae, loose, ENCODER, "the encoder follows each bound's own")
    check_means(sampled_gradients(ReweightedWakeSleep(3), values, x, beta=1.0, seed=8), tight, model, "decoder, prior")


def test_dreg_has_less_variance_than_importance_weighting():
    """With the best diagonal posterior, nearly: far from it neither is the better."""
    model, times = make_linear_gaussian(2, 3, SIGMA), 2000
    x = model.data(1)
    scale = 1 / np.sqrt(np.diag(np.linalg.inv(model.posterior_covariance)))
    values = {
        "loc": model.posterior_mean(x)[0] + np.array([0.02, -0.03]),
        "raw_scale": np.log(np.expm1(scale)),
        "weights": model.weights,
        "bias": model.bias,
        "prior_loc": np.zeros(2),
        "prior_raw_scale": np.full(2, np.log(np.expm1(1.0))),
    }
    for k in (3, 30):
        spread = []
        for estimator in (DReG(k), ImportanceWeighted(k)):
            samples = sampled_gradients(estimator, values, x, beta=1.0, seed=9, times=times)
            encoder = np.concatenate([samples[name] for name in ENCODER], axis=1)
            squares = np.sum((encoder - encoder.mean(axis=0)) ** 2, axis=1)
            spread.append((squares.mean(), squares.std(ddof=1) / np.sqrt(times)))
        (doubly, error), (weighted, other_error) = spread
        assert doubly + 5 * error < weighted - 5 * other_error, k


# (6) Rates ---------------------------------------------------------------------------------------------------------


def slope_and_error(counts, logs, errors):
    """Least squares of logs against log(counts); independent points with these standard errors."""
    centred = np.log(counts) - np.mean(np.log(counts))
    weights = centred / np.sum(centred**2)
    return np.sum(weights * logs), np.sqrt(np.sum((weights * errors) ** 2))


def test_monte_carlo_error_falls_with_the_square_root_of_the_draws():
    x, times, counts = MODEL.data(1), 1500, (1, 4, 16, 64)
    loc, scale = mismatched(x)
    q = tfd.MultivariateNormalDiag(np.tile(loc, (times, 1)), np.tile(scale, (times, 1)))
    logs, errors = [], []
    for count in counts:
        bound = run(SGVB(count, kl=A), np.tile(x, (times, 1)), q, seed=count).bound.numpy()
        squares = (bound - MODEL.elbo(x, loc, np.diag(scale**2))) ** 2
        logs.append(0.5 * np.log(squares.mean()))
        errors.append(0.5 * squares.std(ddof=1) / squares.mean() / np.sqrt(times))
    slope, error = slope_and_error(counts, np.array(logs), np.array(errors))
    assert error < 0.02
    assert abs(slope + 0.5) < 5 * error


def log_moment(order, loc, covariance, x):
    """Log E_q[(w / p(x))^order] = log of the integral of p(z|x)^n q(z)^(1-n), both normal."""
    true_mean, true_precision = MODEL.posterior_mean(x)[0], np.linalg.inv(MODEL.posterior_covariance)
    precision = np.linalg.inv(covariance)
    joint = order * true_precision + (1 - order) * precision
    np.linalg.cholesky(joint)  # the moment exists
    pull = order * true_precision @ true_mean + (1 - order) * precision @ loc
    quadratic = pull @ np.linalg.solve(joint, pull)
    quadratic -= order * true_mean @ true_precision @ true_mean + (1 - order) * loc @ precision @ loc
    dets = order * np.linalg.slogdet(true_precision)[1] + (1 - order) * np.linalg.slogdet(precision)[1]
    return 0.5 * (quadratic + dets - np.linalg.slogdet(joint)[1])


@pytest.mark.slow  # that the expectation is right is asked below, for few draws
def test_importance_weighted_bias_falls_like_one_over_k():
    x, times, counts = MODEL.data(1, 3), 2500, np.array([16, 32, 64, 128])
    covariance = 1.3 * MODEL.posterior_covariance
    loc = MODEL.posterior_mean(x)[0] + np.array([0.03, -0.02, 0.04])
    second, third = (np.exp(log_moment(order, loc, covariance, x)) for order in (2, 3))
    mu_2, mu_3 = second - 1, third - 3 * second + 2  # central moments of w / p(x)
    expected = -mu_2 / (2 * counts) + (mu_3 / 3 - 0.75 * mu_2**2) / counts**2
    tril = np.broadcast_to(np.linalg.cholesky(covariance), (times, 3, 3))
    q = tfd.MultivariateNormalTriL(np.tile(loc, (times, 1)), tril)
    biases, errors = [], []
    for count in counts:
        gap = run(ImportanceWeighted(int(count)), np.tile(x, (times, 1)), q, seed=int(count)).bound.numpy()
        gap = gap - MODEL.log_marginal(x)
        # The mean weight has expectation p(x) exactly: subtracting it leaves the bias, of far less variance.
        values = gap - np.expm1(gap)
        biases.append(values.mean())
        errors.append(values.std(ddof=1) / np.sqrt(times))
    biases, errors = np.array(biases), np.array(errors)
    np.testing.assert_array_less(np.abs(biases - expected), 5 * errors)
    slope, error = slope_and_error(counts, np.log(-biases), errors / -biases)
    assert error < 0.05
    assert abs(slope + 1) < 5 * error


@pytest.mark.parametrize("k", slow_except([1, 2, 3], 2))
def test_importance_weighted_bound_of_few_draws(k):
    values, x = parameters(1, 2)
    expected, _ = quadrature(weighted_bound, k, values, x, 1.0)
    tiled = {name: tf.constant(np.broadcast_to(value, (TIMES, *value.shape))) for name, value in values.items()}
    for estimator in (ImportanceWeighted(k), DReG(k, 2), PIWAE(1, k), ReweightedWakeSleep(k)):
        bound = estimator(Problem(tf.constant(np.tile(x, (TIMES, 1))), *parts(tiled)), seed=k).bound.numpy()
        assert abs(bound.mean() - expected) < 5 * bound.std(ddof=1) / np.sqrt(TIMES), estimator
