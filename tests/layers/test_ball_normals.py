"""Normal distributions on the Poincare ball: densities, draws and gradients against quadrature and differentiation."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats
from slow import slow_except

import tfvae
from tfvae._poincare import displacement, distance, max_norm
from tfvae.layers import PoincareNormal, RiemannianNormal
from tfvae.layers._ball_bijector import BallBijector
from tfvae.layers._ball_parameters import max_riemannian_scale, max_wrapped_scale
from tfvae.layers._ball_riemannian_normal import BallRiemannianNormal
from tfvae.layers._ball_wrapped_normal import BallWrappedNormal

tfd = tfp.distributions


def wrapped(loc, scale, curvature=1.0, dtype="float64"):
    """With scales that are not equal; `scale` is the first of them."""
    loc = tf.constant(np.asarray(loc) / math.sqrt(curvature), dtype)
    return BallWrappedNormal(loc, tf.constant(scale * np.linspace(1.0, 0.6, loc.shape[-1]), dtype), curvature)


def riemannian(loc, scale, curvature=1.0, dtype="float64"):
    return BallRiemannianNormal(tf.constant(np.asarray(loc) / math.sqrt(curvature), dtype), scale, curvature)


FAMILIES = {"wrapped": wrapped, "riemannian": riemannian}
PLANE, SPACE = [0.3, -0.5], [0.4, -0.2, 0.3]


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


class Disk:
    """Quadrature over the ball in the plane, in polar coordinates of the distance from a point and the angle there."""

    def __init__(self, center, curvature, farthest, num_radii=240, num_angles=240):
        nodes, weights = np.polynomial.legendre.leggauss(num_radii)
        t = (nodes + 1) / 2 * math.sqrt(curvature) * farthest
        angle = np.arange(num_angles) * 2 * np.pi / num_angles
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        w = np.tanh(t / 2)[:, np.newaxis, np.newaxis] * direction  # of the unit ball
        a = np.asarray(center, "float64")
        # The Mobius sum of a and w, and the volume of the metric, sinh(t) dt dangle / c.
        dot, aa, ww = (w @ a)[..., np.newaxis], a @ a, (w * w).sum(axis=-1, keepdims=True)
        z = ((1 + 2 * dot + ww) * a + (1 - aa) * w) / (1 + 2 * dot + aa * ww)
        self.z = z / math.sqrt(curvature)
        volume = np.sinh(t) * weights / 2 * t.max() / (nodes.max() + 1) * 2 * 2 * np.pi / num_angles / curvature
        factor = 2 / (1 - (z * z).sum(axis=-1))
        self.weight = volume[:, np.newaxis] / factor**2  # of dz

    def integral(self, values):
        return float(np.sum(np.asarray(values, "float64") * self.weight))


CASES = list(itertools.product(FAMILIES, [0.05, 0.7, 1.6], [0.3, 1.0, 2.5]))


@pytest.mark.parametrize(
    ("family", "scale", "c"), slow_except(CASES, ("wrapped", 0.7, 0.3), ("riemannian", 0.7, 2.5), ("wrapped", 1.6, 1.0))
)
def test_density_integrates_to_one(family, scale, c):
    # Most draws of the Riemannian normal are near sqrt(c) scale^2.
    disk = Disk(PLANE, c, 9 * scale + math.sqrt(c) * scale**2)
    for dtype, tolerance in (("float64", 1e-9), ("float32", 2e-5)):
        q = FAMILIES[family](PLANE, scale, c, dtype)
        np.testing.assert_allclose(disk.integral(np.exp(q.log_prob(disk.z.astype(dtype)))), 1.0, rtol=tolerance)


def test_density_is_that_of_the_velocity_over_the_jacobian_by_differentiation():
    c, q = 0.7, wrapped(SPACE, 0.8, 0.7)
    v = tf.constant(np.random.default_rng(0).normal(scale=0.8, size=(6, 3)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(v)
        z = q._move(v)
    jacobian = np.asarray(tape.batch_jacobian(z, v, experimental_use_pfor=False))
    log_det = np.linalg.slogdet(jacobian)[1]
    normal = stats.multivariate_normal(cov=np.diag(np.asarray(q.scale) ** 2))
    np.testing.assert_allclose(q.log_prob(z), normal.logpdf(v) - log_det, rtol=1e-10)
    # With respect to the volume of the ball, which is lambda^D dz.
    volume = 3 * np.log(2 / (1 - c * np.sum(np.asarray(z) ** 2, axis=-1)))
    np.testing.assert_allclose(q._log_density(z), normal.logpdf(v) - log_det - volume, rtol=1e-9)


def test_density_depends_on_the_distance_by_differences():
    q = riemannian(SPACE, 0.6, 0.7)
    z = q.sample(5, seed=(1, 2))
    half = np.asarray(distance(q.loc, z, 0.7))[:, 0] ** 2 / (2 * 0.6**2)
    found = np.asarray(q._log_density(z))
    np.testing.assert_allclose(found - found[0], half[0] - half, rtol=1e-9)


def test_both_measures_give_the_same_log_ratio(family):
    q, p = family(PLANE, 0.6), riemannian([0.0, 0.0], 0.9)
    z, log_q = q.experimental_sample_and_log_prob(7, seed=(1, 2))
    ratio = log_q - p.log_prob(z)
    np.testing.assert_allclose(ratio, q._log_density(z) - p._log_density(z), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_draws_come_with_their_density(family, dtype):
    q = family(SPACE, 0.5, 0.7, dtype)
    z, log_q = q.experimental_sample_and_log_prob((4, 3), seed=(1, 2))
    np.testing.assert_allclose(log_q, q.log_prob(z), rtol=1e-11 if dtype == "float64" else 1e-4, atol=1e-5)
    np.testing.assert_array_equal(z, q.sample((4, 3), seed=(1, 2)))
    assert z.shape == (4, 3, 3)
    assert z.dtype == dtype


def test_float32_is_float64(family):
    z = family(SPACE, 0.5, 0.7).sample(200, seed=(1, 2))
    exact = family(SPACE, 0.5, 0.7).log_prob(z)
    rounded = family(SPACE, 0.5, 0.7, "float32").log_prob(tf.cast(z, tf.float32))
    np.testing.assert_allclose(rounded, exact, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("size", slow_except([1, 2, 5, 20], 5))
def test_draws_follow_the_density_far_from_the_origin(family, size):
    """Of 4,000 draws, the squared distance from the location, and the direction to it."""
    num_samples, c = 4000, 0.7
    loc = np.full(size, 0.95 / math.sqrt(size))
    q = family(loc, 0.4, c)
    z = q.sample(num_samples, seed=(3, 4))
    v = np.asarray(displacement(q.loc, z, c))
    if isinstance(q, BallWrappedNormal):
        eps = v / np.asarray(q.scale)
        assert stats.kstest(eps.ravel(), "norm").pvalue > stats.norm.sf(5.0)
        return
    # E[d^2] = scale^3 d log Z / d scale, by differences of the normalising constant.
    step = 1e-4
    log_z = [
        -float(family(loc, 0.4 + sign * step, c)._log_density_at(tf.constant(0.0, tf.float64))) for sign in (1, -1)
    ]
    expected = 0.4**3 * (log_z[0] - log_z[1]) / (2 * step)
    squares = (v**2).sum(axis=-1)
    assert abs(squares.mean() - expected) < 5 * squares.std() / math.sqrt(num_samples)
    assert np.all(np.abs(v.mean(axis=0)) < 5 * v.std(axis=0) / math.sqrt(num_samples))


@pytest.mark.parametrize("c", [0.5])
def test_gradients_of_draws_are_differences_with_the_noise_fixed(family, c):
    loc, scale = np.array([[0.3, -0.2, 0.4], [0.0, 0.0, 0.0]]), np.array([[0.7, 0.5, 0.9], [0.2, 0.3, 0.1]])
    scale = scale if family is wrapped else scale[:, 0]
    cls = BallWrappedNormal if family is wrapped else BallRiemannianNormal
    weights = tf.constant(np.random.default_rng(0).normal(size=(4, 2, 3)))

    def value(loc, scale):
        z, log_q = cls(loc, scale, c).experimental_sample_and_log_prob(4, seed=(1, 2))
        return tf.reduce_sum(z * weights) + tf.reduce_sum(log_q * weights[..., 0])

    with tf.GradientTape() as tape:
        at = [tf.constant(loc), tf.constant(scale)]
        tape.watch(at)
        total = value(*at)
    gradients = tape.gradient(total, at)
    rng, step = np.random.default_rng(1), 1e-5
    for _ in range(3):
        a, b = rng.normal(size=loc.shape), rng.normal(size=scale.shape)
        moved = [float(value(tf.constant(loc + s * step * a), tf.constant(scale + s * step * b))) for s in (1, -1)]
        found = float(tf.reduce_sum(gradients[0] * a) + tf.reduce_sum(gradients[1] * b))
        np.testing.assert_allclose(found, (moved[0] - moved[1]) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_without_curvature_they_are_normal(family, dtype):
    c, loc, scale = 1e-6, np.array([0.3, -0.5, 0.1]), 0.8
    if family is wrapped:
        scales = scale * np.linspace(1.0, 0.6, 3)
        q = BallWrappedNormal(tf.constant(loc, dtype), tf.constant(scales, dtype), c)
    else:
        scales = np.full(3, scale)
        q = BallRiemannianNormal(tf.constant(loc, dtype), tf.constant(scale, dtype), c)
    z = q.sample(2000, seed=(1, 2))
    exact = stats.multivariate_normal(2 * loc, np.diag(scales**2)).logpdf(2 * np.asarray(z, "float64"))
    np.testing.assert_allclose(q.log_prob(z), exact + 3 * math.log(2), atol=1e-4)
    eps = (2 * np.asarray(z, "float64") - 2 * loc) / scales
    assert stats.kstest(eps.ravel(), "norm").pvalue > stats.norm.sf(5.0)


@pytest.mark.parametrize(("q", "p"), [("wrapped", "wrapped"), ("wrapped", "riemannian"), ("riemannian", "riemannian")])
def test_kl_by_monte_carlo_is_that_of_quadrature(q, p):
    c = 0.7
    q, p = FAMILIES[q](PLANE, 0.5, c), FAMILIES[p]([0.0, 0.0], 0.9, c)
    disk = Disk(PLANE, c, 6.0)
    log_q = np.asarray(q.log_prob(disk.z))
    exact = disk.integral(np.exp(log_q) * (log_q - np.asarray(p.log_prob(disk.z))))
    z, log_q = q.experimental_sample_and_log_prob(20_000, seed=(1, 2))
    ratio = np.asarray(log_q - p.log_prob(z))
    assert abs(ratio.mean() - exact) < 5 * ratio.std() / math.sqrt(len(ratio))


@pytest.mark.parametrize("family", slow_except(FAMILIES, "riemannian"))
def test_xla_gives_the_same_density_and_finite_gradients(family):
    family = FAMILIES[family]
    loc = np.array([[0.3, -0.2], [0.0, 0.0], [0.99, 0.0]], "float32")
    cls = BallWrappedNormal if family is wrapped else BallRiemannianNormal

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None])], jit_compile=True)
    def compiled(loc, scale):
        with tf.GradientTape() as tape:
            tape.watch([loc, scale])
            q = cls(loc, scale[:, tf.newaxis] if family is wrapped else scale)
            z, log_q = q.experimental_sample_and_log_prob(200, seed=(1, 2))
        return z, log_q, *tape.gradient(log_q, [loc, scale])

    scale = np.array([0.3, 0.9, 0.2], "float32")
    z, log_q, *gradients = compiled(loc, scale)
    q = cls(tf.constant(loc), tf.constant(scale[:, np.newaxis] if family is wrapped else scale))
    assert z.shape == (200, 3, 2)
    np.testing.assert_allclose(log_q, q.log_prob(z), rtol=1e-4, atol=2e-3)  # of points near the boundary
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_outside_of_the_ball_there_is_no_density(family):
    q = family(PLANE, 0.5, 4.0)
    np.testing.assert_array_equal(q.log_prob(np.array([[0.6, 0.0], [0.5, 0.0]])), [-np.inf, -np.inf])
    with tf.GradientTape() as tape:
        z = tf.constant([[0.6, 0.0], [0.1, 0.0]], tf.float64)
        tape.watch(z)
        log_prob = q.log_prob(z)
    assert np.isfinite(tape.gradient(log_prob, z)).all()
    cls = PoincareNormal if family is wrapped else RiemannianNormal
    layer = cls(2, 4.0, validate_args=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must lie in the ball of radius 0\.5"):
        layer(np.zeros((1, layer.parameters_size), "float32")).log_prob([[0.6, 0.0]])


@pytest.mark.parametrize("batch_shape", [(), (0,), (2, 1, 3)])
def test_batch_shapes_and_slices(family, batch_shape):
    cls = PoincareNormal if family is wrapped else RiemannianNormal
    layer = cls(3, 0.5)
    q = layer(np.random.default_rng(0).normal(size=(*batch_shape, layer.parameters_size)).astype("float32"))
    z = q.sample(5, seed=(1, 2))
    assert z.shape == (5, *batch_shape, 3)
    assert q.log_prob(z).shape == (5, *batch_shape)
    for moment in (q.mean(), q.variance(), q.stddev()):
        assert moment.shape == (*batch_shape, 3)
    if batch_shape == (2, 1, 3):
        plain = q.tensor_distribution
        np.testing.assert_allclose(plain[1, :, 2].log_prob(z[:, 1, :, 2]), q.log_prob(z)[:, 1, :, 2], rtol=1e-5)


def test_moments_are_about_those_of_draws(family):
    q = family(SPACE, 0.5)
    z = np.asarray(q.sample(4000, seed=(1, 2)))
    error = 0.15 * z.std(axis=0)  # of 128 fixed draws
    assert np.all(np.abs(q.mean() - z.mean(axis=0)) < error)
    np.testing.assert_allclose(q.stddev(), z.std(axis=0), rtol=0.15)


def test_the_bijector_is_the_exponential_map_with_its_determinant():
    bijector, u = BallBijector(0.7), tf.constant(np.random.default_rng(0).normal(size=(5, 3)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(u)
        z = bijector.forward(u)
    jacobian = np.asarray(tape.batch_jacobian(z, u, experimental_use_pfor=False))
    np.testing.assert_allclose(
        bijector.forward_log_det_jacobian(u, event_ndims=1), np.linalg.slogdet(jacobian)[1], rtol=1e-11
    )
    np.testing.assert_allclose(bijector.inverse(tf.identity(z)), u, rtol=1e-11)
    assert isinstance(wrapped(SPACE, 0.5, 0.7).experimental_default_event_space_bijector(), BallBijector)


# The layers


def test_parameters_are_written_out():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(4, 6))
    q = PoincareNormal(3, 0.7, dtype="float64")(raw)
    length = np.linalg.norm(raw[:, :3], axis=-1, keepdims=True) * math.sqrt(0.7)
    np.testing.assert_allclose(q.loc, np.tanh(length) / length * raw[:, :3], rtol=1e-12)
    np.testing.assert_allclose(q.scale, np.log1p(np.exp(raw[:, 3:])) + 1e-5, rtol=1e-12)
    one = PoincareNormal(3, 0.7, isotropic=True, dtype="float64")(raw[:, :4])
    np.testing.assert_allclose(one.scale, q.scale[:, :1], rtol=1e-12)
    same = PoincareNormal(3, 0.7, dtype="float64")(np.concatenate([raw[:, :3], np.tile(raw[:, 3:4], (1, 3))], axis=1))
    z = same.sample(seed=(1, 2))
    np.testing.assert_allclose(one.log_prob(z), same.log_prob(z), rtol=1e-12)
    r = RiemannianNormal(3, 0.7, dtype="float64")(raw[:, :4])
    np.testing.assert_allclose(r.scale, q.scale[:, 0], rtol=1e-12)
    np.testing.assert_allclose(r.loc, q.loc, rtol=1e-12)


EXTREME = [
    [0.0, 0.0, -1e4], [0.0, 0.0, 0.0], [1e-30, 0.0, 1e4], [1.0, -2.0, 30.0], [3e30, -1e30, -20.0], [60.0, 0.0, 1e10],
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cls", [PoincareNormal, RiemannianNormal])
def test_extreme_parameters_are_finite_and_their_gradients_too(cls, dtype):
    raw = np.array(EXTREME, dtype)
    if cls is PoincareNormal:
        raw = np.concatenate([raw, raw[:, 2:]], axis=1)
    prior = tfvae.priors.PoincareNormal(2, dtype=dtype).distribution()
    with tf.GradientTape(persistent=True) as tape:
        parameters = tf.constant(raw)
        tape.watch(parameters)
        q = cls(2, dtype=dtype)(parameters)
        z, log_q = q.tensor_distribution.experimental_sample_and_log_prob(50, seed=(1, 2))
        values = [z, log_q, q.log_prob(tf.stop_gradient(z)), prior.log_prob(z), q.mean(), q.stddev()]
    norms = np.linalg.norm(z, axis=-1)
    assert norms.max() <= max_norm(dtype) * (1 + 1e-7)
    for value in values:
        assert np.isfinite(value).all()
        assert np.isfinite(tape.gradient(value, parameters)).all()


@pytest.mark.parametrize("cls", [PoincareNormal, RiemannianNormal])
def test_a_location_beyond_the_limit_can_come_back(cls):
    layer = cls(2)
    raw = tf.constant([[9.0, 0.0, *[-2.0] * (layer.parameters_size - 2)]])
    with tf.GradientTape() as tape:
        tape.watch(raw)
        z = layer(raw).sample(200, seed=(1, 2))
        log_prior = tf.reduce_mean(tfvae.priors.PoincareNormal(2).distribution().log_prob(z))
    # d(0, loc) = 2 |raw|, so the gradient of -d^2 / 2 is about -2 d, less the part of the growing volume.
    gradient = np.asarray(tape.gradient(log_prior, raw))[0]
    assert gradient[0] < -5.0


def test_scales_are_limited_to_what_points_can_represent():
    for size, c, dtype in itertools.product((1, 2, 10, 100), (0.1, 1.0), (tf.float32, tf.float64)):
        for cls, limit in ((BallRiemannianNormal, max_riemannian_scale), (BallWrappedNormal, max_wrapped_scale)):
            scale = limit(size, c, dtype)
            q = cls(tf.zeros([size], dtype), tf.fill([1] if cls is BallWrappedNormal else [], tf.cast(scale, dtype)), c)
            norms = np.linalg.norm(q.sample(500, seed=(1, 2)), axis=-1) * math.sqrt(c)
            margin = 1.0 - max_norm(dtype)
            assert np.mean(1.0 - norms < 1.02 * margin) < 0.02
    with tf.GradientTape() as tape:
        raw = tf.constant([[0.0] * 20 + [5.0]])
        tape.watch(raw)
        scale = RiemannianNormal(20)(raw).scale
    np.testing.assert_allclose(scale, max_riemannian_scale(20, 1.0, tf.float32), rtol=1e-6)
    assert float(tape.gradient(scale, raw)[0, -1]) > 0.9, "with the gradient of the identity"


def test_bad_arguments_are_one_clear_error():
    for cls in (PoincareNormal, RiemannianNormal):
        with pytest.raises(ValueError, match=r"`curvature` must be a finite number, above 0\. Received: curvature=-1"):
            cls(2, -1)
        with pytest.raises(ValueError, match="`event_size` must be an integer of at least 1"):
            cls(0)
