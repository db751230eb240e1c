"""Transforms with networks: what each output may depend on, TFP's numbers, contexts, orders, precisions and XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from numpy.testing import assert_allclose, assert_array_equal

from tfvae import flows
from tfvae.flows import _rational_quadratic
from tfvae.layers import IndependentNormal, NormalizingFlow
from tfvae.models import VAE

tfb = tfp.bijectors
D = 5
KINDS = {"autoregressive": flows.InverseAutoregressive, "coupling": flows.Coupling, "spline": flows.Spline}


def some(*shape, seed=0, dtype="float32"):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def trained(kind, **arguments):
    """A transform far from the identity."""
    keras.utils.set_random_seed(0)
    transform = KINDS[kind]((8,), **arguments)
    transform.build((None, D))
    for seed, variable in enumerate(transform.trainable_variables):
        variable.assign(variable + 0.5 * some(*variable.shape, seed=seed))
    return transform


def dependencies(transform):
    """Which outputs `[D]` depend on which inputs `[D]`."""
    u, none = some(D), tf.zeros([0])
    return (transform.forward(u + tf.eye(D), none)[0] != transform.forward(tf.stack([u] * D), none)[0]).numpy().T


def test_order_of_the_elements():
    earlier = np.tril(np.ones((D, D), bool))
    assert_array_equal(dependencies(trained("autoregressive")), earlier)
    assert_array_equal(dependencies(trained("autoregressive", input_order="right-to-left")), earlier[::-1, ::-1])
    for kind in ("coupling", "spline"):
        halves = np.eye(D, dtype=bool)
        halves[2:, :2] = True
        assert_array_equal(dependencies(trained(kind)), halves)
        assert_array_equal(dependencies(trained(kind, input_order="right-to-left")), halves[::-1, ::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_context_moves_every_changed_element_of_its_example_alone(kind):
    transform, u, context = trained(kind, context_size=3), some(2, D), some(2, 3, seed=1)
    z, log_det = transform.forward(u, context)
    other, other_log_det = transform.forward(u, tf.stack([context[0], context[1] + 1]))
    assert_array_equal(np.array(z)[0], np.array(other)[0])
    changed = D if kind == "autoregressive" else 3
    assert np.sum(np.array(z)[1] != np.array(other)[1]) == changed
    assert log_det[1] != other_log_det[1]


@pytest.mark.parametrize("kind", KINDS)
def test_context_does_nothing_at_the_start(kind):
    transform, u = KINDS[kind](context_size=3), some(7, D)
    transform.build((None, D))
    z, log_det = transform.forward(u, 10 * some(7, 3))
    assert_array_equal(z, u)
    assert_array_equal(log_det, np.zeros(7))


@pytest.mark.parametrize("kind", KINDS)
def test_one_value_for_many_contexts(kind):
    """A value of event shape alone broadcasts, as for other distributions of a batch."""
    transform, context = trained(kind, context_size=3), some(4, 3)
    z, log_det = transform.forward(some(D), context)
    repeated, repeated_log_det = transform.forward(tf.tile(some(D)[None], [4, 1]), context)
    assert_allclose(z, repeated, atol=1e-6)
    assert_allclose(log_det, repeated_log_det, atol=1e-6)
    back, _ = transform.inverse(z[0], context)
    assert_allclose(back[0], some(D), atol=1e-4)


def test_coupling_is_the_real_nvp_of_tfp():
    transform, u = trained("coupling"), some(7, D)

    def shift_and_log_scale(kept, _):
        shift, raw = tf.unstack(transform.conditioner(kept, None), axis=-1)
        return shift, 3 * tf.tanh(raw / 3)

    theirs = tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=shift_and_log_scale)
    z, log_det = transform.forward(u, tf.zeros([0]))
    assert_allclose(z, theirs.forward(u), atol=1e-6)
    assert_allclose(log_det, theirs.forward_log_det_jacobian(u, 1), atol=1e-6)


def test_autoregressive_is_the_flow_of_tfp():
    transform, u = trained("autoregressive", input_order="right-to-left"), some(7, D)

    def shift_and_log_scale(x):
        shift, raw = tf.unstack(transform.network(x), axis=-1)
        log_scale = 3 * tf.tanh(raw / 3)
        return -shift * tf.exp(-log_scale), -log_scale

    theirs = tfb.Invert(tfb.MaskedAutoregressiveFlow(shift_and_log_scale))
    z, log_det = transform.forward(u, tf.zeros([0]))
    assert_allclose(z, theirs.forward(u), atol=1e-5)
    assert_allclose(log_det, theirs.forward_log_det_jacobian(u, 1), atol=1e-5)
    assert_allclose(transform.inverse(z, tf.zeros([0]))[0], u, atol=1e-5)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_spline_is_that_of_tfp(direction):
    """In float64, for the same bins, from far outside to far outside, knots and bounds included."""
    transform = trained("spline", num_bins=6, bound=2.0, dtype="float64")
    grid = np.concatenate([np.linspace(-3, 3, 121), [-2.0, 2.0]])
    values = tf.concat([tf.zeros([123, 2], "float64"), tf.constant(grid)[:, None] + [[0.0, 0.01, -0.02]]], axis=-1)
    raw = transform.conditioner(values[:, :2], transform.context(tf.zeros([0])))
    bins = _rational_quadratic.bins_of(raw, num_bins=6, bound=2.0)
    theirs = tfb.RationalQuadraticSpline(
        bins.step * (1 + bins.width), bins.step * (1 + bins.height), 1 + bins.slope[..., 1:-1], range_min=-2.0
    )
    found, log_det = getattr(transform, direction)(values, tf.zeros([0]))
    expected = getattr(theirs, direction)(values[:, 2:])
    assert_allclose(found[:, 2:], expected, atol=1e-9)
    x = values[:, 2:] if direction == "forward" else expected
    assert_allclose(log_det, tf.reduce_sum(theirs.forward_log_det_jacobian(x), axis=-1), atol=1e-8)
    assert float(tf.reduce_max(tf.abs(found - values))) > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_that_of_float64(kind):
    single, double = trained(kind), trained(kind, dtype="float64")
    for one, other in zip(double.variables, single.variables, strict=True):
        one.assign(np.array(other))
    u = 2 * some(200, D)
    z, log_det = single.forward(u, tf.zeros([0]))
    z_double, log_det_double = double.forward(tf.cast(u, "float64"), tf.zeros([0]))
    assert z.dtype == log_det.dtype == "float32"
    assert z_double.dtype == log_det_double.dtype == "float64"
    assert_allclose(z, z_double, atol=1e-4)
    assert_allclose(log_det, log_det_double, atol=1e-4)
    assert_allclose(double.inverse(z_double, tf.zeros([0]))[0], u, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_seed_and_order_come_back(kind):
    first = KINDS[kind]((8,), activation="relu", input_order="right-to-left", seed=4)
    second = type(first).from_config(first.get_config())
    for one in (first, second):
        one.build((None, D))
    assert first.get_config() == second.get_config()
    for a, b in zip(first.variables, second.variables, strict=True):
        assert_array_equal(a, b)
    assert np.std(first.variables[0]) > 0


@pytest.mark.slow
def test_fit_with_xla_and_a_policy_of_half_precision():
    keras.utils.set_random_seed(0)
    half = {"dtype": "mixed_bfloat16"}
    transforms = [make((8,), context_size=2, **half) for make in KINDS.values()]
    posterior = NormalizingFlow(D, [transforms[0], flows.Reverse(), *transforms[1:]], **half)
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(posterior.parameters_size), posterior])
    vae = VAE(encoder, keras.Sequential([keras.Input((D,)), keras.layers.Dense(12), IndependentNormal(6)]))
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=True)
    x = some(40, 6).numpy()
    history = vae.fit(x, epochs=3, batch_size=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    z, log_q = vae.encode(x).experimental_sample_and_log_prob(seed=(0, 1))
    assert_allclose(vae.encode(x).log_prob(tf.identity(z)), log_q, atol=1e-3)


@pytest.mark.slow
def test_gradient_of_the_inverse_with_xla():
    transform, z = trained("autoregressive", context_size=3), some(4, D)

    def gradient(context):
        with tf.GradientTape() as tape:
            tape.watch(context)
            log_det = transform.inverse(z, context)[1]
        return tape.gradient(log_det, [context, *transform.trainable_variables])

    compiled = tf.function(gradient, jit_compile=True)(some(4, 3, seed=1))
    for one, other in zip(gradient(some(4, 3, seed=1)), compiled, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`input_order` must be 'left-to-right' or 'right-to-left'"):
        flows.Coupling(input_order="random")
    with pytest.raises(ValueError, match="`context_size` must be an integer of at least 0"):
        flows.InverseAutoregressive(context_size=-1)
    with pytest.raises(ValueError, match="`num_bins` must be an integer of at least 2"):
        flows.Spline(num_bins=1)
    with pytest.raises(ValueError, match="`bound` must be a finite number, above 0"):
        flows.Spline(bound=0.0)
