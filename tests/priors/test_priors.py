"""Priors that learn: their densities by hand, and their life inside a VAE, a functional model and a file."""

import functools
import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except
from small_models import random_bits

import tfvae
from tfvae._kl import exact_kl, exact_kl_or_none
from tfvae.estimators import SGVB
from tfvae.layers import (
    IndependentBernoulli,
    IndependentNormal,
    KLDivergenceAddLoss,
    KLDivergenceRegularizer,
    MultivariateNormalDiag,
    MultivariateNormalTriL,
)
from tfvae.models import VAE
from tfvae.priors import Flow, MixtureOfGaussians, Normal, StandardNormal, VampPrior

tfd = tfp.distributions
PACKAGE = "tests_priors"
D, K = 3, 5
X = (4, 2, 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Net(keras.Model):
    """A subclassed encoder, whose distribution layer nobody can see from outside."""

    def __init__(self, latent_size, **kwargs):
        super().__init__(**kwargs)
        self.latent_size = latent_size
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(2 * latent_size)
        self.posterior = MultivariateNormalDiag(latent_size)

    def call(self, inputs):
        return self.posterior(self.dense(self.flatten(inputs)))

    def get_config(self):
        return {"latent_size": self.latent_size, "name": self.name}


def some(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def images(num_examples, seed=0):
    return random_bits(num_examples, X, seed)


def make_encoder(latent_size=D, known=True):
    layers = [
        keras.layers.Flatten(),
        keras.layers.Dense(MultivariateNormalDiag.params_size(latent_size)),
        MultivariateNormalDiag(latent_size),
    ]
    return keras.Sequential([keras.Input(X), *layers] if known else layers)


def functional_encoder():
    inputs = keras.Input(X)
    hidden = keras.layers.Conv2D(2, 3, activation="relu", padding="same")(inputs)
    parameters = keras.layers.Dense(MultivariateNormalTriL.params_size(D))(keras.layers.Flatten()(hidden))
    return keras.Model(inputs, MultivariateNormalTriL(D)(parameters))


def make_decoder():
    return keras.Sequential([keras.Input((D,)), keras.layers.Dense(8), IndependentBernoulli(X)])


# A prior for an encoder, which only the VampPrior asks for, of a given latent size.
PRIORS = {
    "Normal": lambda encoder, size=D, **kwargs: Normal(size, **kwargs),
    "MixtureOfGaussians": lambda encoder, size=D, **kwargs: MixtureOfGaussians(size, K, seed=1, **kwargs),
    "VampPrior": lambda encoder, size=D, **kwargs: VampPrior(encoder, K, activation="sigmoid", **kwargs),
    "Flow": lambda encoder, size=D, **kwargs: Flow(size, 2, (8,), seed=1, **kwargs),
}
NUM_WEIGHTS = {"Normal": 2, "MixtureOfGaussians": 3, "VampPrior": 1, "Flow": 8}


@pytest.fixture(params=list(PRIORS))
def name(request):
    return request.param


def vae_with(name, encoder=None, **kwargs):
    keras.utils.set_random_seed(0)
    encoder = make_encoder() if encoder is None else encoder
    return VAE(encoder, make_decoder(), PRIORS[name](encoder), SGVB(kl="monte_carlo"), seed=0, **kwargs)


def shake(layer, scale=0.5):
    """Moves every weight away from where it starts, by numbers that depend on nothing."""
    for i, weight in enumerate(layer.trainable_variables):
        weight.assign_add(scale * some(*weight.shape, seed=100 + i))
    return layer


def own_variables(prior):
    """The prior's weights, without the encoder's."""
    theirs = {id(v) for v in prior.encoder.variables} if isinstance(prior, VampPrior) else set()
    return [v for v in prior.trainable_variables if id(v) not in theirs]


# What the densities are ---------------------------------------------------------------------------------------------


def log_normal(z, loc, scale):
    return np.sum(-0.5 * ((z - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi), axis=-1)


def softplus(x):
    return np.logaddexp(0.0, x)


def test_normal_by_hand():
    prior = shake(Normal(D, dtype="float64"))
    z = some(4, D, dtype="float64")
    expected = log_normal(z, prior.loc.numpy(), softplus(prior.raw_scale.numpy()) + 1e-5)
    np.testing.assert_allclose(prior(z), expected, rtol=1e-12)


def test_mixture_by_hand():
    prior = shake(MixtureOfGaussians(D, K, dtype="float64"))
    z = some(4, D, dtype="float64")
    logits, scale = prior.logits.numpy(), softplus(prior.raw_scale.numpy()) + 1e-5
    terms = log_normal(z[:, None], prior.loc.numpy(), scale) + logits - np.logaddexp.reduce(logits)
    np.testing.assert_allclose(prior(z), np.logaddexp.reduce(terms, axis=-1), rtol=1e-12)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_vamp_prior_is_the_mean_of_the_posteriors_at_its_pseudo_inputs(activation):
    encoder = make_encoder()
    prior = shake(VampPrior(encoder, K, activation=activation))
    u = prior.pseudo_inputs()
    assert u.shape == (K, *X)
    weights = prior.pseudo_input_weights.numpy()
    np.testing.assert_allclose(u, weights if activation is None else 1.0 / (1.0 + np.exp(-weights)), rtol=1e-5)
    q, z = encoder(u), some(6, D)
    terms = log_normal(z[:, None], q.loc.numpy(), q.stddev().numpy())  # [6, K]
    np.testing.assert_allclose(prior(z), np.logaddexp.reduce(terms, axis=-1) - np.log(K), rtol=1e-5)


def test_flow_by_hand():
    prior = shake(Flow(D, 3, (8,), dtype="float64"))
    z = some(4, D, dtype="float64")
    u, log_scales = z, 0.0
    for network in prior.networks:
        shift, raw = np.moveaxis(network(u).numpy(), -1, 0)
        log_scale = 3.0 * np.tanh(raw / 3.0)
        u, log_scales = (u - shift) * np.exp(-log_scale), log_scales + log_scale.sum(axis=-1)
    np.testing.assert_allclose(prior(z), log_normal(u, 0.0, 1.0) - log_scales, rtol=1e-12)


def test_flow_mixes_every_dimension_with_every_other():
    prior = shake(Flow(D, 2, (8,), dtype="float64"))
    z = tf.constant(some(D, dtype="float64"))
    with tf.GradientTape() as tape:
        tape.watch(z)
        u = prior.distribution().bijector.inverse(z)
    # Row by row of one transform half of these would be zero.
    assert np.all(np.abs(tape.jacobian(u, z)) > 1e-6)


@pytest.mark.parametrize(
    "make",
    [lambda: Normal(D), lambda: Flow(D), pytest.param(lambda: Flow(1), marks=pytest.mark.slow), lambda: Normal(1)],
)
def test_starts_at_the_standard_normal(make):
    prior = make()
    (size,) = prior.event_shape
    z = 3.0 * some(50, size)
    np.testing.assert_allclose(prior(z), StandardNormal(size)(z), rtol=1e-6)
    np.testing.assert_allclose(
        prior.distribution().sample(9, seed=(1, 2)),
        StandardNormal(size).distribution().sample(9, seed=(1, 2)),
        rtol=1e-6,
    )


def test_a_flow_trains_from_where_it_starts():
    """At the identity the output layers have a gradient; after one step all layers have."""
    prior, z = Flow(D, 2, (8, 8), seed=1), tf.constant(some(64, D))
    optimizer = keras.optimizers.SGD(0.1)
    for is_first in (True, False):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(prior(z))
        gradients = tape.gradient(loss, prior.trainable_variables)
        moved = [bool(np.any(np.asarray(g) != 0)) for g in gradients]
        assert moved == [False] * 4 + [True] * 2 + [False] * 4 + [True] * 2 if is_first else all(moved)
        optimizer.apply(gradients, prior.trainable_variables)


def test_components_of_a_mixture_start_apart_equal_and_seeded():
    prior = MixtureOfGaussians(4, 200, seed=3)
    mixture = prior.distribution()
    np.testing.assert_allclose(mixture.mixture_distribution.probs_parameter(), np.full(200, 1 / 200), rtol=1e-5)
    np.testing.assert_allclose(mixture.components_distribution.stddev(), np.ones((200, 4)), rtol=1e-6)
    loc = prior.loc.numpy()
    squares = np.sum((loc[:100] - loc[100:]) ** 2, axis=-1)  # of independent pairs; their mean is 2 D
    assert abs(squares.mean() - 8.0) < 5 * squares.std(ddof=1) / 10.0
    np.testing.assert_array_equal(loc, MixtureOfGaussians(4, 200, seed=3).loc)
    assert np.any(loc != MixtureOfGaussians(4, 200, seed=4).loc.numpy())


def small_prior(name):
    """In two dimensions, float64, away from its start, no narrower than the grid below can see."""
    keras.utils.set_random_seed(0)  # as narrow as chance has it, the grid would miss a part
    encoder = make_encoder(2)
    prior = shake(PRIORS[name](encoder, 2, **({"dtype": "float64"} if name != "VampPrior" else {})))
    if name == "MixtureOfGaussians":
        prior.loc.assign(1.5 * prior.loc)
    if name == "VampPrior":
        encoder.layers[1].kernel.assign(2.0 * encoder.layers[1].kernel)
    return prior


@pytest.mark.parametrize("name", slow_except(PRIORS, "MixtureOfGaussians", "VampPrior", "Flow"))
def test_density_has_mass_one_and_its_samples_are_its_own(name):
    """On a grid in two dimensions: mass, mean, second moments and entropy, the samples within five standard errors."""
    distribution = small_prior(name).distribution()
    dtype = distribution.dtype.as_numpy_dtype
    step = 0.05
    axis = np.arange(-14.0, 14.0, step)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype(dtype)
    log_prob = distribution.log_prob(grid).numpy().astype("float64")
    mass = np.exp(log_prob) * step**2
    np.testing.assert_allclose(mass.sum(), 1.0, atol=1e-5)

    def statistics(z, log_prob):
        return np.stack([z[:, 0], z[:, 1], z[:, 0] ** 2, z[:, 0] * z[:, 1], z[:, 1] ** 2, log_prob])

    expected = statistics(grid.astype("float64"), log_prob) @ mass
    assert np.all(np.abs(expected[:2]) > 0.05), "an asymmetric density, or a sign would not show"
    n = 20_000
    z, log_q = distribution.experimental_sample_and_log_prob(n, seed=(3, 4))
    np.testing.assert_allclose(log_q, distribution.log_prob(tf.identity(z)), rtol=1e-4, atol=1e-5)
    drawn = statistics(z.numpy().astype("float64"), log_q.numpy().astype("float64"))
    error = drawn.std(axis=1, ddof=1) / np.sqrt(n)
    np.testing.assert_array_less(np.abs(drawn.mean(axis=1) - expected), 5 * error)


def test_only_the_normal_has_an_exact_kl_and_it_is_right(name):
    posterior = tfd.MultivariateNormalDiag(some(4, D), tf.nn.softplus(some(4, D, seed=1)))
    prior = shake(PRIORS[name](make_encoder())).distribution()
    assert (exact_kl_or_none(posterior, prior) is not None) == (name == "Normal")
    if name == "Normal":
        m, s, p, t = (v.numpy() for v in (posterior.loc, posterior.stddev(), prior.loc, prior.stddev()))
        expected = np.sum(np.log(t / s) + 0.5 * (s**2 + (m - p) ** 2) / t**2 - 0.5, axis=-1)
        np.testing.assert_allclose(exact_kl(posterior, prior), expected, rtol=1e-5)


# Ways of use --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "leading"),
    slow_except(
        itertools.product(PRIORS, [(), (4,), (2, 5), (0,)]),
        *zip(PRIORS, [(), (4,), (2, 5), (0,)], strict=True),
    ),
)
def test_any_leading_axes(name, leading):
    prior = shake(PRIORS[name](make_encoder()))
    z = some(*leading, D)
    log_prob = prior(z)
    assert log_prob.shape == leading
    flat = prior.distribution().log_prob(z.reshape(-1, D))
    np.testing.assert_allclose(log_prob, np.reshape(flat, leading), rtol=1e-5)
    assert prior.distribution().sample(leading, seed=(1, 2)).shape == (*leading, D)
    assert prior.event_shape == (D,)
    assert prior.distribution().batch_shape == ()


@pytest.mark.parametrize(
    ("name", "jit_compile"),
    slow_except(itertools.product(PRIORS, [False, True]), ("VampPrior", False), ("Flow", False)),
)
def test_graph_and_xla_with_an_unknown_batch_size(name, jit_compile):
    prior = shake(PRIORS[name](make_encoder()))

    def log_prob_and_gradients(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            log_prob = prior.distribution().log_prob(z)
        return log_prob, *tape.gradient(log_prob, [z, *prior.trainable_variables])

    z = tf.constant(some(6, D))
    compiled = tf.function(log_prob_and_gradients, input_signature=[tf.TensorSpec([None, D])], jit_compile=jit_compile)
    for one, same in zip(compiled(z), log_prob_and_gradients(z), strict=True):
        assert np.any(np.asarray(same) != 0)
        np.testing.assert_allclose(one, same, rtol=1e-3, atol=1e-4)
    sample = tf.function(lambda: prior.distribution().sample(7, seed=(1, 2)), jit_compile=jit_compile)
    assert np.isfinite(sample()).all()


def test_config_through_json_gives_the_same_prior(name):
    prior = PRIORS[name](make_encoder(), name="named")
    config = json.dumps(prior.get_config())
    again = type(prior).from_config(json.loads(config))
    assert again.name == "named"
    assert json.dumps(again.get_config()) == config
    z = some(4, D)
    if name != "VampPrior":  # whose encoder draws its own first weights
        np.testing.assert_array_equal(again(z), prior(z))
    shake(prior)
    again.set_weights(prior.get_weights())
    np.testing.assert_array_equal(again(z), prior(z))


def test_seeds(name):
    if name in ("Normal", "VampPrior"):
        pytest.skip("takes no seed")
    make = (lambda seed: MixtureOfGaussians(D, K, seed)) if name == "MixtureOfGaussians" else lambda s: Flow(D, seed=s)
    first, same, other = (make(seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert any(np.any(a != b) for a, b in zip(first, other, strict=True))
    if name == "Flow":
        kernels = [w for w in first if w.ndim == 2 and w.shape[0] == w.shape[1] == 64]
        assert len(kernels) == 4
        assert all(np.any(a != b) for i, a in enumerate(kernels) for b in kernels[:i])


@pytest.mark.parametrize(
    ("name", "policy"),
    slow_except(
        itertools.product(PRIORS, ["float64", "mixed_float16"]),
        ("VampPrior", "float64"),
        ("MixtureOfGaussians", "mixed_float16"),
    ),
)
def test_precision(name, policy, set_policy):
    set_policy(policy)
    expected = "float64" if policy == "float64" else "float32"
    vae = vae_with(name)
    assert all(v.dtype == expected for v in vae.trainable_variables)
    z = tf.constant(some(4, D, dtype=expected))
    prior = vae.prior.distribution()
    assert prior.dtype == expected
    assert prior.sample(2, seed=(1, 2)).dtype == expected
    assert vae.prior(z).dtype == expected
    np.testing.assert_allclose(vae.prior(z), prior.log_prob(z), rtol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(vae.estimate(images(4), training=True, seed=1).surrogate_loss)
    assert loss.dtype == expected
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, own_variables(vae.prior)))


# In a VAE -----------------------------------------------------------------------------------------------------------


ENCODERS = {
    "sequential": make_encoder,
    "of unknown input": lambda: make_encoder(known=False),
    "functional": functional_encoder,
}


@pytest.mark.parametrize(
    ("name", "encoder"),
    slow_except(
        [*((name, "sequential") for name in PRIORS), ("VampPrior", "of unknown input"), ("VampPrior", "functional")],
        ("Flow", "sequential"),
        ("VampPrior", "of unknown input"),
    ),
)
def test_every_weight_is_the_models_exactly_once_and_trains(name, encoder):
    vae, x = vae_with(name, ENCODERS[encoder]()), images(12)
    prior_weights = own_variables(vae.prior)
    assert len(prior_weights) == NUM_WEIGHTS[name]
    variables = vae.trainable_variables
    assert len({id(v) for v in variables}) == len(variables)
    assert len({v.path for v in variables}) == len(variables)
    expected = [*vae.encoder.trainable_variables, *vae.decoder.trainable_variables, *prior_weights]
    assert {id(v) for v in variables} == {id(v) for v in expected}
    assert len(variables) == len(expected)
    shake(vae, 0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(vae.estimate(x, seed=1).surrogate_loss)
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert gradient is not None, variable.path
        assert np.any(np.asarray(gradient) != 0), variable.path


@pytest.mark.parametrize("name", ["VampPrior", "Flow"])
@pytest.mark.slow
def test_fit_under_xla_moves_the_prior(name):
    vae, x = shake(vae_with(name), 0.1), images(10)
    before = [v.numpy() for v in vae.trainable_variables]
    vae.compile(keras.optimizers.SGD(0.1), jit_compile=True)
    assert np.isfinite(vae.fit(x, batch_size=10, epochs=2, verbose=0).history["elbo"]).all()
    for variable, old in zip(vae.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old), variable.path
    assert vae.sample(3, seed=0).shape == (3, *X)


@pytest.mark.parametrize("name", slow_except(["Normal", "MixtureOfGaussians", "Flow"], "Normal"))
def test_a_prior_that_is_frozen_does_not_train(name, tmp_path):
    vae = vae_with(name)
    vae.prior.trainable = False
    vae.save(tmp_path / "vae.keras")
    expected = [*vae.encoder.trainable_variables, *vae.decoder.trainable_variables]
    assert {v.path for v in vae.trainable_variables} == {v.path for v in expected}
    assert len(tfvae.load_model(tmp_path / "vae.keras").trainable_variables) == len(expected)


@pytest.mark.parametrize("name", slow_except(PRIORS, "Flow"))
def test_keras_file_round_trip_in_safe_mode(name, tmp_path):
    vae, x = shake(vae_with(name)), images(4)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert type(loaded.prior) is type(vae.prior)
    assert [v.name for v in loaded.trainable_variables] == [v.name for v in vae.trainable_variables]
    np.testing.assert_array_equal(loaded.elbo(x, seed=3), vae.elbo(x, seed=3))
    np.testing.assert_array_equal(loaded.sample(4, seed=3), vae.sample(4, seed=3))


def test_training_goes_on_from_the_file(tmp_path):
    vae, x = vae_with("VampPrior"), images(8)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    vae.fit(x, batch_size=4, shuffle=False, verbose=0)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    histories = [model.fit(x, batch_size=4, shuffle=False, verbose=0).history for model in (vae, loaded)]
    assert histories[0] == histories[1]
    for one, same in zip(vae.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("name", slow_except(PRIORS, "Normal"))
def test_config_and_weights_file(name, tmp_path):
    vae, x = shake(vae_with(name)), images(4)
    vae.save_weights(tmp_path / "vae.weights.h5")
    again = VAE.from_config(json.loads(json.dumps(vae.get_config())))
    assert len(again.trainable_variables) == len(vae.trainable_variables)
    assert np.any(again.elbo(x, seed=1) != vae.elbo(x, seed=1))
    again.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(again.elbo(x, seed=1), vae.elbo(x, seed=1))


@pytest.mark.parametrize("name", slow_except(PRIORS, "MixtureOfGaussians", "Flow"))
def test_made_under_a_strategy(name):
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        vae = vae_with(name)
        vae.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    assert all(hasattr(v.value, "values") for v in own_variables(vae.prior)), "variables of the strategy's"
    if name in ("VampPrior", "Flow"):
        x, before = images(8), [v.numpy() for v in own_variables(vae.prior)]
        assert np.isfinite(vae.fit(x, batch_size=4, verbose=0).history["elbo"]).all()
        for variable, old in zip(own_variables(vae.prior), before, strict=True):
            assert np.any(variable.numpy() != old), variable.path


# Better than the standard normal ------------------------------------------------------------------------------------


def clustered(num_examples, seed):
    """Points in three dimensions about three centres of a plane through a decoder that cannot move."""
    rng = np.random.default_rng(seed)
    centres = np.array([[4.0, 1.0], [2.5, -1.5], [5.5, -1.0]])
    z = centres[rng.integers(0, 3, size=num_examples)] + 0.2 * rng.normal(size=(num_examples, 2))
    return (z @ PLANE + 0.3 * rng.normal(size=(num_examples, 3))).astype("float32")


PLANE = np.array([[1.0, 0.5, -0.4], [-0.3, 0.8, 1.1]])


CLUSTER_PRIORS = {
    "StandardNormal": lambda encoder: StandardNormal(2),
    "Normal": lambda encoder: Normal(2),
    "MixtureOfGaussians": lambda encoder: MixtureOfGaussians(2, 6, seed=1),
    "VampPrior": lambda encoder: VampPrior(encoder, 6),
    "Flow": lambda encoder: Flow(2, 3, (16,), seed=1),
}


@functools.cache
def elbo_of_clusters(name):
    """The ELBO of test data after training the encoder and the prior, not the decoder."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(16, activation="tanh"),
            keras.layers.Dense(4),
            MultivariateNormalDiag(2),
        ]
    )
    dense = keras.layers.Dense(6, trainable=False)
    decoder = keras.Sequential([keras.Input((2,)), dense, IndependentNormal((3,))])
    raw_scale = np.log(np.expm1(0.3))
    dense.set_weights([np.concatenate([PLANE, np.zeros((2, 3))], axis=1), np.repeat([0.0, raw_scale], 3)])
    vae = VAE(encoder, decoder, CLUSTER_PRIORS[name](encoder), SGVB(kl="monte_carlo"), seed=0)
    vae.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    vae.fit(clustered(500, seed=1), batch_size=50, epochs=16, verbose=0)
    return vae.elbo(clustered(500, seed=2), num_samples=10, seed=0).numpy()


@pytest.mark.parametrize(
    ("better", "worse"),
    [("Normal", "StandardNormal"), *((name, "Normal") for name in ("MixtureOfGaussians", "VampPrior", "Flow"))],
)
@pytest.mark.slow
def test_learning_the_prior_improves_the_elbo(better, worse):
    """A normal finds the place, and what can have clusters finds them."""
    gain = elbo_of_clusters(better) - elbo_of_clusters(worse)
    assert gain.mean() > 5 * gain.std(ddof=1) / np.sqrt(len(gain))


# In a functional model ----------------------------------------------------------------------------------------------


def functional_model(name, flat=False):
    encoder = functional_encoder()
    kl = KLDivergenceAddLoss(PRIORS[name](encoder))
    if flat:
        return keras.Model(encoder.inputs, make_decoder()(kl(encoder.outputs[0])))
    inputs = keras.Input(X)
    return keras.Model(inputs, make_decoder()(kl(encoder(inputs))))


@keras.saving.register_keras_serializable(package=PACKAGE)
def negative_log_likelihood(x, rv_x):
    return -rv_x.log_prob(x)


@pytest.mark.parametrize(
    ("name", "flat"),
    [*(pytest.param(name, False, marks=pytest.mark.slow) for name in PRIORS), ("VampPrior", True)],
    ids=lambda value: str(value),
)
def test_functional_model_trains_the_prior_and_survives_its_file(name, flat, tmp_path):
    model, x = functional_model(name, flat), images(8)
    assert len(model.trainable_variables) == 4 + 2 + NUM_WEIGHTS[name]
    assert len({id(v) for v in model.trainable_variables}) == len(model.trainable_variables)
    model.compile(keras.optimizers.SGD(0.05), loss=negative_log_likelihood, run_eagerly=True)
    before = [v.numpy() for v in model.trainable_variables]
    model.fit([x] if flat else x, x, batch_size=8, epochs=2, verbose=0)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old), variable.path
    model.save(tmp_path / "model.keras")
    loaded = tfvae.load_model(tmp_path / "model.keras")
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    for one, same in zip(model.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, same)
    for variable in loaded.trainable_variables:  # a second encoder would show: its weights would not move
        variable.assign_add(0.1 * tf.ones_like(variable))
    for variable in model.trainable_variables:
        variable.assign_add(0.1 * tf.ones_like(variable))
    for each in (model, loaded):
        each([x] if flat else x)
    np.testing.assert_array_equal(sum(model.losses), sum(loaded.losses))


# The VampPrior's encoder --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", slow_except(ENCODERS, "sequential"))
def test_the_encoder_is_one_in_every_copy(encoder, tmp_path):
    vae, x = shake(vae_with("VampPrior", ENCODERS[encoder]())), images(3)
    expected = vae.elbo(x, seed=1)
    vae.save(tmp_path / "vae.keras")
    copies = [
        tfvae.load_model(tmp_path / "vae.keras"),
        keras.models.clone_model(vae),
        VAE.from_config(json.loads(json.dumps(vae.get_config()))),
    ]
    for copy, is_loaded in zip(copies, (True, False, False), strict=True):
        if not is_loaded:
            copy.set_weights(vae.get_weights())
        np.testing.assert_array_equal(copy.elbo(x, seed=1), expected)
        assert copy.prior.encoder is copy.encoder
        assert copy.encoder is not vae.encoder
        assert len(copy.weights) == len(vae.weights)


def test_the_encoder_of_a_loaded_functional_model_is_one(tmp_path):
    model = functional_model("VampPrior")
    model.save(tmp_path / "model.keras")
    loaded = tfvae.load_model(tmp_path / "model.keras")
    encoder = next(layer for layer in loaded.layers if isinstance(layer, keras.Model))
    add_loss = next(layer for layer in loaded.layers if isinstance(layer, KLDivergenceAddLoss))
    assert add_loss.regularizer.distribution_b.encoder is encoder


def test_a_vamp_prior_by_itself_survives_its_file(tmp_path):
    prior = shake(VampPrior(functional_encoder(), K))
    model = keras.Sequential([keras.Input((D,)), prior])
    model.save(tmp_path / "prior.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "prior.keras")(some(4, D)), model(some(4, D)))


def test_a_model_saved_by_an_earlier_version():
    config = vae_with("VampPrior").get_config()
    config["prior"]["config"]["encoder"] = "the model's encoder"  # they did not describe it twice
    vae = VAE.from_config(config)
    assert vae.prior.encoder is vae.encoder
    with pytest.raises(ValueError, match="Load the whole model"):
        VampPrior.from_config(config["prior"]["config"])


def test_subclassed_encoder_says_its_shapes():
    encoder = Net(D)
    with pytest.raises(ValueError, match=r"input_shape=\(\.\.\.\)"):
        VAE(encoder, make_decoder(), VampPrior(encoder, K))
    prior = VampPrior(encoder, K, input_shape=X)
    assert prior.event_shape == (D,)
    vae = VAE(encoder, make_decoder(), prior, SGVB(kl="monte_carlo"))
    assert len(vae.trainable_variables) == 2 + 2 + 1
    copy = VAE.from_config(vae.get_config())
    assert copy.prior.encoder is copy.encoder
    copy.set_weights(vae.get_weights())
    np.testing.assert_array_equal(copy.elbo(images(3), seed=1), vae.elbo(images(3), seed=1))


@pytest.mark.parametrize("activation", [None, "sigmoid", "tanh"])
def test_adapt_starts_from_data(activation):
    encoder = make_encoder(known=False)
    prior = VampPrior(encoder, K, activation=activation)
    data = np.random.default_rng(0).uniform(0.1, 0.9, size=(40, *X)).astype("float32")
    prior.adapt(data, seed=1)
    u = prior.pseudo_inputs().numpy()
    distances = np.abs(u[:, None] - data[None]).max(axis=(2, 3, 4))  # [K, 40]
    np.testing.assert_allclose(distances.min(axis=1), np.zeros(K), atol=1e-6)
    assert len(set(distances.argmin(axis=1))) == K, "without replacement"
    prior.adapt(data, seed=1)
    np.testing.assert_array_equal(prior.pseudo_inputs(), u)
    prior.adapt(data, seed=2)
    assert np.any(prior.pseudo_inputs() != u)
    assert str(float(data[0, 0, 0, 0])) not in json.dumps(prior.get_config())


def test_adapt_to_binary_data_leaves_a_gradient():
    prior = VampPrior(make_encoder(), K, activation="sigmoid")
    prior.adapt(images(9), seed=0)
    u = prior.pseudo_inputs().numpy()
    np.testing.assert_allclose(np.minimum(u, 1 - u), np.full((K, *X), 0.05), rtol=1e-4)


def test_adapt_refuses():
    encoder = make_encoder()
    prior = VampPrior(encoder, K)
    for data, message in (
        (np.zeros((4, *X), "float32"), r"at least 5 .* shape \(4, 2, 1\)"),
        (np.zeros((9, 4, 2), "float32"), r"shape \(9, 4, 2\)"),
        (np.zeros((9, *X), "uint8"), "floating-point.*uint8"),
    ):
        with pytest.raises(ValueError, match=message):
            prior.adapt(data)
    with pytest.raises(ValueError, match="inverse"):
        VampPrior(encoder, K, activation="softplus").adapt(images(9))


def test_pseudo_inputs_add_no_loss_and_move_no_state():
    encoder = keras.Sequential(
        [
            keras.Input(X),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(6, activity_regularizer=keras.regularizers.L2(0.1)),
            MultivariateNormalDiag(D),
        ]
    )
    vae, x = VAE(encoder, make_decoder(), VampPrior(encoder, K), SGVB(kl="monte_carlo"), seed=0), images(8)
    z = some(4, D)
    before = [v.numpy() for v in encoder.variables]
    np.testing.assert_array_equal(vae.prior(z), vae.prior(z))
    assert not encoder.losses
    for variable, old in zip(encoder.variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    metrics = vae.evaluate(x, return_dict=True, verbose=0)
    parameters = keras.Sequential(encoder.layers[:-1])(x).numpy()
    expected = 0.1 * np.sum(parameters.astype("float64") ** 2) / len(x)
    np.testing.assert_allclose(metrics["loss"] + metrics["elbo"], expected, rtol=1e-4)


def test_what_the_vamp_prior_refuses():
    def encoder_with(**kwargs):
        return keras.Sequential(
            [keras.Input(X), keras.layers.Flatten(), keras.layers.Dense(6), MultivariateNormalDiag(D, **kwargs)]
        )

    regularizer = KLDivergenceRegularizer(tfd.MultivariateNormalDiag(tf.zeros(D), tf.ones(D)))
    with pytest.raises(ValueError, match=r"must not add a KL.*'multivariate_normal_diag.*KLDivergenceRegularizer"):
        VampPrior(encoder_with(activity_regularizer=regularizer), K)
    with pytest.raises(ValueError, match="KLDivergenceAddLoss"):
        VampPrior(keras.Sequential([make_encoder(), KLDivergenceAddLoss(StandardNormal(D))]), K)
    with pytest.raises(TypeError, match="must end in a distribution layer"):
        VampPrior(keras.Sequential([keras.Input(X), keras.layers.Flatten()]), K)
    two = [keras.Input(X), keras.Input(X)]
    joined = keras.layers.Dense(6)(keras.layers.Flatten()(keras.layers.Add()(two)))
    with pytest.raises(ValueError, match="one input"):
        VampPrior(keras.Model(two, MultivariateNormalDiag(D)(joined)), K)


def test_a_piece_of_the_encoder_is_one_in_a_loaded_model(tmp_path):
    piece = make_encoder()
    vae = VAE(keras.Sequential([keras.layers.Rescaling(2.0), piece]), make_decoder(), VampPrior(piece, K))
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert loaded.prior.encoder is loaded.encoder.layers[-1]
    np.testing.assert_array_equal(loaded.elbo(images(3), seed=1), vae.elbo(images(3), seed=1))


def test_an_encoder_of_its_own_is_allowed(tmp_path):
    vae, x = VAE(make_encoder(), make_decoder(), VampPrior(make_encoder(), K), SGVB(kl="monte_carlo")), images(3)
    assert len(vae.trainable_variables) == 2 + 2 + 2 + 1
    vae.save(tmp_path / "vae.keras")
    np.testing.assert_array_equal(tfvae.load_model(tmp_path / "vae.keras").elbo(x, seed=1), vae.elbo(x, seed=1))


# Errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(0), r"latent_size.*Received: latent_size=0"),
        (lambda: Normal(2.5), r"latent_size.*Received: latent_size=2\.5"),
        (lambda: StandardNormal(-1), r"latent_size.*Received: latent_size=-1"),
        (lambda: MixtureOfGaussians(2, 0), r"num_components.*Received: num_components=0"),
        (lambda: Flow(2, 0), r"num_transforms.*Received: num_transforms=0"),
        (lambda: Flow(2, hidden_units=(3, 0)), r"hidden_units.*Received: hidden_units=0"),
        (lambda: VampPrior(make_encoder(), 0), r"num_components.*Received: num_components=0"),
        (lambda: VAE(make_encoder(), make_decoder(), Normal(D + 1)), r"\(3,\).*Normal.*\(4,\)"),
    ],
)
def test_impossible_sizes_are_one_clear_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", slow_except(PRIORS, "Normal", "MixtureOfGaussians"))
def test_the_analytic_estimator_names_the_other_one(name):
    vae = vae_with(name)
    vae.estimator = SGVB()
    assert np.isfinite(vae.estimate(images(2)).kl).all()
    vae.estimator = SGVB(kl="analytic")
    if name == "Normal":
        assert vae.estimate(images(2)).kl.shape == (2,)
    else:
        with pytest.raises(NotImplementedError, match=r"SGVB\(kl='monte_carlo'\)"):
            vae.estimate(images(2))
