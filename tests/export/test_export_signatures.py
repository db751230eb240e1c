"""What the signatures answer, in a process without tfvae, TFP and Keras, against the live model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae._dtype_policy import dtype_policy
from tfvae._seeds import fold_in
from tfvae.estimators.monte_carlo import CHUNK_SIZE
from tfvae.export.checks import event_shape_of
from tfvae.export.signature_names import DEFAULT, MEANS, SIGNATURES
from tfvae.export.signatures import Signatures
from tfvae.models.queries import sample_prior

tfd = tfp.distributions
layers = keras.layers

SEED = np.array([7, -1], np.int32)
OTHER_SEED = np.array([7, 0], np.int32)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def log_weights_of(vae, x, num_samples, seed):
    """By the definition, from the live model's distributions: each example has a seed of its own."""
    columns = []
    for i in range(len(x)):
        one = x[i : i + 1]
        q = vae.encode(one)
        z, log_q = q.experimental_sample_and_log_prob([num_samples], seed=fold_in(fold_in(seed, i), 0))
        columns.append(vae.decode(z).log_prob(one) + vae.prior.distribution().log_prob(z) - log_q)
    return np.concatenate(columns, axis=1)


def log_mean_exp(values):
    top = values.max(axis=0)
    return top + np.log(np.exp((values - top).astype("float64")).mean(axis=0))


