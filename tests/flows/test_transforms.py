"""What every transform of a flow must do: invert, know its Jacobian, start as the identity, train and be saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae import flows
from tfvae._dtype_policy import dtype_policy
from tfvae.estimators import SGVB
from tfvae.layers import IndependentNormal, MultivariateNormalDiag, NormalizingFlow
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.priors import Flow, StandardNormal

tfd = tfp.distributions
D = 4
# One line for each transform, with its arguments.
TRANSFORMS = {
    "planar": lambda: flows.Planar(),
    "radial": lambda: flows.Radial(),
    "sylvester": lambda: flows.Sylvester(3),
    "sylvester_householder": lambda: flows.Sylvester(D, num_reflections=2),
    "sylvester_triangular": lambda: flows.Sylvester(D, num_reflections=0),
    "inverse autoregressive": lambda: flows.InverseAutoregressive((8, 8), input_order="right-to-left"),
    "inverse autoregressive, context": lambda: flows.InverseAutoregressive((8,), context_size=3),
    "reverse": lambda: flows.Reverse(),
    "coupling": lambda: flows.Coupling((8, 8)),
    "coupling, context": lambda: flows.Coupling((8,), context_size=3, input_order="right-to-left"),
    "spline": lambda: flows.Spline((8, 8), input_order="right-to-left"),
    "spline, context": lambda: flows.Spline((8,), num_bins=5, bound=3.0, context_size=3),
}
# The others differ from these in their arguments only.
FAST = [kind for kind in TRANSFORMS if not kind.startswith("sylvester_")]
# Standard deviation of raw parameters that bend space strongly.
STRONG = 2.0


@pytest.fixture(params=slow_except(TRANSFORMS, *FAST))
def transform(request):
    keras.utils.set_random_seed(1)
    one = TRANSFORMS[request.param]()
    one.build((None, D))
    shake(one.variables)
    return one


def shake(variables, scale=0.5):
    rng = np.random.default_rng(5)
    for variable in variables:
        if variable.dtype.startswith("float"):
            variable.assign(np.asarray(variable) + rng.normal(scale=scale, size=variable.shape))


def jacobians(fn, *inputs):
    """The derivatives `[B, D, N]` of a function's D outputs by each input, whose examples are independent."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs = tf.unstack(fn(*inputs)[0], axis=-1)
    by_output = [tape.gradient(one, inputs, unconnected_gradients="zero") for one in outputs]
    return [np.stack(found, axis=1).astype("float64") for found in zip(*by_output, strict=True)]


def normal(*shape, seed=0, scale=1.0):
    return tf.constant(np.random.default_rng(seed).normal(scale=scale, size=shape), tf.float32)


@pytest.mark.parametrize("scale", [0.3, STRONG])
def test_inverse_and_jacobian(transform, scale):
    u = normal(64, D)
    parameters = normal(64, transform.params_size(D), seed=1, scale=scale)
    z, log_det = transform.forward(u, parameters)
    _, expected = np.linalg.slogdet(jacobians(transform.forward, u, parameters)[0])
    np.testing.assert_allclose(log_det, expected, rtol=1e-4, atol=1e-4)
    back, log_det_back = transform.inverse(z, parameters)
    again, _ = transform.forward(back, parameters)
    np.testing.assert_allclose(again, z, rtol=1e-4, atol=1e-4)
    # How far u itself can move within the rounding of z is the flow's own condition number.
    conditioned = expected > -3.0
    np.testing.assert_allclose(back[conditioned], u[conditioned], atol=2e-3)
    np.testing.assert_allclose(log_det_back[conditioned], log_det[conditioned], atol=5e-3)


def test_gradients_of_the_inverse(transform):
    """By z and by the parameters, against those of the forward map: du/dz = (dz/du)^-1, du/dp = -(dz/du)^-1 dz/dp."""
    u = normal(8, D)
    parameters = normal(8, transform.params_size(D), seed=1, scale=0.3)
    by_u, by_parameters = jacobians(transform.forward, u, parameters)
    back_by_z, back_by_parameters = jacobians(transform.inverse, transform.forward(u, parameters)[0], parameters)
    np.testing.assert_allclose(back_by_z, np.linalg.inv(by_u), rtol=1e-2, atol=2e-3)
    np.testing.assert_allclose(back_by_parameters, -np.linalg.inv(by_u) @ by_parameters, rtol=1e-2, atol=2e-3)


def test_leading_axes_broadcast(transform):
    u, parameters = normal(3, 5, D), normal(5, transform.params_size(D), seed=1, scale=0.3)
    z, log_det = transform.forward(u, parameters)
    assert z.shape == (3, 5, D)
    assert log_det.shape == (3, 5)
    one, one_log_det = transform.forward(u[1], parameters)
    np.testing.assert_allclose(z[1], one, atol=1e-6)
    np.testing.assert_allclose(log_det[1], one_log_det, atol=1e-6)
    back, _ = transform.inverse(z, parameters)
    np.testing.assert_allclose(back, u, atol=1e-3)


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_starts_as_the_identity_bit_for_bit(kind):
    """With raw parameters of zero, and with the initial ones: the bound is that of the model without a flow."""
    one = TRANSFORMS[kind]()
    one.build((None, D))
    for parameters in (
        np.zeros(one.params_size(D)),
        one.initial_parameters(D, np.random.default_rng(0)),
    ):
        u = normal(32, D, scale=3.0)
        z, log_det = one.forward(u, tf.constant(parameters, tf.float32))
        np.testing.assert_array_equal(z, u[..., ::-1] if kind == "reverse" else u)
        np.testing.assert_array_equal(log_det, np.zeros(32))


