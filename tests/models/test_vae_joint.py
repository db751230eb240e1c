"""VAEs whose z has several parts that depend on each other: joint distributions as posterior and prior."""

import joint_gaussian as joint
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae import evaluation, layers
from tfvae.estimators import SGVB, DReG, ScoreFunction
from tfvae.evaluation import figures
from tfvae.models import VAE

tfd = tfp.distributions
PACKAGE = "tests_vae_joint"
register = keras.saving.register_keras_serializable(package=PACKAGE)
X = joint.MODEL.data(14, seed=3).astype("float32")


# The oracle --------------------------------------------------------------------------------------------------------


class OracleDecoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.likelihood = layers.DistributionLambda(joint.generate)

    def call(self, z, training=False):
        return self.likelihood(z)


def oracle(scale=1.0):
    """A VAE without weights; its encoder is the exact posterior but for a factor of the standard deviations."""
    encoder = keras.Sequential([layers.DistributionLambda(lambda x: joint.posterior(x, scale))])
    return VAE(encoder, OracleDecoder(), joint.prior(tf.float32), seed=0)


@pytest.fixture
def no_graphs():
    """Functions of TensorFlow run as Python does."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_log_marginal_of_the_exact_posterior(no_graphs):
    record = evaluation.log_marginal(oracle(), X, num_importance_samples=30)
    np.testing.assert_allclose(record.per_example, joint.MODEL.log_marginal(X.astype("float64")), atol=1e-4)


@pytest.mark.slow
def test_log_marginal_and_elbo_of_a_posterior_that_is_off():
    vae = oracle(1.3)
    record = evaluation.log_marginal(vae, X, num_importance_samples=300)
    truth = joint.MODEL.log_marginal(X.astype("float64"))
    assert np.abs((record.per_example - truth) / np.sqrt(record.monte_carlo_variance)).max() < 5
    elbo = evaluation.elbo(vae, X, num_samples=50)
    expected = joint.MODEL.elbo(X, joint.MODEL.posterior_mean(X), 1.69 * joint.MODEL.posterior_covariance)
    assert abs(elbo.mean - expected.mean()) < 5 * elbo.monte_carlo_standard_error


@pytest.mark.slow
def test_diagnostics():
    result = evaluation.diagnostics(oracle(1.3), X, num_samples=20)
    expected = joint.MODEL.kl(joint.MODEL.posterior_mean(X), 1.69 * joint.MODEL.posterior_covariance)
    assert abs(result.rate.mean - expected.mean()) < 5 * result.rate.monte_carlo_standard_error
    assert not result.rate.diagnostics["exact"]
    assert result.active_units is None
    assert result.kl_per_dimension.mean is None
    total = result.mutual_information.mean + result.aggregated_kl.mean
    error = np.hypot(result.rate.monte_carlo_standard_error, result.aggregated_kl.monte_carlo_standard_error)
    assert abs(total - result.rate.mean) < 5 * error


def test_what_cannot_look_inside_z_says_so(no_graphs):
    vae = oracle()
    labels = np.arange(14) % 2
    for call in (
        lambda: evaluation.log_marginal_ais(vae, X),
        lambda: evaluation.bidirectional_ais(vae),
        lambda: evaluation.log_marginal_hmc(vae, X),
        lambda: evaluation.inference_gaps(vae, X),
        lambda: evaluation.representation(vae, X, X, train_labels=labels, test_labels=labels),
        lambda: evaluation.prior_vs_posterior(vae, X),
        lambda: evaluation.latent_traversal(vae, X[0]),
        lambda: evaluation.interpolate(vae, X[:2], X[2:4]),
        lambda: figures.traversals(vae, X[0]),
    ):
        with pytest.raises(ValueError, match=r"one vector of floating-point numbers.*\(\(2,\), \(3,\)\)"):
            call()
    assert evaluation.active_units(vae, X) is None
    with pytest.raises(ValueError, match=r"z must have 2 parts.*Received: z with 3 parts"):
        vae.decode([np.zeros((1, 2)), np.zeros((1, 3)), np.zeros((1, 3))])
    with pytest.raises(ValueError, match=r"\(\(2,\), \(3,\)\).*\(5,\)"):
        VAE(vae.encoder, OracleDecoder(), tfvae.priors.StandardNormal(5)).infer(X)


# Models with weights -----------------------------------------------------------------------------------------------


@register
def sequential_posterior(raw):
    """q(z_1|x) q(z_2|z_1, x), from ten numbers."""

    def second(first):
        shift = tf.concat([first, first[..., :1]], axis=-1)
        return tfd.Independent(tfd.Normal(raw[..., 4:7] + 0.3 * shift, tf.nn.softplus(raw[..., 7:10]) + 0.01), 1)

    first = tfd.Independent(tfd.Normal(raw[..., :2], tf.nn.softplus(raw[..., 2:4]) + 0.01), 1)
    return tfd.JointDistributionSequential([first, second], batch_ndims=1)


@register
def named_posterior(raw):
    """The same with names, and batches of its own making."""

    def low(high):
        shift = tf.concat([high, high[..., :1]], axis=-1)
        return tfd.Normal(raw[..., 4:7] + 0.3 * shift, tf.nn.softplus(raw[..., 7:10]) + 0.01)

    high = tfd.Normal(raw[..., :2], tf.nn.softplus(raw[..., 2:4]) + 0.01)
    return tfd.JointDistributionNamedAutoBatched({"high": high, "low": low}, batch_ndims=1)


@register
def low_given_high(high):
    return tfd.Independent(tfd.Normal(tf.concat([high, high[..., :1]], axis=-1), 1.0), 1)


@register
class LearnedPrior(tfvae.priors.Prior):
    """p(z_1) p(z_2|z_1) with a weight."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones", autocast=False)

    @property
    def event_shape(self):
        return ((2,), (3,))

    def distribution(self):
        first = tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1)
        gain = tf.convert_to_tensor(self.gain)
        return tfd.JointDistributionSequential(
            [first, lambda z: tfd.Independent(tfd.Normal(gain * tf.concat([z, z[..., :1]], axis=-1), 1.0), 1)]
        )