class TestTheImageModel:
    @pytest.fixture(scope="class")
    def ask(self, server, image_model):
        return lambda signature, how="call", **inputs: server(how, image_model, signature, **inputs)

    @pytest.mark.parametrize("batch_size", [1, 7])
    def test_encode(self, ask, image_vae, images, batch_size):
        x = images[:batch_size]
        answer, q = ask("encode", x=x, seed=SEED), image_vae.encode(x)
        assert set(answer) == {"loc", "scale", "z"}
        close(answer["loc"], q.mean())
        close(answer["scale"], q.stddev())
        close(answer["z"], q.sample(seed=SEED))

    @pytest.mark.parametrize("batch_size", [1, 7])
    def test_decode(self, ask, image_vae, batch_size):
        z = np.random.default_rng(1).normal(size=(batch_size, 3)).astype("float32")
        answer, p = ask("decode", z=z, seed=SEED), image_vae.decode(z)
        assert set(answer) == {"mean", "sample"}
        close(answer["mean"], p.mean())
        np.testing.assert_array_equal(answer["sample"], p.sample(seed=SEED))

    def test_reconstruct(self, ask, image_vae, images):
        answer = ask("reconstruct", x=images, seed=SEED)
        close(answer["mean"], image_vae.reconstruct(images, seed=SEED))
        assert set(np.unique(answer["sample"])) == {0.0, 1.0}
        assert answer["sample"].shape == images.shape

    def test_means_are_served_by_default_without_a_seed(self, ask, image_vae, images):
        expected = image_vae.decode(image_vae.encode(images).mean()).mean()
        for how in ("call", "session"):
            answer = ask("serving_default", how, x=images)
            assert set(answer) == {"mean"}
            close(answer["mean"], expected)
        close(ask("serving_default", x=images[:1])["mean"], expected[:1])

    @pytest.mark.parametrize("num_samples", [1, 5])
    def test_sample(self, ask, image_vae, num_samples):
        answer = ask("sample", num_samples=num_samples, seed=SEED)
        assert answer["mean"].shape == (num_samples, 8, 8, 1)
        np.testing.assert_array_equal(answer["sample"], image_vae.sample(num_samples, seed=SEED))
        z = sample_prior(image_vae.prior.distribution(), num_samples, seed=SEED).z
        np.testing.assert_array_equal(answer["z"], z)

    @pytest.mark.parametrize("num_samples", [1, 4])
    def test_elbo_averages_as_many_samples_as_asked_for(self, ask, image_vae, images, num_samples):
        answer = ask("elbo", x=images, num_samples=num_samples, seed=SEED)
        expected = [image_vae.elbo(images, seed=fold_in(SEED, step)) for step in range(num_samples)]
        close(answer["elbo"], np.mean(expected, axis=0))
        close(answer["log_likelihood"] - answer["kl"], answer["elbo"])
        close(answer["kl"], tfd.kl_divergence(image_vae.encode(images), image_vae.prior.distribution()))

    @pytest.mark.parametrize("num_samples", slow_except([1, 7, CHUNK_SIZE, CHUNK_SIZE + 23], 1, CHUNK_SIZE + 23))
    def test_log_marginal_is_the_log_mean_of_the_weights(self, ask, image_vae, images, num_samples):
        weights = log_weights_of(image_vae, images, num_samples, SEED)
        assert weights.shape == (num_samples, len(images))
        answer = ask("log_marginal", x=images, num_samples=num_samples, seed=SEED)
        close(answer["log_marginal"], log_mean_exp(weights))

    def test_bounds_are_ordered(self, ask, images):
        elbo = ask("elbo", x=images, num_samples=200, seed=SEED)["elbo"]
        log_marginal = ask("log_marginal", x=images, num_samples=1000, seed=SEED)["log_marginal"]
        # The gap is KL(q(z|x) || p(z|x)) >= 0, about one nat here, the errors of both about a tenth.
        assert np.mean(log_marginal - elbo) > 0.2

    @pytest.mark.parametrize("signature", SIGNATURES)
    def test_the_seed_alone_decides_the_numbers(self, ask, images, signature):
        inputs = {
            "encode": {"x": images},
            "decode": {"z": np.zeros([7, 3], np.float32)},
            "reconstruct": {"x": images},
            "sample": {"num_samples": 7},
        }.get(signature, {"x": images, "num_samples": 3})
        drawn = {"encode": "z", "elbo": "elbo", "log_marginal": "log_marginal"}.get(signature, "sample")
        first, again, other = (ask(signature, **inputs, seed=seed)[drawn] for seed in (SEED, SEED, OTHER_SEED))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    @pytest.mark.parametrize("signature", ["sample", "elbo", "log_marginal"])
    @pytest.mark.parametrize("how", ["call", "session"])
    @pytest.mark.parametrize("num_samples", [0, -3])
    def test_too_few_samples(self, ask, images, signature, how, num_samples):
        inputs = {} if signature == "sample" else {"x": images}
        message = rf"InvalidArgumentError(.|\n)*num_samples must be at least 1\. Received:\] \[{num_samples}\]"
        with pytest.raises(RuntimeError, match=message):
            ask(signature, how, **inputs, num_samples=num_samples, seed=SEED)

    @pytest.mark.parametrize(
        "signature", slow_except([*SIGNATURES, *MEANS], "reconstruct", "log_marginal", "likelihood")
    )
    def test_tensorflow_1_loader(self, ask, images, signature):
        known = {"x": images, "z": np.ones([7, 3], np.float32), "num_samples": 60, "seed": SEED}
        first = "z" if signature in ("decode", "likelihood") else "x"
        names = {"sample": ["num_samples", "seed"], "posterior": ["x"], "likelihood": ["z"]}.get(
            signature, [first, "seed", *(["num_samples"] if signature in ("elbo", "log_marginal") else [])]
        )
        inputs = {name: known[name] for name in names}
        now, then = ask(signature, **inputs), ask(signature, "session", **inputs)
        assert set(now) == set(then)
        for name, value in now.items():
            close(then[name], value)

    def test_functions_are_attributes_too(self, ask, images):
        close(ask("encode", "function", x=images, seed=SEED)["z"], ask("encode", x=images, seed=SEED)["z"])

    @pytest.mark.parametrize(
        ("signature", "inputs", "outputs"),
        [
            ("encode", {"x"}, {"loc": [3], "scale": [3], "z": [3]}),
            ("decode", {"z"}, {"mean": [8, 8, 1], "sample": [8, 8, 1]}),
            ("reconstruct", {"x"}, {"mean": [8, 8, 1], "sample": [8, 8, 1]}),
            ("sample", {"num_samples"}, {"z": [3], "mean": [8, 8, 1], "sample": [8, 8, 1]}),
            ("elbo", {"x", "num_samples"}, {"elbo": [], "log_likelihood": [], "kl": []}),
            ("log_marginal", {"x", "num_samples"}, {"log_marginal": []}),
        ],
    )
    def test_names_dtypes_and_shapes(self, ask, signature, inputs, outputs):
        known = {
            "x": ("float32", [None, 8, 8, 1]),
            "z": ("float32", [None, 3]),
            "num_samples": ("int32", []),
            "seed": ("int32", [2]),
        }
        taken, given = ask(signature, "describe")
        assert taken == {name: known[name] for name in (*inputs, "seed")}
        assert given == {name: ("float32", [None, *shape]) for name, shape in outputs.items()}


