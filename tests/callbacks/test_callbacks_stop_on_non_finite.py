"""A loss that is no number stops the run, says why, and leaves the last checkpoint good."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae.callbacks import NonFiniteLossError, StopOnNonFinite


def all_finite(model):
    return all(np.isfinite(weight).all() for weight in model.get_weights())


def spoiled(images, batch, batch_size=2):
    """Batches of which one, counted from 1, holds a NaN."""
    images = images.copy()
    images[(batch - 1) * batch_size, 0, 0, 0] = np.nan
    return tf.data.Dataset.from_tensor_slices(images).batch(batch_size)


def test_a_learning_rate_that_diverges_leaves_the_last_checkpoint_good(vae, images, tmp_path):
    callbacks = [
        # Listed first, where it would save before a callback that raises at the epoch's end.
        keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras")),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch < 2 else 1e38),
        StopOnNonFinite(),
    ]
    with pytest.raises(NonFiniteLossError) as caught:
        vae.fit(images, batch_size=2, epochs=5, callbacks=callbacks, verbose=0)
    error = caught.value
    assert isinstance(error, FloatingPointError)
    assert error.epoch == 3
    assert 1 < error.step <= 11
    assert error.total_step == 22 + error.step
    assert error.term in ("log_likelihood", "kl")
    assert not np.isfinite(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.keras", "2.keras"]
    restored = tfvae.load_model(tmp_path / "2.keras")
    assert all_finite(restored)
    assert np.isfinite(restored.elbo(images, seed=0)).all()


def test_message_names_epoch_step_term_value_and_what_to_do(vae, images):
    with pytest.raises(NonFiniteLossError, match=r"log_likelihood is nan in epoch 1, at step 4 \(step 4 of") as caught:
        vae.fit(spoiled(images, 4), callbacks=[StopOnNonFinite()], verbose=0)
    message = str(caught.value)
    for advice in ("learning rate", "clipnorm", "data for NaN", "decoder above a minimum", "last checkpoint"):
        assert advice in message
    assert (caught.value.epoch, caught.value.step, caught.value.total_step) == (1, 4, 4)
    assert caught.value.term == "log_likelihood"


def test_total_step_goes_on_over_fits(vae, images):
    vae.fit(images, batch_size=11, epochs=2, verbose=0)
    with pytest.raises(NonFiniteLossError, match=r"in epoch 3, at step 2 \(step 6 of") as caught:
        vae.fit(spoiled(images, 2), epochs=3, initial_epoch=2, callbacks=[StopOnNonFinite()], verbose=0)
    assert (caught.value.epoch, caught.value.step, caught.value.total_step) == (3, 2, 6)


def test_kl_is_named_when_the_likelihood_is_finite(make_vae, images):
    # Latents of 1e30: their squares overflow, the decoder's tanh does not.
    vae = make_vae(encoder_scale=1e30)
    with pytest.raises(NonFiniteLossError, match=r"kl is inf in epoch 1, at step 1 .*increase beta slowly") as caught:
        vae.fit(images, batch_size=11, callbacks=[StopOnNonFinite()], verbose=0)
    assert (caught.value.term, caught.value.value) == ("kl", float("inf"))


def test_several_steps_in_an_execution_give_the_one(make_vae, images):
    vae = make_vae(steps_per_execution=4)
    with pytest.raises(NonFiniteLossError, match=r"at step 6 \(step 6 of") as caught:
        vae.fit(spoiled(images, 6), callbacks=[StopOnNonFinite()], verbose=0)
    assert (caught.value.step, caught.value.total_step) == (6, 6)
    # The epoch's last execution holds three batches of eleven.
    for weight in vae.trainable_weights:
        weight.assign(keras.ops.zeros_like(weight))
    with pytest.raises(NonFiniteLossError, match="at step 10 "):
        vae.fit(spoiled(images, 10), callbacks=[StopOnNonFinite()], verbose=0)


def test_functional_model_with_nothing_but_a_loss(make_functional):
    x = np.zeros((6, 5), "float32")
    x[5] = np.inf
    with pytest.raises(NonFiniteLossError, match=r"loss is .* in epoch 1, at step 3 ") as caught:
        make_functional().fit(x, x, batch_size=2, shuffle=False, callbacks=[StopOnNonFinite()], verbose=0)
    assert caught.value.term == "loss"


@pytest.mark.parametrize("known_length", slow_except([True, False], False))
def test_an_epochs_last_update_that_no_loss_has_seen(make_functional, tmp_path, known_length):
    x = np.ones((4, 5), "float32")
    data = tf.data.Dataset.from_tensors((x, x))
    if not known_length:
        data = data.filter(lambda *_: True)
    save, stop = (
        keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True),
        StopOnNonFinite(),
    )
    with pytest.raises(NonFiniteLossError, match=r"'dense.*' contains (-?inf|nan) in epoch 1, at step 1 ") as caught:
        make_functional(float("inf")).fit(data, callbacks=[save, stop] if known_length else [stop, save], verbose=0)
    assert caught.value.term == "weights"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_other_metrics_may_be_anything(make_functional):
    model = make_functional()
    model.compile("sgd", loss=model.loss, metrics=[lambda x, rv_x: tf.constant(np.nan)], jit_compile=False)
    x = np.ones((4, 5), "float32")
    history = model.fit(x, x, callbacks=[StopOnNonFinite()], verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert any(np.isnan(values).any() for values in history.values())


def test_a_good_run_is_the_same(make_functional):
    x = np.random.default_rng(2).normal(size=(8, 5)).astype("float32")
    model, runs = make_functional(), []
    before = model.get_weights()
    for callbacks in ([], [StopOnNonFinite()]):
        model.set_weights(before)
        keras.utils.set_random_seed(0)  # the order of the examples
        runs.append((model.fit(x, x, epochs=2, callbacks=callbacks, verbose=0).history, model.get_weights()))
    assert runs[0][0] == runs[1][0]
    for one, other in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_error_goes_through_pickle():
    error = NonFiniteLossError("what", epoch=2, step=3, total_step=9, term="kl", value=float("inf"))
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == "what"
    assert vars(copy) == vars(error)