@register
class Decoder(keras.Model):
    """A decoder that takes both parts, whatever holds them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.likelihood = keras.layers.Dense(4), layers.IndependentBernoulli((4,))

    def call(self, z, training=False):
        parts = z.values() if isinstance(z, dict) else z
        return self.likelihood(self.dense(keras.ops.concatenate(list(parts), axis=-1)))

    def get_config(self):
        return {"name": self.name}


def functional_decoder():
    inputs = [keras.Input((2,)), keras.Input((3,))]
    hidden = keras.layers.Dense(4)(keras.layers.Concatenate()(inputs))
    return keras.Model(inputs, layers.IndependentBernoulli((4,))(hidden))


def fixed_prior():
    return tfd.JointDistributionSequential([tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1), low_given_high])


def named_prior():
    return tfd.JointDistributionNamed({"low": low_given_high, "high": tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1)})


MODELS = {
    "learned prior": (sequential_posterior, LearnedPrior, Decoder, SGVB()),
    "fixed prior": (sequential_posterior, fixed_prior, functional_decoder, DReG(3)),
    "named parts": (named_posterior, named_prior, Decoder, ScoreFunction(2)),
}
DATA = (np.random.default_rng(0).random((11, 4)) > 0.5).astype("float32")


def make(name):
    posterior, prior, decoder, estimator = MODELS[name]
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.layers.Dense(10), layers.DistributionLambda(posterior)])
    return VAE(encoder, decoder(), prior(), estimator, seed=2)


def test_parts_with_names_survive_their_configuration():
    vae, x = make("named parts"), DATA[:2]
    copy = VAE.from_config(vae.get_config())
    estimates = [vae.estimate(x, training=True, seed=3)]
    copy.build(x.shape)
    copy.set_weights(vae.get_weights())
    estimates.append(copy.estimate(x, training=True, seed=3))
    for mine, other in zip(*map(tf.nest.flatten, estimates), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5)
    assert vae.sample(3, seed=0).shape == (3, 4)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_fit_and_evaluations_in_graphs(jit_compile):
    vae = make("learned prior")
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=jit_compile)
    before = np.mean(vae.elbo(DATA, num_samples=200, seed=0))
    history = vae.fit(DATA, batch_size=4, epochs=20, verbose=0, validation_data=(DATA, DATA)).history
    assert np.all(np.isfinite([value for values in history.values() for value in values]))
    assert np.mean(vae.elbo(DATA, num_samples=200, seed=0)) > before + 0.1
    assert float(vae.prior.gain.value) != 1.0


@pytest.mark.parametrize("name", slow_except(MODELS, "learned prior"))
def test_a_model_lives(tmp_path, name):
    vae = make(name)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    history = vae.fit(DATA[:4], verbose=0, validation_data=(DATA[:4], DATA[:4])).history
    assert np.all(np.isfinite([value for values in history.values() for value in values]))
    assert vae.sample(3, seed=0).shape == (3, 4)
    assert vae.reconstruct(DATA[:2], seed=0).shape == (2, 4)
    z = vae.prior.distribution().sample([2, 3], seed=(1, 2))
    assert vae.decode(tf.nest.map_structure(lambda part: part.numpy(), z)).batch_shape == (2, 3)

    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    estimates = (tf.nest.flatten(model.estimate(DATA, seed=3)) for model in (loaded, vae))
    for ours, theirs in zip(*estimates, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(loaded.sample(3, seed=0), vae.sample(3, seed=0))


@pytest.mark.slow
def test_noise_of_gradients():
    found = evaluation.gradient_variance(make("learned prior"), DATA, [SGVB()], num_repeats=3)
    assert [row.group for row in found.rows] == ["encoder", "decoder", "prior"]
    assert all(row.variance > 0.0 for row in found.rows)


def test_a_prior_of_a_python_lambda_is_refused_when_saved(tmp_path):
    prior = tfd.JointDistributionSequential(
        [tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1), lambda high: low_given_high(high)]
    )
    encoder = keras.Sequential([keras.layers.Dense(10), layers.DistributionLambda(sequential_posterior)])
    vae = VAE(encoder, Decoder(), prior)
    with pytest.raises(ValueError, match=r"model\[1\]=<lambda> cannot be saved.*register_keras_serializable"):
        vae.save(tmp_path / "vae.keras")


def test_parts_with_batch_axes_are_no_prior():
    with pytest.raises(ValueError, match=r"batch shape \[\].*Wrap it in tfd.Independent"):
        tfvae.priors.Fixed(tfd.JointDistributionSequential([tfd.Normal(0.0, 1.0), tfd.Normal(tf.zeros(2), 1.0)]))


# Parts that Keras layers make --------------------------------------------------------------------------------------


def normal(size, *before):
    dense = keras.layers.Dense(layers.MultivariateNormalDiag.params_size(size))
    return keras.Sequential([*before, dense, layers.MultivariateNormalDiag(size)])


def shared_layers(vae):
    """The layer of the encoder's second part that is also the prior's, as each of them holds it."""
    return vae.encoder.layers[-1].parts["b"].layers[0], vae.prior.parts["a"].layers[0]


def test_a_layer_of_posterior_and_prior_is_one_in_a_loaded_model(tmp_path):
    shared = keras.layers.Dense(6, activation="tanh", name="shared")
    a = keras.Input((2,), name="a")
    encoder = keras.Sequential(
        [
            keras.layers.Dense(8, activation="tanh"),
            layers.Joint({"a": normal(2), "b": normal(2, shared)}, given={"b": ["a"]}),
        ]
    )
    prior = tfvae.priors.Joint({"b": tfvae.priors.Normal(2), "a": normal(2, shared)})
    decoder = keras.Model({"a": a}, layers.IndependentBernoulli((4,))(keras.layers.Dense(4)(a)))
    vae = VAE(encoder, decoder, prior, seed=0)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    vae.train_on_batch(DATA)
    vae.save(tmp_path / "vae.keras")

    loaded = tfvae.load_model(tmp_path / "vae.keras")
    copy = VAE.from_config(vae.get_config())
    for same in (loaded, copy):
        assert shared_layers(same)[0] is shared_layers(same)[1]
        assert len(same.weights) == len(vae.weights)
    np.testing.assert_array_equal(loaded.elbo(DATA, seed=1), vae.elbo(DATA, seed=1))
    for model in (vae, loaded):
        model.train_on_batch(DATA)
    np.testing.assert_array_equal(*(shared_layers(model)[1].kernel for model in (vae, loaded)))
    np.testing.assert_array_equal(loaded.sample(3, seed=1), vae.sample(3, seed=1))


def test_without_a_prior_parts_are_standard_normal():
    encoder = keras.Sequential([layers.Joint({"z2": normal(3), "z1": normal(2)})])
    vae = VAE(encoder, Decoder())
    assert vae.latent_shape == {"z2": (3,), "z1": (2,)}
    assert vae.elbo(DATA).shape == (len(DATA),)
    terms = vae.estimate(DATA, seed=0).terms
    assert list(terms) == ["kl_z2", "kl_z1"]
    assert all((term.numpy() > 0.0).all() for term in terms.values())
