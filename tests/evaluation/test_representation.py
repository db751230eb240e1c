"""Probes, walks and samples of latent space, where the answer is known."""

import json

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
from gaussian_vaes import decoder_of, exact_vae, gaussian_vae
from linear_gaussian import make_linear_gaussian
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import tfvae
from tfvae import layers
from tfvae.evaluation import figures, interpolate, latent_traversal, prior_vs_posterior, representation

tfd = tfp.distributions

MODEL = make_linear_gaussian(latent_size=2, data_size=4, sigma=0.6)
RNG = np.random.default_rng(1)
TRAIN, TEST = (MODEL.data(n, seed=n).astype("float32") for n in (150, 90))


@pytest.fixture(scope="module")
def vae():
    return exact_vae(MODEL)


@pytest.fixture(scope="module")
def identity():
    """E[z|x] is the first two numbers of x."""
    gain = np.eye(2, 4)
    return gaussian_vae(MODEL, gain, np.zeros(2), np.array([0.3, 0.4]))


def test_accuracies_are_those_of_scikit_learn_on_posterior_means(vae):
    def label(x):
        return (np.digitize(x[:, 0], [-1.0, 1.0]) + 5).astype(int)

    result = representation(vae, TRAIN, TEST, train_labels=label(TRAIN), test_labels=label(TEST), k=7, batch_size=40)
    train, test = (MODEL.posterior_mean(x) for x in (TRAIN, TEST))
    scaler = StandardScaler().fit(train)
    probe = LogisticRegression(max_iter=2000).fit(scaler.transform(train), label(TRAIN))
    assert result.linear_probe.num_correct == np.sum(probe.predict(scaler.transform(test)) == label(TEST))
    neighbors = KNeighborsClassifier(7).fit(train, label(TRAIN))
    assert result.nearest_neighbors.num_correct == np.sum(neighbors.predict(test) == label(TEST))
    values, counts = np.unique(label(TRAIN), return_counts=True)
    assert result.most_frequent.num_correct == np.sum(label(TEST) == values[counts.argmax()])
    p = result.linear_probe.num_correct / 90
    assert result.linear_probe.standard_error == pytest.approx(np.sqrt(p * (1 - p) / 90))
    report = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert (report["k"], report["num_train"]) == (7, 150)


def test_a_checkerboard_is_for_neighbours_and_not_for_a_plane(identity):
    def board(n, seed):
        rng = np.random.default_rng(seed)
        signs = rng.choice([-1, 1], size=(n, 2))
        x = np.concatenate([signs * 2 + 0.1 * rng.normal(size=(n, 2)), rng.normal(size=(n, 2))], axis=1)
        return x.astype("float32"), (signs.prod(axis=1) > 0).astype(int)

    (train, train_labels), (test, test_labels) = board(200, 0), board(100, 1)
    # At most three of the four fields lie on their side of any plane.
    result = representation(identity, train, test, train_labels=train_labels, test_labels=test_labels)
    assert result.nearest_neighbors.mean == 1.0
    assert result.linear_probe.mean < 0.75 + 5 * np.sqrt(0.75 * 0.25 / 100)


def test_labels_come_from_splits(vae):
    labels = (TRAIN[:, 1] > 0).astype(int)
    train, test = tfvae.data.Split(TRAIN, labels), tfvae.data.Split(TEST, (TEST[:, 1] > 0).astype(int))
    from_splits = representation(vae, train, test)
    given = representation(vae, TRAIN, TEST, train_labels=train.labels, test_labels=test.labels)
    assert from_splits == given