@pytest.fixture
def ask_vector(request, vector_vae):
    """As `ask`, of the model of vectors; `False` asks the functions themselves, without saving them."""
    if request.param:
        server, path = map(request.getfixturevalue, ("server", "vector_model"))
        return lambda name, **inputs: server("call", path, name, **inputs)
    functions = Signatures(vector_vae, (5,), ("encode", "decode", "elbo", "log_marginal")).by_name()
    return lambda name, **inputs: {key: value.numpy() for key, value in functions[name](**inputs).items()}


@pytest.mark.parametrize("ask_vector", [False, pytest.param(True, marks=pytest.mark.slow)], indirect=True)
def test_full_covariance_and_a_normal_likelihood(ask_vector, vector_vae):
    x = np.random.default_rng(2).normal(size=(4, 5)).astype("float32")
    q = vector_vae.encode(x)
    answer = ask_vector("encode", x=x, seed=SEED)
    assert set(answer) == {"loc", "scale_tril", "z"}
    close(answer["loc"], q.mean())
    close(answer["scale_tril"] @ np.swapaxes(answer["scale_tril"], 1, 2), q.covariance())
    assert (answer["scale_tril"][:, 0, 1] == 0).all()
    close(answer["z"], q.sample(seed=SEED))

    p = vector_vae.decode(answer["z"])
    answer = ask_vector("decode", z=answer["z"], seed=SEED)
    close(answer["mean"], p.mean())
    close(answer["sample"], p.sample(seed=SEED))

    answer = ask_vector("elbo", x=x, num_samples=2, seed=SEED)
    close(answer["kl"], tfd.kl_divergence(q, vector_vae.prior.distribution()))
    close(answer["elbo"], np.mean([vector_vae.elbo(x, seed=fold_in(SEED, step)) for step in range(2)], axis=0))
    answer = ask_vector("log_marginal", x=x, num_samples=1, seed=SEED)
    close(answer["log_marginal"], log_weights_of(vector_vae, x, 1, SEED)[0])


class LinearDecoder(keras.Model):
    """A subclassed model, of which the VAE cannot tell the event shape: N(W z + b, diag(noise^2))."""

    def __init__(self, weight, bias, noise):
        super().__init__()
        self.dense = layers.Dense(6)
        self.dense.build((None, 2))
        raw_scale = np.log(np.expm1(noise))
        self.dense.set_weights([np.hstack([weight.T, 0 * weight.T]), np.hstack([bias, raw_scale])])
        self.likelihood = tfvae.layers.IndependentNormal((3,))

    def call(self, z):
        return self.likelihood(self.dense(z))


