"""One style in every class: of conditional models, and of models with labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from class_models import class_vae, vae_of_labels
from conditional_gaussian import exact_vae, sample_data
from small_models import random_bits

from tfvae import evaluation, layers, priors
from tfvae.data import Split
from tfvae.estimators import Enumerated
from tfvae.evaluation import figures
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.models.styles import all_classes, columns_of, example_styles, prior_styles

X = random_bits(3, (4, 2))


@pytest.fixture(scope="module")
def conditional():
    return class_vae()


@pytest.fixture(scope="module")
def labelled():
    return vae_of_labels(Enumerated())


def test_a_style_of_the_prior_is_the_same_in_every_class(conditional):
    found = prior_styles(conditional, all_classes(conditional), 3, seed=(0, 1))
    z = np.reshape(found.z, (3, 4, 2))
    np.testing.assert_array_equal(z, np.broadcast_to(z[:, :1], z.shape))
    assert len(np.unique(z[:, 0, 0])) == 3
    np.testing.assert_array_equal(np.reshape(found.condition, (3, 4, 4)), np.broadcast_to(np.eye(4), (3, 4, 4)))


def test_the_noise_of_a_style_is_the_same_under_a_prior_of_each_class():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), layers.MultivariateNormalDiag(2)])
    vae = class_vae(prior=priors.Conditional(network))
    z = np.reshape(prior_styles(vae, all_classes(vae), 3, seed=(0, 1)).z, (3, 4, 2))
    prior = vae.prior_of(tf.eye(4))
    noise = (z - prior.mean()) / prior.stddev()
    np.testing.assert_allclose(noise, np.broadcast_to(noise[:, :1], noise.shape), rtol=1e-4, atol=1e-5)
    assert np.ptp(z[0, :, 0]) > 0.01


def test_the_style_of_an_example_goes_to_every_class(conditional):
    given = conditional.batch_of({"x": tf.constant(X), "condition": np.array([2, 0, 1])})
    found = example_styles(conditional, given, all_classes(conditional), seed=(0, 1))
    mean = conditional.encode(X, condition=[2, 0, 1]).mean()
    np.testing.assert_allclose(found.z, np.repeat(mean, 4, axis=0), rtol=1e-6)


def test_styles_of_labels(labelled):
    x = random_bits(4, (5,))
    drawn = prior_styles(labelled, all_classes(labelled), 2, seed=(0, 1))
    np.testing.assert_array_equal(drawn.z["y"], np.tile(np.eye(3), (2, 1)))
    z = np.reshape(drawn.z["z"], (2, 3, 2))
    np.testing.assert_array_equal(z, np.broadcast_to(z[:, :1], z.shape))
    assert drawn.condition is None
    most_probable = np.argmax(labelled.classify(x), axis=1)
    for labels, classes in ((None, most_probable), ([2, -1, 0, 1], np.array([2, most_probable[1], 0, 1]))):
        batch = Batch(tf.constant(x), labels=None if labels is None else tf.constant(labels))
        found = example_styles(labelled, batch, all_classes(labelled), seed=(0, 1))
        given = {"y": tf.one_hot(classes, 3)}
        of_q, _ = labelled.infer(x).sample_distributions(value=given, seed=(0, 0))
        np.testing.assert_allclose(found.z["z"], np.repeat(of_q["z"].mean(), 3, axis=0), rtol=1e-5)
        np.testing.assert_array_equal(found.z["y"], np.tile(np.eye(3), (4, 1)))


class Pixels:
    """A display that draws each value as a pixel."""

    kind, has_color_bar = "image", False

    def pictures(self, x, missing=False):
        return np.asarray(x)[..., np.newaxis]

    def caption(self):
        return ""


def labels_on_top(figure):
    return [tick.get_text() for tick in figure.axes[0].get_xticklabels()]


def pixels(figure):
    return figure.axes[0].images[0].get_array()


def test_figures_have_a_column_for_each_class(conditional, labelled):
    figure = figures.styles(conditional, num_styles=2, names=["a", "b", "c", "d"], display=Pixels())
    assert labels_on_top(figure) == ["a", "b", "c", "d"]
    assert pixels(figure).shape == (2 * 4 + 1, 4 * 2 + 3)
    figure = figures.styles(conditional, [3, 1], num_styles=1)
    assert labels_on_top(figure) == ["3", "1"]
    figure = figures.analogies(conditional, X, condition=[2, 0, 1], display=Pixels())
    assert labels_on_top(figure) == ["x", "0", "1", "2", "3"]
    assert pixels(figure).shape == (3 * 4 + 2, 5 * 2 + 4)
    np.testing.assert_array_equal(pixels(figure)[:4, :2], 255 * X[0])
    mean = conditional.decode(conditional.encode(X, condition=[2, 0, 1]).mean(), condition=1).mean()
    np.testing.assert_allclose(pixels(figure)[:4, 6:8], 255 * mean[0], atol=0.51)
    assert labels_on_top(figures.analogies(labelled, random_bits(2, (5,)))) == ["x", "0", "1", "2"]
    with pytest.raises(ValueError, match="one name for each of the 4 columns"):
        figures.styles(conditional, names=["a"])


def test_columns_are_classes_or_conditions_of_examples(conditional):
    one_hot = Batch(tf.constant(X), tf.eye(4)[:3])
    np.testing.assert_array_equal(columns_of(conditional, one_hot), np.eye(4))
    x, c = sample_data(20)
    vae = exact_vae(None)
    found = columns_of(vae, Batch(tf.constant(x), tf.constant(np.concatenate([c[:1], c[:1], c[1:]]))))
    np.testing.assert_array_equal(found, c)
    figures.styles(vae, c[:3], num_styles=2)


def test_other_figures_of_a_conditional_model(conditional):
    assert pixels(figures.reconstructions(conditional, X, condition=[2, 0, 1], display=Pixels())).shape[0] == 9
    samples = figures.prior_samples(conditional, num_samples=6, condition=[2, 0, 1], seed=3, display=Pixels())
    drawn = conditional.ancestral_sample(6, condition=[2, 0, 1, 2, 0, 1], seed=3).mean().numpy()
    np.testing.assert_allclose(pixels(samples)[:4, :2], 255 * drawn[0, :, :], atol=0.51)
    assert pixels(figures.manifold(conditional, num_steps=3, condition=1, display=Pixels())).shape[0] == 3 * 4 + 2
    figures.traversals(conditional, X[0], condition=2)
    figures.interpolations(conditional, X, X[::-1], condition=[2, 0, 1])
    figures.latent_scatter(conditional, X, condition=[2, 0, 1])
    with pytest.raises(ValueError, match="needs a condition"):
        figures.prior_samples(conditional)


def test_the_map_of_a_model_with_labels_is_that_of_the_style(labelled):
    x = random_bits(4, (5,))
    figure = figures.latent_scatter(labelled, x)
    style = example_styles(labelled, Batch(tf.constant(x)), all_classes(labelled), seed=(0, 1)).z["z"][::3]
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets(), style, rtol=1e-5)


def test_accuracy_is_that_of_known_labels(labelled, conditional):
    x = random_bits(9, (5,))
    predicted = np.argmax(labelled.classify(x), axis=1)
    labels = np.where(np.arange(9) < 3, -1, predicted)
    labels[3] = (labels[3] + 1) % 3
    found = evaluation.accuracy(labelled, x, labels, batch_size=4)
    assert (found.num_correct, found.num_examples) == (5, 6)
    split = Split(x.astype("uint8"), labels, num_levels=2)
    assert evaluation.accuracy(labelled, split) == found
    with pytest.raises(ValueError, match="needs a model with class labels"):
        evaluation.accuracy(conditional, X, [0, 1, 2])
    with pytest.raises(ValueError, match="some of which are known"):
        evaluation.accuracy(labelled, x, np.full(9, -1))
    with pytest.raises(ValueError, match=r"The labels of `data` are missing\. Pass `labels`"):
        evaluation.accuracy(labelled, x)


def test_conditions_that_are_images_have_to_be_given():
    image, z = keras.Input((4, 2), name="condition"), keras.Input((2,), name="z")
    decoded = keras.layers.Dense(3)(keras.layers.Concatenate()([z, keras.layers.Flatten()(image)]))
    decoder = keras.Model({"z": z, "condition": image}, layers.IndependentBernoulli((3,))(decoded))
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), layers.MultivariateNormalDiag(2)])
    vae = VAE(encoder, decoder)
    figures.styles(vae, X, num_styles=2)
    with pytest.raises(ValueError, match=r"not classes\. Pass those that are to be shown"):
        figures.styles(vae)
    with pytest.raises(ValueError, match="Styles need a conditional model"):
        figures.styles(VAE(encoder, keras.Sequential([keras.layers.Dense(3), layers.IndependentBernoulli((3,))])))