def test_posteriors_without_a_mean_are_averaged():
    keras.utils.set_random_seed(0)
    layer = layers.GenericDistribution(tfd.LogitNormal, 2)
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(layer.parameters_size), layer])
    vae = tfvae.models.VAE(
        encoder, decoder_of(MODEL), prior=tfd.Independent(tfd.LogitNormal([0.0, 0.1], [1.0, 0.9]), 1)
    )
    walk = interpolate(vae, TRAIN[:3], TEST[:3], 2)  # its means are of 100 draws
    inner = vae.encode(TRAIN[:3]).distribution
    loc, scale = inner.distribution.loc.numpy()[..., None], inner.distribution.scale.numpy()[..., None]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = scipy.special.expit(loc + scale * nodes)
    mean = z @ weights / weights.sum()
    error = np.sqrt((z**2 @ weights / weights.sum() - mean**2) / 100)
    assert np.all(np.abs(walk.z[:, 0] - mean) < 5 * error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "train_labels"),
        ({"train_labels": np.zeros(149)}, r"\(150,\)"),
        ({"train_labels": np.zeros(150)}, "at least 2"),
        ({"train_labels": np.arange(150) % 2, "k": 151}, "k=151"),
        ({"train_labels": np.arange(150) % 2, "k": 0}, "`k` must be an integer of at least 1"),
    ],
)
def test_bad_input_is_one_clear_error(vae, arguments, message):
    with pytest.raises(ValueError, match=message):
        representation(vae, TRAIN, TEST, test_labels=np.arange(90) % 2, **arguments)


def test_traversal_by_hand(vae):
    walk = latent_traversal(vae, TRAIN[0], 1, values=[-1.5, 0.25, 2.0])
    mean = MODEL.posterior_mean(TRAIN[0])
    expected = np.array([[[mean[0], value] for value in (-1.5, 0.25, 2.0)]])
    assert walk.dimensions == (1,)
    np.testing.assert_allclose(walk.z, expected, atol=1e-5)
    np.testing.assert_allclose(walk.means, expected @ MODEL.weights.T + MODEL.bias, atol=1e-5)
    both = latent_traversal(vae, z=[0.5, -0.7])
    assert both.means.shape == (2, 11, 4)
    np.testing.assert_allclose(both.z[0], np.stack([np.linspace(-3, 3, 11), np.full(11, -0.7)], axis=1), atol=1e-7)
    np.testing.assert_allclose(both.z[1], np.stack([np.full(11, 0.5), np.linspace(-3, 3, 11)], axis=1), atol=1e-7)


def test_interpolation_by_hand(vae):
    way = interpolate(vae, TRAIN[:3], TEST[:3], 5)
    a, b = MODEL.posterior_mean(TRAIN[:3]), MODEL.posterior_mean(TEST[:3])
    expected = np.stack([a + share * (b - a) for share in (0, 0.25, 0.5, 0.75, 1)], axis=1)
    np.testing.assert_allclose(way.z, expected, atol=1e-5)
    np.testing.assert_allclose(way.means, expected @ MODEL.weights.T + MODEL.bias, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda vae: latent_traversal(vae), "`x` or its latents as `z`. Received: neither"),
        (lambda vae: latent_traversal(vae, TRAIN[0], z=[0.0, 0.0]), "Received: both"),
        (lambda vae: latent_traversal(vae, z=[0.0, 0.0, 0.0]), r"\(2,\)"),
        (lambda vae: latent_traversal(vae, TRAIN[0], [0, 2]), "0 to 1"),
        (lambda vae: latent_traversal(vae, TRAIN[0], []), "0 to 1"),
        (lambda vae: latent_traversal(vae, TRAIN[0], values=[]), "at least one"),
        (lambda vae: latent_traversal(vae, TRAIN[:2]), "event shape"),
        (lambda vae: interpolate(vae, TRAIN[:2], TEST[:2], 1), "num_steps"),
        (lambda vae: interpolate(vae, TRAIN[:2], TEST[:3]), "the same shape"),
        (lambda vae: prior_vs_posterior(vae, TRAIN[:9]), "num_components=10 and 9 examples"),
        (lambda vae: prior_vs_posterior(vae, TRAIN, num_samples=3), "num_samples"),
        (lambda vae: prior_vs_posterior(vae, TRAIN, num_components=0), "num_components"),
    ],
)
def test_bad_walks_and_samples_are_one_clear_error(vae, call, message):
    with pytest.raises(ValueError, match=message):
        call(vae)