def test_with_the_exact_posterior_every_weight_is_log_p():
    """x = W z + b + noise: q(z|x) = p(z|x), so the estimate is log p(x) for any number of samples and any seed."""
    weight = np.array([[1.0, -0.5], [0.3, 2.0], [0.0, 0.7]], np.float32)
    bias, noise = np.array([0.2, -1.0, 3.0], np.float32), np.array([0.5, 0.8, 1.1], np.float32)
    covariance = np.linalg.inv(np.eye(2) + weight.T @ np.diag(noise**-2) @ weight)
    gain = (covariance @ weight.T @ np.diag(noise**-2)).astype("float32")  # posterior mean = gain (x - b)
    tril = np.linalg.cholesky(covariance).astype("float32")
    encoder = keras.Sequential(
        [tfvae.layers.DistributionLambda(lambda x: tfd.MultivariateNormalTriL((x - bias) @ gain.T, tril))]
    )
    vae = tfvae.models.VAE(encoder, LinearDecoder(weight, bias, noise), prior=tfvae.priors.StandardNormal(2))
    assert vae.event_shape is None
    vae.build((None, 3))
    functions = Signatures(vae, event_shape_of(vae), ("encode", "log_marginal"))

    x = np.random.default_rng(3).normal(size=(5, 3)).astype("float32")
    marginal = tfd.MultivariateNormalFullCovariance(bias, weight @ weight.T + np.diag(noise**2)).log_prob(x)
    for num_samples, seed in [(1, SEED), (7, SEED), (123, SEED), (123, OTHER_SEED)]:
        close(functions.log_marginal(x, num_samples, seed)["log_marginal"], marginal)
    # The scale that all examples share is answered for each.
    assert functions.encode(x, SEED)["scale_tril"].shape == (5, 2, 2)


def test_a_posterior_without_moments_or_closed_form():
    """A family that TFP knows no mean of: `encode` leaves it out, `elbo` is estimator A."""
    encoder = keras.Sequential(
        [
            layers.Dense(2),
            tfvae.layers.DistributionLambda(
                lambda t: tfd.Independent(tfd.TransformedDistribution(tfd.Normal(t, 0.5), tfp.bijectors.Softplus()), 1)
            ),
        ]
    )
    decoder = keras.Sequential([layers.Dense(6), tfvae.layers.IndependentNormal((3,))])
    prior = tfd.Independent(tfd.Gamma(tf.constant([2.0, 3.0]), 1.0), 1)
    vae = tfvae.models.VAE(encoder, decoder, prior=prior)
    functions = Signatures(vae, (3,), ("encode", "serving_default", "elbo"))
    x = np.random.default_rng(4).normal(size=(4, 3)).astype("float32")
    answer = functions.encode(x, SEED)
    assert set(answer) == {"z"}
    assert (answer["z"].numpy() > 0).all()
    # q(z|x) knows neither its mean nor its mode, so that what is served by default goes through one draw.
    expected = vae.decode(vae.encode(x).sample(seed=[0, 0])).mean()
    for _ in range(2):
        answer = functions.serving_default(x)
        close(answer["mean"], expected)
    answer = functions.elbo(x, 3, SEED)
    close(answer["elbo"], np.mean([vae.elbo(x, seed=fold_in(SEED, step)) for step in range(3)], axis=0))


def test_named_parts_of_the_latents():
    """`encode` returns each part by its name and `decode` takes them; dropout is off."""

    def normal(size):
        diagonal = tfvae.layers.MultivariateNormalDiag
        return keras.Sequential([layers.Dropout(0.5), layers.Dense(diagonal.params_size(size)), diagonal(size)])

    encoder = keras.Sequential([tfvae.layers.Joint({"low": normal(3), "high": normal(2)})])
    low = keras.Input((3,), name="low")
    decoder = keras.Model({"low": low}, tfvae.layers.IndependentBernoulli((4,))(layers.Dense(4)(low)))
    prior = tfvae.priors.Joint({"high": tfvae.priors.StandardNormal(2), "low": normal(3)})
    vae = tfvae.models.VAE(encoder, decoder, prior, seed=0)
    x = np.random.default_rng(0).random((5, 4)).astype("float32")
    functions = Signatures(vae, (4,), ("encode", "decode", "posterior")).by_name()
    assert list(functions) == ["encode", "decode"]
    assert [spec.name for spec in functions["decode"].input_signature] == ["high", "low", "seed"]
    answer, z = functions["encode"](x, SEED), vae.encode(x).sample(seed=SEED)
    assert set(answer) == {"low", "high"}
    for name, part in answer.items():
        close(part, z[name])
    close(functions["decode"](z["high"], z["low"], SEED)["mean"], vae.decode(z).mean())