def small_vae(transforms, prior=None):
    keras.utils.set_random_seed(3)
    size = 2 * D if transforms is None else NormalizingFlow.params_size(D, transforms)
    last = MultivariateNormalDiag(D) if transforms is None else NormalizingFlow(D, transforms)
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(size), last])
    decoder = keras.Sequential([keras.Input((D,)), keras.layers.Dense(12), IndependentNormal(6)])
    return VAE(encoder, decoder, prior or StandardNormal(D), SGVB(kl="monte_carlo"), seed=0)


def all_transforms():
    """One of each class; a second reversal restores the order of the first."""
    one_of_each = {type(transform): transform for transform in (make() for make in TRANSFORMS.values())}
    return [*one_of_each.values(), flows.Reverse()]


def test_bound_at_the_identity_is_that_of_the_base():
    x = normal(16, 6, seed=2)
    flow = small_vae(all_transforms())
    dense = flow.encoder.layers[0]
    kernel, bias = (np.array(weight) for weight in dense.weights)
    kernel[:, 2 * D :] = 0.0
    dense.set_weights([kernel, bias])
    # The same product: one of another width may round otherwise.
    cut = keras.layers.Lambda(lambda parameters: parameters[..., : 2 * D])
    encoder = keras.Sequential([keras.Input((6,)), dense, cut, MultivariateNormalDiag(D)])
    base = VAE(encoder, flow.decoder, StandardNormal(D))
    bounds = [SGVB(kl="monte_carlo")(vae.problem(Batch(x)), beta=1.0, seed=(0, 1)).bound for vae in (flow, base)]
    np.testing.assert_array_equal(*bounds)


def test_posterior_of_all_trains_and_loads(tmp_path):
    x = normal(32, 6, seed=2).numpy()
    vae = small_vae(all_transforms())
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    before = [np.array(variable) for variable in vae.trainable_variables]
    vae.fit(x, epochs=1, batch_size=16, verbose=0)
    for old, variable in zip(before, vae.trainable_variables, strict=True):
        assert not np.array_equal(old, variable), variable.path
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    z, log_q = vae.encode(x).experimental_sample_and_log_prob(seed=(1, 2))
    z_loaded, log_q_loaded = loaded.encode(x).experimental_sample_and_log_prob(seed=(1, 2))
    np.testing.assert_array_equal(z, z_loaded)
    np.testing.assert_array_equal(log_q, log_q_loaded)
    # The density of a copy takes the inverse.
    np.testing.assert_allclose(vae.encode(x).log_prob(np.array(z)), log_q, atol=1e-3)


def test_prior_of_all_starts_as_normal_samples_and_loads(tmp_path):
    prior = Flow(D, transforms=all_transforms(), seed=1)
    z = normal(20, D)
    np.testing.assert_allclose(prior(z), StandardNormal(D)(z), atol=1e-5)
    vae = small_vae(None, prior)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    vae.fit(normal(32, 6, seed=2).numpy(), epochs=1, batch_size=16, verbose=0)
    assert not np.allclose(prior(z), StandardNormal(D)(z), atol=1e-4)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.prior(z), prior(z))
    draws, log_p = prior.distribution().experimental_sample_and_log_prob(50, seed=(0, 1))
    np.testing.assert_allclose(prior(np.array(draws)), log_p, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRANSFORMS)
def test_xla_and_double_precision(kind):
    with dtype_policy("float64"):
        one = TRANSFORMS[kind]()
        one.build((None, D))
    shake(one.variables)
    u = tf.cast(normal(16, D), tf.float64)
    parameters = tf.cast(normal(16, one.params_size(D), seed=1), tf.float64)

    @tf.function(jit_compile=True)
    def there_and_back(u, parameters):
        z, log_det = one.forward(u, parameters)
        return z, log_det, *one.inverse(z, parameters)

    z, log_det, back, log_det_back = there_and_back(u, parameters)
    assert {each.dtype for each in (z, log_det, back, log_det_back)} == {tf.float64}
    np.testing.assert_allclose(back, u, atol=1e-9)
    np.testing.assert_allclose(log_det_back, log_det, atol=1e-9)


def test_errors():
    with pytest.raises(TypeError, match="must be a list of transforms"):
        NormalizingFlow(D, ["planar"])
    with pytest.raises(ValueError, match="at least one"):
        NormalizingFlow(D, [])
    one = flows.Planar()
    with pytest.raises(ValueError, match="each one once"):
        Flow(D, transforms=[one, one])


def test_moments_are_averages_over_fixed_draws():
    flow = NormalizingFlow(D, [flows.Planar(), flows.Radial()])
    flow.build((None, flow.parameters_size))
    raw = normal(3, flow.parameters_size, seed=1)
    one = flow.make_distribution(raw)
    z = one.sample(20_000, seed=(0, 1)).numpy()
    np.testing.assert_allclose((one.mean() - z.mean(axis=0)) / z.std(axis=0), 0, atol=5 / 128**0.5)
    np.testing.assert_allclose(one.stddev() / z.std(axis=0), 1, atol=0.3)
    np.testing.assert_array_equal(one.mean(), flow.make_distribution(raw).mean())
    base = flow.make_distribution(tf.concat([raw[:, : 2 * D], tf.zeros_like(raw[:, 2 * D :])], axis=-1))
    np.testing.assert_allclose(base.mean(), raw[:, :D], atol=1e-5)
    np.testing.assert_allclose(base.stddev(), base.distribution.stddev(), rtol=1e-5)
