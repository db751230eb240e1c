"""The von Mises-Fisher distribution: density, samples, gradients and KL against scipy, quadrature and closed forms."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import integrate, optimize, stats
from scipy.special import ive
from slow import slow_except

import tfvae
from tfvae._kl import exact_kl, exact_kl_or_none
from tfvae.layers import VonMisesFisher
from tfvae.layers._von_mises_fisher import ReparameterizedVonMisesFisher, angle_slope

tfd = tfp.distributions

SIZES = (2, 3, 4, 10, 50)
CONCENTRATIONS = (1e-3, 0.1, 1.0, 2.9, 13.0, 14.5, 100.0, 1e4)  # 2 sqrt(D), where the formula changes, between them


def unit_vector(size, seed=0):
    mu = np.random.default_rng(seed).normal(size=size)
    return mu / np.linalg.norm(mu)


def make(size, concentration, dtype="float64", mu=None):
    mu = unit_vector(size) if mu is None else mu
    return ReparameterizedVonMisesFisher(tf.constant(mu, dtype), tf.constant(concentration, dtype))


def mean_length(size, kappa):
    return ive(size / 2, kappa) / ive(size / 2 - 1, kappa)


def mean_length_slope(size, kappa):
    length = mean_length(size, kappa)
    return 1 - length**2 - (size - 1) * length / kappa


def angle_density(size, kappa):
    """The unnormalised density of the angle to the mean direction, and a point beyond which it is negligible."""
    angles = np.linspace(0.0, np.pi, 200_001)[1:-1]
    log_p = kappa * np.cos(angles) + (size - 2) * np.log(np.sin(angles))
    top, counts = log_p.max(), angles[log_p > log_p.max() - 45.0]

    def density(angle):
        return np.exp(kappa * np.cos(angle) + (size - 2) * np.log(np.sin(angle)) - top) if 0 < angle < np.pi else 0.0

    return density, max(counts[0] - 1e-4, 1e-12), min(counts[-1] + 1e-4, np.pi - 1e-12)


def integral(density, low, high):
    return integrate.quad(density, low, high, epsabs=1e-13, epsrel=1e-13, limit=500)[0]


@pytest.mark.parametrize("size", SIZES)
def test_density_entropy_and_mean_against_scipy(size):
    mu = unit_vector(size)
    references = [stats.vonmises_fisher(mu, kappa) for kappa in CONCENTRATIONS]
    x = np.stack([reference.rvs(5, random_state=1).reshape(5, size) for reference in references], axis=1)
    for dtype, tolerance in (("float64", 1e-10), ("float32", 2e-5)):
        ours = make(size, CONCENTRATIONS, dtype)
        log_prob, entropy, mean = ours.log_prob(x.astype(dtype)), ours.entropy(), ours.mean()
        for i, (kappa, reference) in enumerate(zip(CONCENTRATIONS, references, strict=True)):
            expected = reference.logpdf(x[:, i])
            # In float32 x itself is not known better than this.
            atol = tolerance + 4 * np.finfo(dtype).eps * kappa * np.linalg.norm(x[:, i] - mu, axis=-1).max()
            np.testing.assert_allclose(log_prob[:, i], expected, rtol=tolerance, atol=atol)
            np.testing.assert_allclose(entropy[i], reference.entropy(), rtol=tolerance, atol=tolerance)
            np.testing.assert_allclose(mean[i], mean_length(size, kappa) * mu, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("size", slow_except([2, 3, 5, 9], 3, 9))
def test_equal_to_tfp(size):
    mu = np.stack([unit_vector(size, seed) for seed in (0, 1, 2)])
    kappa = np.array([0.4, 3.0, 70.0])
    ours, theirs = make(size, kappa, mu=mu), tfd.VonMisesFisher(mu, kappa)
    x = np.stack([unit_vector(size, seed) for seed in (3, 4, 5)])
    for method in ("mean", "mode", "entropy"):
        np.testing.assert_allclose(getattr(ours, method)(), getattr(theirs, method)(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(ours.log_prob(x), theirs.log_prob(x), rtol=1e-8)
    single = tfd.VonMisesFisher(mu.astype("float32"), kappa.astype("float32"))  # TFP's does not take float64 here
    np.testing.assert_allclose(ours.covariance(), single.covariance(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours.variance(), np.diagonal(ours.covariance(), axis1=-2, axis2=-1), rtol=1e-12)
    assert isinstance(ours, tfd.VonMisesFisher)
    assert ours[1:].batch_shape == (2,)
    assert type(ours[1:]) is ReparameterizedVonMisesFisher


@pytest.mark.parametrize(
    ("kappa", "size"),
    slow_except(
        itertools.product([0.0, 1.0, 17.0, 1e4], SIZES), (0.0, 3), (1.0, 2), (1.0, 10), (17.0, 3), (17.0, 4), (1e4, 10)
    ),
)
def test_samples_follow_the_density(size, kappa):
    num_samples, mu = 4000, unit_vector(size)
    z = np.asarray(make(size, kappa, "float32").sample(num_samples, seed=(1, 2)), "float64")
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1.0, atol=1e-6)
    density, low, high = angle_density(size, kappa)
    angle = np.linspace(low, high, 4001)
    cdf = integrate.cumulative_simpson([density(a) for a in angle], x=angle, initial=0.0)
    # |z - mu| = 2 sin(angle / 2), which small angles survive.
    sampled = 2 * np.arcsin(np.minimum(np.linalg.norm(z - mu, axis=-1) / 2, 1.0))
    test = stats.kstest(np.interp(sampled, angle, cdf / cdf[-1]), "uniform")
    assert test.pvalue > stats.norm.sf(5.0)
    mean = mean_length(size, kappa) * mu if kappa else np.zeros(size)
    standard_error = z.std(axis=0) / np.sqrt(num_samples)
    assert np.all(np.abs(z.mean(axis=0) - mean) < 5 * standard_error)


def test_directions_at_right_angles_are_uniform():
    # Also for mean directions at and opposite to the first axis.
    for mu in (np.array([1.0, 0.0, 0.0]), np.array([-1.0, 0.0, 0.0]), unit_vector(3)):
        z = np.asarray(make(3, 2.0, mu=mu).sample(4000, seed=(5, 6)))
        across = z - (z @ mu)[:, np.newaxis] * mu
        basis = np.linalg.svd(mu[np.newaxis])[2][1:]
        turn = np.arctan2(*(basis @ across.T)) / (2 * np.pi) + 0.5
        assert stats.kstest(turn, "uniform").pvalue > stats.norm.sf(5.0)


@pytest.mark.parametrize(
    ("kappa", "size"),
    slow_except(
        itertools.product([0.05, 1.0, 20.0, 1000.0], [2, 3, 6, 30]),
        *zip([0.05, 1.0, 20.0, 1000.0], [2, 3, 6, 30], strict=True),
        (0.05, 30),
        (1000.0, 2),
    ),
)
def test_slope_of_the_angle_is_that_of_the_quantile_function(size, kappa):
    def quantile(level, kappa):
        density, low, high = angle_density(size, kappa)
        total = integral(density, low, high)
        return optimize.brentq(lambda a: integral(density, low, a) / total - level, low, high, xtol=1e-15, rtol=1e-14)

    for level in (0.01, 0.6, 0.98):
        step = 3e-4 * kappa
        difference = (quantile(level, kappa + step) - quantile(level, kappa - step)) / (2 * step)
        angle = quantile(level, kappa)
        for dtype, tolerance in (("float64", 2e-6), ("float32", 2e-5)):
            slope = angle_slope(tf.constant(angle, dtype), tf.constant(kappa, dtype), size)
            np.testing.assert_allclose(slope, difference, rtol=tolerance)


@pytest.mark.parametrize("kappa", [0.05, 0.7, 12.0, 1e4])
def test_slope_of_the_angle_in_three_dimensions_is_the_closed_form(kappa):
    # 1 - w = -log(u + (1 - u) exp(-2 kappa)) / kappa is the quantile at the level 1 - u of the angle.
    u = np.array([1e-4, 0.2, 0.5, 0.97])
    rest = np.exp(-2 * kappa)
    inner = u + (1 - u) * rest
    t = -np.log(inner) / kappa
    t_slope = np.log(inner) / kappa**2 + 2 * (1 - u) * rest / inner / kappa
    angle = 2 * np.arcsin(np.sqrt(t / 2))
    slope = angle_slope(tf.constant(angle), tf.fill([4], tf.constant(kappa, tf.float64)), 3)
    np.testing.assert_allclose(slope, t_slope / np.sin(angle), rtol=1e-10)


@pytest.mark.parametrize(
    ("kappa", "size"), slow_except(itertools.product([0.5, 20.0], [2, 3, 5, 40]), (20.0, 2), (0.5, 3), (20.0, 40))
)
def test_expected_gradients_of_samples_are_those_of_the_mean(size, kappa):
    num_samples, mu = 20_000, unit_vector(size)
    with tf.GradientTape(persistent=True) as tape:
        concentration = tf.fill([num_samples], tf.constant(kappa, tf.float64))
        direction = tf.constant(np.tile(mu, (num_samples, 1)))
        tape.watch([concentration, direction])
        z = ReparameterizedVonMisesFisher(direction, concentration).sample(seed=(1, 2))
        along, second = tf.linalg.matvec(z, mu), z[:, 1]
    for value, parameter, expected in (
        (along, concentration, mean_length_slope(size, kappa)),
        (second, concentration, mean_length_slope(size, kappa) * mu[1]),
        # By the direction only what is at right angles to it has a meaning.
        (second, direction, mean_length(size, kappa) * (np.eye(size)[1] - mu[1] * mu)),
    ):
        gradient = np.asarray(tape.gradient(value, parameter))
        if parameter is direction:
            gradient = gradient - (gradient @ mu)[:, np.newaxis] * mu
        standard_error = gradient.std(axis=0) / np.sqrt(num_samples)
        assert np.all(np.abs(gradient.mean(axis=0) - expected) < 5 * standard_error + 1e-12)


@pytest.mark.parametrize("first", [1.0, -1.0, 0.3])
def test_gradient_by_the_direction_is_a_rotation_at_every_direction(first):
    mu = np.array([first, np.sqrt(1 - first**2), 0.0, 0.0])
    tangents = np.linalg.svd(mu[np.newaxis])[2][1:]
    with tf.GradientTape(persistent=True) as tape:
        direction = tf.constant(mu)
        tape.watch(direction)
        z = ReparameterizedVonMisesFisher(direction, tf.constant(3.0, tf.float64)).sample(6, seed=(1, 2))
    jacobian = np.asarray(tape.jacobian(z, direction, experimental_use_pfor=False))  # [S, D, D]
    z = z.numpy()
    for tangent in tangents:
        expected = (z @ mu)[:, np.newaxis] * tangent - (z @ tangent)[:, np.newaxis] * mu
        np.testing.assert_allclose(jacobian @ tangent, expected, atol=1e-12)


@pytest.mark.parametrize("jit_compile", slow_except([False, True], True))
def test_samples_and_gradients_in_graph_and_xla(jit_compile):
    specs = [tf.TensorSpec([None, 5], tf.float64), tf.TensorSpec([None], tf.float64)]

    @tf.function(input_signature=specs, jit_compile=jit_compile)
    def compiled(mu, kappa):
        with tf.GradientTape() as tape:
            tape.watch([mu, kappa])
            z = ReparameterizedVonMisesFisher(mu, kappa).sample(300, seed=(1, 2))
            value = z * tf.constant([1.0, -2.0, 0.5, 0.0, 3.0], tf.float64)
        return z, *tape.gradient(value, [mu, kappa])

    mu, kappa = np.stack([unit_vector(5, seed) for seed in range(3)]), np.array([0.1, 4.0, 300.0])
    z, by_direction, by_concentration = (np.asarray(t) for t in compiled(mu, kappa))
    assert z.shape == (300, 3, 5)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1.0, atol=1e-12)
    w = np.sum(z * mu, axis=-1)
    assert np.all(np.abs(w.mean(axis=0) - mean_length(5, kappa)) < 5 * w.std(axis=0) / np.sqrt(300))
    assert np.isfinite(by_direction).all()
    assert np.all(by_concentration != 0.0)


def test_a_concentration_that_is_no_number_ends():
    z = make(4, [np.nan, 2.0], "float32", mu=np.stack([unit_vector(4)] * 2)).sample(3, seed=(1, 2))
    assert np.isnan(z[:, 0]).all()
    assert np.isfinite(z[:, 1]).all()


# The KL to the uniform distribution


@pytest.mark.parametrize("size", SIZES)
def test_kl_to_uniform_against_scipy(size):
    kappas = CONCENTRATIONS[1:]
    entropies = np.array([stats.vonmises_fisher(unit_vector(size), kappa).entropy() for kappa in kappas])
    expected = -entropies - uniform_log_density(size)
    for dtype, tolerance in (("float64", 1e-9), ("float32", 2e-6)):
        kl = tfd.kl_divergence(make(size, kappas, dtype), tfd.SphericalUniform(size, dtype=dtype))
        assert kl.dtype == dtype
        np.testing.assert_allclose(kl, expected, rtol=tolerance, atol=1e-12 if dtype == "float64" else 0.0)


def uniform_log_density(size):
    return float(tfd.SphericalUniform(size, dtype=tf.float64).log_prob(tf.constant(unit_vector(size))))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kl_limits(size, dtype):
    uniform = tfd.SphericalUniform(size, dtype=dtype)
    small = np.array([0.0, 1e-6, 1e-4])
    np.testing.assert_allclose(tfd.kl_divergence(make(size, small, dtype), uniform), small**2 / (2 * size), rtol=1e-6)
    # A normal around the mean direction, in D - 1 dimensions and with variance 1 / kappa.
    large = np.array([1e8, 1e12])
    entropy = (size - 1) / 2 * (1 + np.log(2 * np.pi / large))
    kl = tfd.kl_divergence(make(size, large, dtype), uniform)
    np.testing.assert_allclose(kl, -uniform_log_density(size) - entropy, rtol=1e-6, atol=size**2 / 1e8)


@pytest.mark.parametrize("size", [2, 7])
def test_kl_agrees_with_monte_carlo(size):
    num_samples, kappa = 20_000, np.array([0.3, 5.0, 90.0])
    q = make(size, kappa, mu=np.stack([unit_vector(size, seed) for seed in range(3)]))
    z, log_q = q.experimental_sample_and_log_prob(num_samples, seed=(1, 2))
    np.testing.assert_allclose(log_q, q.log_prob(z), rtol=1e-12)
    log_ratio = np.asarray(log_q) - uniform_log_density(size)
    standard_error = log_ratio.std(axis=0) / np.sqrt(num_samples)
    kl = tfd.kl_divergence(q, tfd.SphericalUniform(size, dtype=tf.float64))
    assert np.all(np.abs(log_ratio.mean(axis=0) - kl) < 5 * standard_error)


def test_gradient_of_the_kl_is_the_concentration_times_the_variance():
    for size, kappa in itertools.product((2, 3, 20), (0.2, 3.0, 40.0)):
        with tf.GradientTape() as tape:
            concentration = tf.constant(kappa, tf.float64)
            tape.watch(concentration)
            q = ReparameterizedVonMisesFisher(tf.constant(unit_vector(size)), concentration)
            kl = tfd.kl_divergence(q, tfd.SphericalUniform(size))
        np.testing.assert_allclose(
            tape.gradient(kl, concentration), kappa * mean_length_slope(size, kappa), rtol=1e-8, atol=1e-14
        )


def test_kl_is_found_from_the_layer_and_broadcasts():
    q = VonMisesFisher(4)(np.random.default_rng(0).normal(size=(3, 5)).astype("float32"))
    uniform = tfd.SphericalUniform(4)
    assert exact_kl_or_none(q, uniform) is not None
    np.testing.assert_array_equal(exact_kl(q, uniform), q.kl_divergence(uniform))
    assert tfd.kl_divergence(q, uniform).shape == (3,)
    assert tfd.kl_divergence(q, tfd.SphericalUniform(4, batch_shape=[2, 1])).shape == (2, 3)
    with pytest.raises(ValueError, match="equal event shapes"):
        tfd.kl_divergence(q, tfd.SphericalUniform(5))


# The layer


def test_layer_is_written_out():
    params = np.random.default_rng(0).normal(scale=3.0, size=(5, 4))
    q = VonMisesFisher(3, dtype="float64")(tf.constant(params))
    direction = params[:, :3] / np.linalg.norm(params[:, :3], axis=-1, keepdims=True)
    np.testing.assert_allclose(q.mean_direction, direction, rtol=1e-12)
    np.testing.assert_allclose(q.concentration, np.log1p(np.exp(params[:, 3])) + 1e-5, rtol=1e-12)
    assert q.reparameterization_type == tfd.FULLY_REPARAMETERIZED


def values_and_gradients(params):
    params = tf.constant(params, tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(params)
        q = VonMisesFisher(3)(params)
        z = q.sample(4, seed=(1, 2))
        weighted = z * [1.0, -2.0, 3.0]
        values = [weighted, q.log_prob(tf.stop_gradient(z)), q.kl_divergence(tfd.SphericalUniform(3)), q.mean()]
    return [*values, *(tape.gradient(value, params) for value in values)]


@pytest.mark.parametrize(
    ("raw", "direction"),
    slow_except(
        itertools.product(
            [-1e4, -20.0, 0.0, 1e4, 1e10], [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [3e30, -1e30, 2e30]]
        ),
        (-1e4, [3e30, -1e30, 2e30]),
        (-20.0, [1.0, 0.0, 0.0]),
        (0.0, [0.0, 0.0, 0.0]),
        (1e4, [-1.0, 0.0, 0.0]),
        (1e10, [0.0, 0.0, 0.0]),
        (1e10, [3e30, -1e30, 2e30]),
    ),
)
def test_extreme_parameters_are_finite_and_their_gradients_too(direction, raw):
    params = [[*direction, raw]]
    for value in values_and_gradients(params):
        assert np.isfinite(value).all()
    norm = np.linalg.norm(VonMisesFisher(3)(tf.constant(params)).mean_direction, axis=-1)
    np.testing.assert_allclose(norm, 1.0, atol=1e-6)


def test_a_direction_of_length_zero_can_be_left():
    by_direction = np.asarray(values_and_gradients([[0.0, 0.0, 0.0, 2.0]])[4])[0, :3]
    np.testing.assert_allclose(by_direction[0], 0.0, atol=1e-6)  # along itself
    assert np.all(by_direction[1:] != 0.0)


@pytest.mark.parametrize("batch_shape", [(), (0,), (2, 1, 3, 1, 2)])
def test_batch_shapes(batch_shape):
    q = VonMisesFisher(3)(np.random.default_rng(0).normal(size=(*batch_shape, 4)).astype("float32"))
    z = q.sample(5, seed=(1, 2))
    assert z.shape == (5, *batch_shape, 3)
    assert q.log_prob(z).shape == (5, *batch_shape)
    for values in (q.mean(), q.variance(), q.mode()):
        assert values.shape == (*batch_shape, 3)
    assert q.covariance().shape == (*batch_shape, 3, 3)
    assert q.entropy().shape == q.kl_divergence(tfd.SphericalUniform(3)).shape == batch_shape


@pytest.mark.parametrize("event_size", [1, 0, -2, None, (2, None)])
def test_impossible_sizes_are_refused(event_size):
    with pytest.raises(ValueError, match=r"at least 2|at least 1|event shape"):
        VonMisesFisher(event_size)
    with pytest.raises(ValueError, match=r"at least 2|at least 1|event shape"):
        VonMisesFisher.params_size(event_size)


def test_validate_args_wants_unit_vectors():
    q = VonMisesFisher(3, validate_args=True)(np.ones((2, 4), "float32"))
    q.log_prob(np.eye(3, dtype="float32")[:2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="unit length"):
        q.log_prob(np.ones((2, 3), "float32"))


@pytest.mark.slow
def test_hyperspherical_vae_trains_saves_and_loads(digits, tmp_path):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="tanh"),
            keras.layers.Dense(VonMisesFisher.params_size(4)),
            VonMisesFisher(4),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.layers.Dense(32, activation="tanh"),
            keras.layers.Dense(64),
            tfvae.layers.IndependentBernoulli((8, 8, 1)),
        ]
    )
    vae = tfvae.models.VAE(encoder, decoder, prior=tfvae.priors.Fixed(tfd.SphericalUniform(4)))
    vae.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    history = vae.fit(digits.train.batches(100, seed=0), epochs=6, verbose=0).history
    assert history["elbo"][-1] > history["elbo"][0] + 5.0
    assert history["kl"][-1] > 0.5, "the latents are used"
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    x = next(iter(digits.test.batches(10)))
    np.testing.assert_array_equal(loaded.encode(x).mean(), vae.encode(x).mean())
    np.testing.assert_allclose(loaded.elbo(x, seed=1), vae.elbo(x, seed=1), rtol=1e-5)
    np.testing.assert_array_equal(loaded.sample(3, seed=2), vae.sample(3, seed=2))