class TestAModelThatDrawsInside:
    """Another family of posterior, a regulariser, and a latent variable inside the decoder; without saving."""

    @pytest.fixture(scope="class")
    def vae(self):
        encoder = keras.Sequential([layers.Dense(4, activity_regularizer="l2"), tfvae.layers.IndependentNormal((2,))])
        inner = tfvae.layers.MultivariateNormalDiag(4)
        decoder = keras.Sequential([layers.Dense(8), inner, layers.Dense(6), tfvae.layers.IndependentNormal((3,))])
        vae = tfvae.models.VAE(encoder, decoder)
        self.__class__.before = [np.array(v) for v in vae.variables]
        return vae

    @pytest.fixture(scope="class")
    def functions(self, vae):
        return Signatures(vae, (3,), ("encode", "decode", "log_marginal"))

    def test_moments_under_their_own_names(self, functions, vae):
        x = np.ones([4, 3], np.float32)
        answer = functions.encode(x, SEED)
        assert set(answer) == {"mean", "stddev", "z"}
        close(answer["mean"], vae.encode(x).mean())
        close(answer["stddev"], vae.encode(x).stddev())

    def test_inner_draws_follow_the_seed(self, functions):
        z = np.zeros([4, 2], np.float32)
        first, again, other = (functions.decode(z, seed)["mean"] for seed in (SEED, SEED, OTHER_SEED))
        np.testing.assert_array_equal(first, again)
        assert not np.allclose(first, other)
        assert np.isfinite(functions.log_marginal(np.ones([4, 3], np.float32), 60, SEED)["log_marginal"]).all()

    def test_the_model_is_left_as_it_was(self, vae, functions):
        functions.decode(np.zeros([4, 2], np.float32), SEED)
        for variable, value in zip(vae.variables, self.before, strict=True):
            np.testing.assert_array_equal(variable, value)
        assert all("seed_generator" not in variable.name for variable in functions.model_variables)
        # The regulariser's terms of a trace are symbolic: none may stay behind.
        assert all(np.isfinite(loss.numpy()) for loss in vae.losses)


class DoublePrecisionNormal(tfvae.priors.StandardNormal):
    """The VAE is built on a float32 z, which p(z) in double precision does not take."""

    def call(self, z):
        return super().call(tf.cast(z, tf.float64))


SOME, ALL = ("encode", "decode", "elbo"), (*SIGNATURES, DEFAULT)


@pytest.mark.parametrize(
    ("policy", "names"),
    slow_except([("float64", SOME), ("float64", ALL), ("mixed_bfloat16", ALL)], ("float64", SOME)),
)
def test_signatures_are_float32_under_any_policy(policy, names):
    with dtype_policy(policy):
        encoder = keras.Sequential([layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)])
        decoder = keras.Sequential([layers.Dense(6), tfvae.layers.IndependentNormal((3,))])
        prior = DoublePrecisionNormal(2) if policy == "float64" else None
        vae = tfvae.models.VAE(encoder, decoder, prior=prior)
    functions, x = Signatures(vae, (3,), names), np.ones([4, 3], np.float32)
    assert {v.dtype for v in functions.model_variables} == {tf.float64 if policy == "float64" else tf.float32}
    inputs = {DEFAULT: (x,), "decode": (x[:, :2], SEED), "sample": (4, SEED)}
    inputs |= {name: (x, 2, SEED) for name in ("elbo", "log_marginal")}
    answers = [getattr(functions, name)(*inputs.get(name, (x, SEED))) for name in names]
    for answer in answers:
        for value in answer.values():
            assert value.dtype == tf.float32
            assert np.isfinite(value).all()
    close(functions.encode(x, SEED)["loc"], vae.infer(tf.cast(x, vae.variable_dtype)).mean())


def test_only_what_is_read_is_exported(image_model):
    """No optimizer, no metric, no seed state: three kernels with biases, and four of a batch normalisation."""
    saved = dict(tf.train.list_variables(str(image_model / "variables" / "variables")))
    assert sorted(shape for name, shape in saved.items() if name.startswith("model_variables")) == sorted(
        [[64, 11], [11], [11, 6], [6], [3, 32], [32], [2], [2], [2], [2], [3, 3, 1, 2], [1]]
    )
    assert len(saved) == 13  # and TensorFlow's own `_CHECKPOINTABLE_OBJECT_GRAPH`