def test_the_exact_posterior_aggregates_to_the_prior(vae):
    """Data from the model itself: z ~ q(z|x) is then exactly N(0, I)."""
    data = MODEL.data(2000, seed=9).astype("float32")
    result = prior_vs_posterior(vae, data, num_samples=1000, num_components=1)
    for accuracy in (result.prior_accuracy, result.mixture_accuracy):
        assert accuracy.num_examples == 1000
        assert abs(accuracy.mean - 0.5) < 5 * accuracy.standard_error
    for z, means in (
        (result.z_prior, result.means_prior),
        (result.z_posterior, result.means_posterior),
        (result.z_mixture, result.means_mixture),
    ):
        assert z.shape == (1000, 2)
        np.testing.assert_allclose(means, z @ MODEL.weights.T + MODEL.bias, atol=1e-4)
        assert np.all(np.abs(z.mean(axis=0)) < 5 / np.sqrt(1000) * np.sqrt(1.5))  # the mixture's mean is estimated
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_prior_off_the_aggregated_posterior_is_told_apart_as_well_as_it_can_be():
    """N(0, 1) against N(1.5, 1) in one of two dimensions: the best classifier is right with Phi(0.75)."""
    vae = gaussian_vae(MODEL, np.zeros((2, 4)), np.array([0.0, 1.5]), np.ones(2))
    data = MODEL.data(3000, seed=2).astype("float32")
    result = prior_vs_posterior(vae, data, num_samples=3000, num_components=1)
    best = scipy.stats.norm.cdf(0.75)
    assert abs(result.prior_accuracy.mean - best) < 5 * result.prior_accuracy.standard_error
    assert abs(result.mixture_accuracy.mean - 0.5) < 5 * result.mixture_accuracy.standard_error


def test_spread_alone_is_told_apart():
    """N(0, 1) against N(0, 0.2^2) has no separating plane, and a best accuracy that is known."""
    vae = gaussian_vae(MODEL, np.zeros((2, 4)), np.zeros(2), np.array([1.0, 0.2]))
    result = prior_vs_posterior(vae, TRAIN, num_samples=3000, num_components=1)
    edge = np.sqrt(2 * np.log(1 / 0.2) / (1 / 0.2**2 - 1))
    best = 0.5 * (2 * scipy.stats.norm.cdf(edge / 0.2) - 1) + 0.5 * 2 * scipy.stats.norm.cdf(-edge)
    assert abs(result.prior_accuracy.mean - best) < 5 * result.prior_accuracy.standard_error


def test_samples_repeat_with_the_seed(vae):
    results = [prior_vs_posterior(vae, TRAIN, num_samples=20, num_components=3, seed=seed) for seed in (4, 4, 5)]
    for name in ("z_prior", "z_posterior", "z_mixture"):
        np.testing.assert_array_equal(getattr(results[0], name), getattr(results[1], name))
        assert not np.array_equal(getattr(results[0], name), getattr(results[2], name))
    # Without replacement: 150 examples are enough for 20 samples.
    assert len(np.unique(results[0].z_posterior, axis=0)) == 20


def test_figures(vae, tmp_path):
    samples = prior_vs_posterior(vae, TRAIN, num_samples=20, num_components=3)
    drawn = {
        "traversals": figures.traversals(vae, TRAIN[0], num_steps=5),
        "one": figures.traversals(vae, TRAIN[0], [1], num_steps=3, span=2.0),
        "interpolations": figures.interpolations(vae, TRAIN[:3], TEST[:3], num_steps=4),
        "prior_vs_posterior": figures.prior_vs_posterior(samples, num_images=9),
    }
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png")
    axes = drawn["traversals"].axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["z[0]", "z[1]"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["-3", "0", "3"]
    assert [tick.get_text() for tick in drawn["one"].axes[0].get_yticklabels()] == ["z[1]"]
    assert len(drawn["prior_vs_posterior"].axes) == 3
    assert drawn["interpolations"].axes[0].images[0].get_array().shape[1] == 6 * 96 + 5  # of bars


def test_latents_that_are_no_vector_are_refused():
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(12), layers.IndependentNormal((2, 3))])
    decoder = keras.Sequential(
        [keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(8), layers.IndependentNormal(4)]
    )
    vae = tfvae.models.VAE(encoder, decoder, prior=tfd.Independent(tfd.Normal(tf.zeros([2, 3]), 1.0), 2))
    for call in (
        lambda: representation(vae, TRAIN, TEST, train_labels=TRAIN[:, 0] > 0, test_labels=TEST[:, 0] > 0),
        lambda: latent_traversal(vae, TRAIN[0]),
        lambda: interpolate(vae, TRAIN[:2], TEST[:2]),
        lambda: prior_vs_posterior(vae, TRAIN),
        lambda: figures.traversals(vae, TRAIN[0]),
    ):
        with pytest.raises(ValueError, match="one vector of floating-point"):
            call()
