"""TensorBoard of conditional models and of models with labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from class_models import class_vae, vae_of_labels
from small_models import random_bits

from tfvae.callbacks import VAETensorBoard
from tfvae.callbacks._tensorboard.examples import Examples
from tfvae.callbacks._tensorboard.pictures import PICTURES, PictureInputs
from tfvae.callbacks._tensorboard.views import ModelViews
from tfvae.data import Split
from tfvae.estimators import Enumerated

X, CLASSES = random_bits(6, (4, 2)), np.array([2, 0, 1, 3, 0, 2])


class Pixels:
    """A display that draws each value as a pixel."""

    def pictures(self, x):
        return np.asarray(x)[..., np.newaxis]


def inputs_of(vae, images):
    examples, views = Examples.of(images), ModelViews(vae, seed=0)
    x = examples.batch(vae)
    batch = examples.with_parts(vae, x)
    found = PictureInputs(views, 3, x, views.encode(batch), batch)
    object.__setattr__(found, "display", Pixels())
    return found


@pytest.fixture(scope="module")
def conditional():
    vae = class_vae()
    return vae, inputs_of(vae, {"x": X, "condition": CLASSES})


def test_pictures_of_a_conditional_model_are_given_its_conditions(conditional):
    vae, inputs = conditional
    assert all(picture is not None for picture in (draw(inputs) for draw in PICTURES.values()))
    found = PICTURES["reconstructions"](inputs)
    expected = vae.reconstruct(X[:3], condition=CLASSES[:3], seed=0)
    np.testing.assert_allclose(found[5:9, :2, 0], np.rint(255 * expected[0].numpy()), atol=1)
    samples = vae.ancestral_sample(3, condition=CLASSES[:3], seed=0).mean()
    np.testing.assert_allclose(PICTURES["samples"](inputs)[:4, :2, 0], np.rint(255 * samples[0].numpy()), atol=1)
    ends = vae.decode(vae.encode(X[:1], condition=CLASSES[:1]).mean(), condition=CLASSES[0]).mean()
    np.testing.assert_allclose(PICTURES["interpolations"](inputs)[:4, :2, 0], np.rint(255 * ends[0].numpy()), atol=1)


def test_columns_are_classes(conditional):
    vae, inputs = conditional
    found = PICTURES["analogies"](inputs)
    assert found.shape[:2] == (6 * 4 + 5, 5 * 2 + 4)
    np.testing.assert_array_equal(found[:4, :2, 0], 255 * X[0])
    style = vae.encode(X[:1], condition=CLASSES[:1]).mean()
    np.testing.assert_allclose(
        found[:4, 12:14, 0], np.rint(255 * vae.decode(style, condition=3).mean()[0].numpy()), atol=1
    )
    assert PICTURES["styles"](inputs).shape[:2] == (8 * 4 + 7, 4 * 2 + 3)


def test_models_with_labels_have_styles_and_others_none(conditional):
    x = random_bits(5, (5,))
    inputs = inputs_of(vae_of_labels(Enumerated()), (x, np.array([1, -1, 2, 0, -1])))
    assert PICTURES["styles"](inputs).shape[:2] == (8 * 5 + 7, 3 + 2)
    assert PICTURES["analogies"](inputs).shape[:2] == (5 * 5 + 4, 4 + 3)
    np.testing.assert_array_equal(inputs.batch.labels, [1, -1, 2, 0, -1])
    assert PICTURES["traversals"](inputs) is None
    plain = PictureInputs(conditional[1].views, 3, tf.constant(X), None)
    assert PICTURES["styles"](plain) is PICTURES["analogies"](plain) is None


@pytest.mark.slow
def test_a_fit_writes_them_and_is_not_changed(tmp_path, read_events):
    given = {"x": X, "condition": CLASSES}
    split = Split(X.astype("uint8"), CLASSES, num_levels=2, condition=np.eye(4, dtype="float32")[CLASSES])
    weights = []
    for callbacks in ([], [VAETensorBoard(tmp_path, split, every=1)]):
        vae = class_vae()
        keras.utils.set_random_seed(1)
        vae.fit(given, epochs=1, batch_size=3, verbose=0, callbacks=callbacks)
        weights.append(vae.get_weights())
    for with_board, without in zip(*weights, strict=True):
        np.testing.assert_array_equal(with_board, without)
    found = read_events(tmp_path / "train")
    assert {"styles", "analogies", "samples", "reconstructions", "traversals", "interpolations"} <= set(found.images)
    assert "active_units" in found.scalars
    assert "posterior/kl_per_dimension" in found.histograms


def test_conditions_that_do_not_fit_are_one_error(tmp_path):
    vae = class_vae()
    board = VAETensorBoard(tmp_path, {"x": X, "condition": np.zeros((6, 5), "float32")})
    with pytest.raises(ValueError, match=r"does not fit the model: The condition must have shape \(B, 4\)"):
        vae.fit({"x": X, "condition": CLASSES}, verbose=0, callbacks=[board])
