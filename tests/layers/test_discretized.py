"""Pixels on a grid: masses, moments and samples against sums over all values, TFP and numpy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats
from scipy.special import expit, logsumexp
from slow import slow_except

from tfvae.layers import DiscretizedLogistic, DiscretizedLogisticMixture
from tfvae.layers._discretized import Discretized
from tfvae.layers._discretized_mixture import DiscretizedMixture

tfd = tfp.distributions

FIVE_STANDARD_ERRORS = stats.norm.sf(5.0)


def grid(num_bins, dtype="float64"):
    return (np.arange(num_bins) / (num_bins - 1)).astype(dtype)


def narrow_and_wide(dtype="float64"):
    """Locations inside and outside the range, scales from the floor to far beyond the range, broadcast."""
    loc = np.array([-3.0, -1.0, -0.71, 0.0, 0.123, 0.999, 1.4])
    scale = np.array([1e-5, 1e-3, 0.004, 0.05, 0.7, 6.0])
    return tf.constant(loc[:, np.newaxis], dtype), tf.constant(scale, dtype)


def masses(distribution, num_bins):
    """[num_bins, *batch], float64."""
    x = grid(num_bins, distribution.dtype.as_numpy_dtype)
    x = x.reshape(-1, *([1] * distribution.batch_shape.rank))
    return np.exp(np.asarray(distribution.log_prob(x), "float64"))


def assert_samples_follow(counts, probabilities):
    """A chi-square test that fails by chance as often as a normal variable is five standard errors off."""
    expected = counts.sum() * probabilities
    is_frequent = expected >= 5
    pooled = [np.append(a[is_frequent], a[~is_frequent].sum()) for a in (counts, expected)]
    if pooled[1][-1] < 5:  # too few for a cell of their own: a bound on their number instead
        assert pooled[0][-1] <= 5 + 5 * np.sqrt(5 + pooled[1][-1])
        pooled = [a[:-1] for a in pooled]
    statistic = np.sum((pooled[0] - pooled[1]) ** 2 / pooled[1])
    assert stats.chi2.sf(statistic, len(pooled[0]) - 1) > FIVE_STANDARD_ERRORS


@pytest.mark.parametrize("num_bins", [2, 3, 256])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_masses_sum_to_one(num_bins, dtype, tolerance):
    distribution = Discretized(*narrow_and_wide(dtype), num_bins)
    total = masses(distribution, num_bins).sum(axis=0)
    assert total.shape == (7, 6)
    np.testing.assert_allclose(total, 1.0, atol=tolerance)


@pytest.mark.parametrize("num_bins", [2, 5, 256])
def test_equal_to_tfp_quantized_distribution(num_bins):
    last = num_bins - 1
    loc, scale = narrow_and_wide()
    # TFP rounds up to whole numbers: its k is the interval (k - 1, k].
    quantized = tfd.QuantizedDistribution(
        tfd.Logistic((loc + 1) / 2 * last - 0.5, scale / 2 * last), low=0.0, high=float(last)
    )
    x = grid(num_bins).reshape(-1, 1, 1)
    np.testing.assert_allclose(Discretized(loc, scale, num_bins).log_prob(x), quantized.log_prob(x * last), rtol=1e-9)


@pytest.mark.parametrize("num_bins", [2, 3, 18, 256])
def test_moments_mode_and_entropy_are_the_sums_over_all_values(num_bins):
    distribution = Discretized(*narrow_and_wide(), num_bins)
    p, x = masses(distribution, num_bins), grid(num_bins).reshape(-1, 1, 1)
    mean = np.sum(p * x, axis=0)
    np.testing.assert_allclose(distribution.mean(), mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(distribution.variance(), np.sum(p * (x - mean) ** 2, axis=0), rtol=1e-10, atol=1e-30)
    np.testing.assert_allclose(distribution.entropy(), stats.entropy(p, axis=0), rtol=1e-10, atol=1e-15)
    mode = np.asarray(distribution.mode())
    np.testing.assert_allclose(mode * (num_bins - 1), np.round(mode * (num_bins - 1)), atol=1e-12)
    np.testing.assert_allclose(masses(distribution, num_bins).max(axis=0), distribution.prob(mode), rtol=1e-12)


def test_moments_in_float32_keep_the_digits_of_narrow_distributions():
    loc, scale = tf.constant([0.1, 0.1, -0.52, 1.2]), tf.constant([0.0008, 0.0004, 0.0006, 0.05])
    single = Discretized(loc, scale)
    double = Discretized(tf.cast(loc, tf.float64), tf.cast(scale, tf.float64))
    np.testing.assert_allclose(single.variance(), double.variance(), rtol=1e-4)
    np.testing.assert_allclose(single.mean(), double.mean(), rtol=1e-6)


def gradients(fn, *tensors):
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = fn(*tensors)
    return tape.gradient(y, tensors)


def all_moments(loc, scale):
    distribution = Discretized(loc, scale, 18)
    return distribution.mean() + 3.0 * distribution.variance() + 0.2 * distribution.entropy()


def all_moments_at_once(loc, scale):
    x = grid(18).reshape(-1, 1, 1)
    log_p = Discretized(loc, scale, 18).log_prob(x)
    p = tf.exp(log_p)
    mean = tf.reduce_sum(p * x, axis=0)
    return mean + tf.reduce_sum(p * (3.0 * (x - mean) ** 2 - 0.2 * log_p), axis=0)


def test_gradients_of_moments_are_those_of_the_sums():
    loc, scale = narrow_and_wide()
    scale = scale[2:]  # below, p log p has gradients of 1 / scale that cancel
    actual, expected = gradients(all_moments, loc, scale), gradients(all_moments_at_once, loc, scale)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("jit_compile", slow_except([False, True], True))
def test_moments_in_graph_and_xla_with_unknown_batch(jit_compile):
    spec = [tf.TensorSpec([None, None], tf.float64)] * 2

    @tf.function(input_signature=spec, jit_compile=jit_compile)
    def compiled(loc, scale):
        return all_moments(loc, scale), gradients(all_moments, loc, scale)

    loc, scale = narrow_and_wide()
    scale = scale[np.newaxis, 2:]
    value, gradient = compiled(loc, scale)
    np.testing.assert_allclose(value, all_moments(loc, scale), rtol=1e-12)
    for a, b in zip(gradient, gradients(all_moments, loc, scale), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_no_tensor_of_the_moments_holds_all_bins():
    moments = tf.function(lambda loc, scale: Discretized(loc, scale, 4096).mean())
    specs = [tf.TensorSpec([5, 7], tf.float64)] * 2
    graph = moments.get_concrete_function(*specs).graph
    bodies = [graph, *(function.graph for function in graph._functions.values())]
    outputs = [output for body in bodies for operation in body.get_operations() for output in operation.outputs]
    assert len(bodies) > 1, "the loop's body is there to be looked at"
    assert max(output.shape.num_elements() or 0 for output in outputs) <= 5 * 7 * 16
    loc, scale = tf.fill([5, 7], tf.constant(0.3, tf.float64)), tf.fill([5, 7], tf.constant(0.1, tf.float64))
    p = masses(Discretized(loc[0, 0], scale[0, 0], 4096), 4096)
    np.testing.assert_allclose(moments(loc, scale), np.sum(p * grid(4096)), rtol=1e-12)


def test_samples_follow_the_masses():
    num_bins, num_samples = 12, 20_000
    loc, scale = tf.constant([-0.9, 0.37, 0.0, 1.8]), tf.constant([0.3, 0.02, 2.0, 0.4])
    distribution = Discretized(loc, scale, num_bins)
    k = np.asarray(distribution.sample(num_samples, seed=(1, 2))) * (num_bins - 1)
    np.testing.assert_allclose(k, np.round(k), atol=1e-5)
    for i, p in enumerate(masses(distribution, num_bins).T):
        assert_samples_follow(np.bincount(np.round(k[:, i]).astype(int), minlength=num_bins), p)


@pytest.mark.parametrize(
    ("raw_scale", "loc"),
    slow_except(
        itertools.product([-1e4, -12.0, 0.0, 1e4, 1e30], [0.0, -1.0, 40.0, -1e6, 1e28]),
        (-1e4, -1.0),
        (-1e4, 1e28),
        (-12.0, -1e6),
        (0.0, 0.0),
        (0.0, 40.0),
        (0.0, 1e28),
        (1e4, -1e6),
        (1e30, 0.0),
        (1e30, 1e28),
    ),
)
def test_extreme_parameters_are_finite_and_their_gradients_too(loc, raw_scale):
    params = tf.constant([[loc] * 4 + [raw_scale] * 4], tf.float32)
    x = tf.constant([[0.0, 1.0, 128 / 255, 0.777]])
    with tf.GradientTape() as tape:
        tape.watch(params)
        pixels = DiscretizedLogistic.new(params, (4,)).distribution
        log_p = pixels.log_prob(x)
    gradient = np.asarray(tape.gradient(log_p, params))
    assert np.isfinite(log_p).all()
    assert np.isfinite(gradient).all()
    assert np.all(np.asarray(log_p) <= 0.0)
    scale = np.asarray(pixels.scale, "float64")
    assert np.all(scale >= 0.999e-5)
    if abs(loc) >= 40.0 and raw_scale <= 0.0:  # far out the mass falls like exp(-distance / scale)
        k = np.round(np.asarray(x) * 255)
        edge = (2 * k + np.sign(loc)) / 255 - 1  # the end of the bin that is nearer to loc
        is_inner = (k > 0) & (k < 255)
        expected = -np.abs(edge - loc) / scale + is_inner * np.log(-np.expm1(-2 / 255 / scale))
        is_tail = k == (255 if loc > 0 else 0)
        np.testing.assert_allclose(np.asarray(log_p)[~is_tail], expected[~is_tail], rtol=1e-4)
        np.testing.assert_allclose(gradient[0, :4][~is_tail[0]], -np.sign(loc) / scale[~is_tail], rtol=1e-4)
        np.testing.assert_allclose(np.asarray(log_p)[is_tail], 0.0, atol=1e-6)


def test_sharp_and_right_costs_no_bits():
    k = np.array([[3.0, 255.0, 100.0]])
    params = tf.constant(np.concatenate([2 * k / 255 - 1, np.full((1, 3), -50.0)], axis=-1))
    np.testing.assert_allclose(DiscretizedLogistic.new(params, (3,)).log_prob(k / 255), 0.0, atol=1e-12)


def test_zeros_are_a_broad_hump_in_mid_gray():
    pixels = DiscretizedLogistic((2, 1))(np.zeros((1, 4)))
    np.testing.assert_allclose(pixels.mean(), 0.5, atol=1e-12)
    assert np.all(np.asarray(pixels.stddev()) > 0.25)
    assert np.all(masses(pixels.distribution[0], 256) > 1e-3)


def test_off_grid_is_the_nearest_value_and_an_error_with_validate_args():
    params = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    k, off = np.array([[0.0, 7.0, 200.0, 255.0], [-0.3, 0.4, -0.45, 0.2]], "float32")
    layer = DiscretizedLogistic((4,))
    np.testing.assert_array_equal(layer(params).log_prob((k + off) / 255), layer(params).log_prob(k / 255))
    strict = DiscretizedLogistic((4,), validate_args=True)(params)
    np.testing.assert_array_equal(strict.log_prob(k / 255), layer(params).log_prob(k / 255))
    for i in (0, 1, 3):
        wrong = k.copy()
        wrong[i] += 0.2
        with pytest.raises(tf.errors.InvalidArgumentError, match="k / 255"):
            strict.log_prob(wrong / 255)


def test_every_8_bit_value_is_on_the_grid():
    pixels = tf.image.convert_image_dtype(np.arange(256, dtype="uint8"), tf.float32)
    strict = Discretized(tf.zeros([256]), tf.ones([256]), validate_args=True)
    np.testing.assert_allclose(np.exp(strict.log_prob(pixels)).sum(), 1.0, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="positive"):
        Discretized(tf.zeros([3]), tf.constant([1.0, 0.0, 2.0]), validate_args=True)


def test_layout_is_all_locs_then_all_raw_scales():
    params = np.random.default_rng(0).normal(size=(5, 12))
    pixels = DiscretizedLogistic.new(tf.constant(params), (3, 2), num_bins=9)
    x = np.random.default_rng(1).integers(9, size=(5, 3, 2)) / 8
    loc, scale = params[:, :6].reshape(5, 3, 2), np.log1p(np.exp(params[:, 6:])).reshape(5, 3, 2)
    y = 2 * x - 1
    upper = np.where(x == 1, 1.0, expit((y + 1 / 8 - loc) / scale))
    lower = np.where(x == 0, 0.0, expit((y - 1 / 8 - loc) / scale))
    np.testing.assert_allclose(pixels.log_prob(x), np.log(upper - lower).sum(axis=(1, 2)), rtol=1e-10)


def test_slices_and_broadcasts_like_a_tfp_distribution():
    distribution = Discretized(*narrow_and_wide(), num_bins=5)
    assert distribution.batch_shape == (7, 6)
    assert distribution.batch_shape_tensor().numpy().tolist() == [7, 6]
    part = distribution[2:4, 1]
    assert part.batch_shape == (2,)
    assert part.num_bins == 5
    np.testing.assert_array_equal(part.mean(), distribution.mean()[2:4, 1])
    assert distribution.sample(3, seed=(1, 2)).shape == (3, 7, 6)
    assert distribution.reparameterization_type == tfd.NOT_REPARAMETERIZED


@pytest.mark.parametrize("event_shape", [(), (3,), (2, 1, 3, 2)])
@pytest.mark.parametrize("batch_shape", [(), (4,), (2, 5), (0,)])
def test_event_and_batch_shapes(event_shape, batch_shape):
    layers = [(DiscretizedLogistic(event_shape, 7), DiscretizedLogistic.params_size(event_shape))]
    if event_shape:
        size = DiscretizedLogisticMixture.params_size(event_shape, 2)
        layers.append((DiscretizedLogisticMixture(event_shape, 2, 7), size))
    for layer, size in layers:
        pixels = layer(np.random.default_rng(0).normal(size=(*batch_shape, size)).astype("float32"))
        assert pixels.batch_shape == batch_shape
        assert pixels.event_shape == event_shape
        x = pixels.sample(3, seed=(1, 2))
        assert x.shape == (3, *batch_shape, *event_shape)
        assert pixels.log_prob(x).shape == (3, *batch_shape)
        assert pixels.mean().shape == (*batch_shape, *event_shape)


@pytest.mark.parametrize("num_bins", [1, 0, -3, 2.5, "8", None])
def test_impossible_number_of_bins_is_refused(num_bins):
    for make in (lambda: DiscretizedLogistic((3,), num_bins), lambda: DiscretizedLogisticMixture((3,), 2, num_bins)):
        with pytest.raises(ValueError, match=r"`num_bins` must be an integer of at least 2\. Received: num_bins="):
            make()


# Mixtures


def mixture_parameters(*batch_shape, event_shape, num_components, scale=1.0, seed=0):
    size = DiscretizedLogisticMixture.params_size(event_shape, num_components)
    return tf.constant(np.random.default_rng(seed).normal(scale=scale, size=(*batch_shape, size)))


def all_pixels(num_bins, num_channels):
    return np.array(list(itertools.product(grid(num_bins), repeat=num_channels)))


def numpy_log_prob(params, x, num_components, num_bins):
    """The log mass of one pixel `[C]`, from its parameters `[M * (1 + 2 C + C (C - 1) / 2)]`, spelled out."""
    num_channels, last = len(x), num_bins - 1
    terms, logits = [], []
    for component in params.reshape(num_components, -1):
        rest = iter(component)
        logits.append(next(rest))
        loc = [next(rest) for _ in x]
        scale = [np.log1p(np.exp(next(rest))) for _ in x]
        log_p = 0.0
        for c in range(num_channels):
            center = loc[c] + sum(np.tanh(next(rest)) * (2 * x[j] - 1) for j in range(c))
            upper = 1.0 if x[c] == 1 else expit((2 * x[c] - 1 + 1 / last - center) / scale[c])
            lower = 0.0 if x[c] == 0 else expit((2 * x[c] - 1 - 1 / last - center) / scale[c])
            log_p += np.log(upper - lower)
        terms.append(log_p)
    return logsumexp(np.array(terms) + logits) - logsumexp(logits)


@pytest.mark.parametrize(("num_bins", "num_channels", "num_components"), [(4, 3, 2), (6, 2, 3), (5, 1, 4), (3, 4, 1)])
def test_masses_of_all_pixels_sum_to_one(num_bins, num_channels, num_components):
    params = mixture_parameters(5, event_shape=(num_channels,), num_components=num_components, scale=2.0)
    pixel = DiscretizedLogisticMixture.new(params, (num_channels,), num_components, num_bins)
    log_p = pixel.log_prob(all_pixels(num_bins, num_channels)[:, np.newaxis])
    np.testing.assert_allclose(np.exp(log_p).sum(axis=0), 1.0, atol=1e-12)


@pytest.mark.parametrize(("event_shape", "num_components"), [((2, 1, 3), 2), ((3, 4), 3), ((2, 1), 2)])
def test_mixture_against_numpy(event_shape, num_components):
    params = mixture_parameters(2, event_shape=event_shape, num_components=num_components)
    x = np.random.default_rng(1).integers(9, size=(2, *event_shape)) / 8
    flat = params.numpy().reshape(2, np.prod(event_shape[:-1], dtype=int), -1)  # pixel after pixel
    pixels = x.reshape(2, -1, event_shape[-1])
    expected = [
        sum(numpy_log_prob(p, v, num_components, 9) for p, v in zip(*pair, strict=True))
        for pair in zip(flat, pixels, strict=True)
    ]
    mixture = DiscretizedLogisticMixture(event_shape, num_components, num_bins=9, dtype="float64")
    np.testing.assert_allclose(mixture(params).log_prob(x), expected, rtol=1e-10)


def test_mixture_samples_follow_the_masses():
    num_bins, num_channels, num_samples = 4, 3, 20_000
    params = mixture_parameters(3, event_shape=(num_channels,), num_components=2, scale=1.5, seed=3)
    pixel = DiscretizedLogisticMixture.new(params, (num_channels,), 2, num_bins)
    p = np.exp(pixel.log_prob(all_pixels(num_bins, num_channels)[:, np.newaxis]))
    samples = np.round(np.asarray(pixel.sample(num_samples, seed=(1, 2))) * (num_bins - 1)).astype(int)
    cells = np.ravel_multi_index(np.moveaxis(samples, -1, 0), [num_bins] * num_channels)
    for i in range(3):
        assert_samples_follow(np.bincount(cells[:, i], minlength=num_bins**num_channels), p[:, i])


def test_channels_of_a_pixel_share_the_component_and_pixels_do_not():
    # Two components, all black and all white, and two pixels of two channels.
    params = np.zeros((1, 2, 2, 6))
    params[..., 1:3] = np.array([-1.0, 1.0])[:, np.newaxis]
    params[..., 3:5] = -12.0
    sample = DiscretizedLogisticMixture.new(tf.constant(params.reshape(1, -1)), (2, 2), 2).sample(4000, seed=(3, 4))
    sample = np.asarray(sample)[:, 0]  # [S, pixel, channel]
    np.testing.assert_array_equal(sample[..., 0], sample[..., 1])
    both = sample[:, 0, 0] * sample[:, 1, 0]
    assert set(np.unique(sample)) == {0.0, 1.0}
    np.testing.assert_allclose(both.mean(), 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 4000))


def test_one_component_of_one_channel_is_the_discretized_logistic():
    params = np.random.default_rng(0).normal(scale=3.0, size=(5, 6, 2))
    with_logits = np.concatenate([np.full((5, 6, 1), 0.7), params], axis=-1).reshape(5, -1)
    mixture = DiscretizedLogisticMixture.new(tf.constant(with_logits), (3, 2, 1), 1)
    single = DiscretizedLogistic.new(tf.constant(np.concatenate([params[..., 0], params[..., 1]], axis=-1)), (3, 2, 1))
    x = np.random.default_rng(1).integers(256, size=(5, 3, 2, 1)) / 255
    np.testing.assert_allclose(mixture.log_prob(x), single.log_prob(x), rtol=1e-12)
    np.testing.assert_allclose(mixture.mean(), single.mean(), rtol=1e-12)


def brute_mean(pixel, num_bins):
    x = all_pixels(num_bins, pixel.event_shape[0])
    p = np.exp(pixel.log_prob(x[:, np.newaxis]))
    return np.einsum("nb,nc->bc", p, x)


def test_mean_of_one_channel_and_of_the_first_is_exact():
    one = DiscretizedLogisticMixture.new(mixture_parameters(4, event_shape=(1,), num_components=3), (1,), 3, 9)
    np.testing.assert_allclose(one.mean(), brute_mean(one, 9), rtol=1e-12)
    three = DiscretizedLogisticMixture.new(mixture_parameters(4, event_shape=(3,), num_components=2), (3,), 2, 9)
    np.testing.assert_allclose(three.mean()[:, 0], brute_mean(three, 9)[:, 0], rtol=1e-12)


def test_mean_of_later_channels_is_right_where_nothing_is_clipped():
    rng = np.random.default_rng(0)
    shape = (4, 2, 3)
    # A scale of about one bin, which hides the rounding, and 13 scales from the ends of the range.
    pixel = DiscretizedMixture(
        rng.normal(size=shape[:-1]),
        rng.uniform(-0.1, 0.1, size=shape),
        np.full(shape, 0.06),
        rng.uniform(-0.4, 0.4, size=shape),
        num_bins=33,
    )
    expected = brute_mean(pixel, 33)
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(pixel.mean(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("raw_coefficient", "raw_scale", "loc"),
    slow_except(
        itertools.product([0.3, -1e30], [-1e4, 0.0, 1e30], [0.0, -1e6, 1e27]),
        (0.3, -1e4, 0.0),
        (0.3, 0.0, -1e6),
        (0.3, 1e30, 1e27),
        (-1e30, -1e4, 1e27),
        (-1e30, 0.0, 0.0),
        (-1e30, 1e30, -1e6),
    ),
)
def test_extreme_parameters_of_mixtures_are_finite_and_their_gradients_too(loc, raw_scale, raw_coefficient):
    params = np.array([0.5, loc, loc, -loc, *[raw_scale] * 3, *[raw_coefficient] * 3], "float32")
    params = tf.constant(np.stack([params, -params])[np.newaxis].reshape(1, -1))
    x = tf.constant([[0.0, 1.0, 128 / 255], [1.0, 0.5, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(params)
        log_p = DiscretizedLogisticMixture.new(params, (3,), 2).log_prob(x)
    assert np.isfinite(log_p).all()
    assert np.isfinite(tape.gradient(log_p, params)).all()


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_mixture_mean_and_gradient_in_graph_and_xla(jit_compile):
    params = mixture_parameters(4, event_shape=(2, 3), num_components=2)

    def mean_and_gradient(params):
        with tf.GradientTape() as tape:
            tape.watch(params)
            mean = DiscretizedLogisticMixture.new(params, (2, 3), 2, 9).mean()
        return mean, tape.gradient(mean, params)

    spec = [tf.TensorSpec([None, params.shape[-1]], tf.float64)]
    compiled = tf.function(mean_and_gradient, input_signature=spec, jit_compile=jit_compile)
    for a, b in zip(compiled(params), mean_and_gradient(params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


def test_params_size_of_mixtures():
    assert DiscretizedLogisticMixture.params_size((32, 32, 3), 10) == 32 * 32 * 100
    assert DiscretizedLogisticMixture.params_size((28, 28, 1), 5) == 28 * 28 * 15
    assert DiscretizedLogisticMixture.params_size(2, 1) == 6


@pytest.mark.parametrize("event_shape", [(), (4, 0)])
def test_mixtures_need_a_channel_axis(event_shape):
    with pytest.raises(ValueError, match="last axis of `event_shape` must be the channels"):
        DiscretizedLogisticMixture(event_shape, 2)
    with pytest.raises(ValueError, match="last axis of `event_shape` must be the channels"):
        DiscretizedLogisticMixture.params_size(event_shape, 2)


@pytest.mark.parametrize("num_components", [0, -1, 1.5, None, (2,)])
def test_impossible_number_of_components_is_refused(num_components):
    with pytest.raises(ValueError, match=r"must be an integer of at least 1\. Received: num_components="):
        DiscretizedLogisticMixture((3,), num_components)
