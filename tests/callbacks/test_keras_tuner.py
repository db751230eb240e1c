"""Keras Tuner, where it is installed: it clones callbacks, saves weights at the best epoch and reads our metrics."""

import keras
import pytest

import tfvae
from tfvae.callbacks import BetaSchedule, LinearWarmUp

keras_tuner = pytest.importorskip("keras_tuner")


def test_a_search_maximises_the_elbo(make_vae, images, tmp_path):
    def build(hyper):
        return make_vae(learning_rate=hyper.Choice("learning_rate", [1e-8, 0.1]))

    tuner = keras_tuner.GridSearch(
        build, objective=keras_tuner.Objective("val_elbo", "max"), directory=tmp_path, project_name="search"
    )
    callbacks = [BetaSchedule(LinearWarmUp(num_steps=2)), keras.callbacks.EarlyStopping("val_elbo", mode="max")]
    tuner.search(images, validation_data=images, epochs=3, batch_size=4, verbose=0, callbacks=callbacks)
    assert tuner.get_best_hyperparameters()[0].values == {"learning_rate": 0.1}
    assert isinstance(tuner.get_best_models()[0], tfvae.models.VAE)
