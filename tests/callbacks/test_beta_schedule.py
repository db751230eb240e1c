"""Schedules by hand, and what they do in real fits: values, resumption, warnings, early stopping, one trace."""

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae.callbacks import BetaSchedule, Constant, Cyclical, LinearWarmUp

SCHEDULES = [
    Constant(0.3),
    LinearWarmUp(num_epochs=2.5, start=0.25, end=4.0),
    LinearWarmUp(num_steps=7),
    Cyclical(num_epochs=4),
    Cyclical(num_steps=10, rising_share=0.3, start=0.5, end=2.0),
]


class Recorder(keras.callbacks.Callback):
    """Beta as each execution sees it, and the epochs' logs."""

    def __init__(self):
        super().__init__()
        self.betas, self.logs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.betas.append(float(self.model.beta.numpy()))

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(logs.get("beta"))


def fit(vae, images, schedule, *, epochs, callbacks=(), batch_size=4, **kwargs):
    """Six steps an epoch: 22 images in batches of 4."""
    recorder = Recorder()
    history = vae.fit(
        images, batch_size=batch_size, epochs=epochs, verbose=0,
        callbacks=[BetaSchedule(schedule), recorder, *callbacks], **kwargs,
    )  # fmt: skip
    return recorder, history.history


# Schedules -----------------------------------------------------------------------------------------------------------


def test_values_by_hand():
    rise = LinearWarmUp(num_steps=8, start=0.5, end=2.5)
    assert [rise(step) for step in (0, 2, 8, 9, 1000)] == [0.5, 1.0, 2.5, 2.5, 2.5]
    fall = LinearWarmUp(num_epochs=0.5, start=4.0, end=1.0)
    assert [fall(epoch) for epoch in (0, 0.25, 0.5)] == [4.0, 2.5, 1.0]
    cycle = Cyclical(num_steps=10, rising_share=0.4, end=2.0)
    assert [cycle(step) for step in range(11)] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0]
    assert [cycle.is_settled(step) for step in (3, 4, 9, 10, 14)] == [False, True, True, False, True]
    assert cycle.warm_up == 4.0
    assert Constant(0.3)(5) == 0.3


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedules_are_values_that_survive_json(schedule):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy == schedule
    assert hash(copy) == hash(schedule)
    assert (copy.in_epochs, copy.warm_up) == (schedule.in_epochs, schedule.warm_up)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LinearWarmUp(), ValueError, "requires either `num_epochs` or `num_steps`"),
        (lambda: Cyclical(num_epochs=2, num_steps=3), ValueError, "Cyclical requires either"),
        (lambda: LinearWarmUp(num_steps=0), ValueError, "`num_steps` must be an integer of at least 1"),
        (lambda: LinearWarmUp(num_epochs=0), ValueError, "num_epochs must be above 0. Use Constant"),
        (lambda: LinearWarmUp(num_epochs=-2), ValueError, "`num_epochs` must be a finite number, at least 0"),
        (lambda: LinearWarmUp(num_epochs=2, end=-1.0), ValueError, "`end` must be a finite number, at least 0"),
        (lambda: Cyclical(num_epochs=2, rising_share=0.0), ValueError, "rising_share"),
        (lambda: Constant(float("nan")), ValueError, "`value` must be a finite number"),
        (
            lambda: Cyclical(num_epochs=2, rising_share="a"),
            ValueError,
            "a finite number, above 0 and at most 1. .*='a'",
        ),
        (lambda: Constant(True), ValueError, "`value` must be a finite number"),
        (lambda: BetaSchedule(0.5), TypeError, "LinearWarmUp.*Received: schedule=0.5"),
        (lambda: BetaSchedule(LinearWarmUp), TypeError, "LinearWarmUp.*Received: schedule=<class"),
    ],
)
def test_bad_arguments_are_one_clear_error(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, np.int32])
def test_numbers_of_numpy_are_plain_ones(kind):
    for schedule, plain in (
        (LinearWarmUp(num_epochs=kind(5), start=kind(1), end=kind(2)), LinearWarmUp(num_epochs=5, start=1, end=2)),
        (Cyclical(num_epochs=kind(4), rising_share=kind(1)), Cyclical(num_epochs=4, rising_share=1)),
        (Constant(kind(2)), Constant(2)),
    ):
        config = schedule.get_config()
        assert all(type(value) in (int, float, type(None)) for value in config.values())
        assert json.loads(json.dumps(config)) == plain.get_config()
    assert type(LinearWarmUp(num_steps=np.int64(5)).num_steps) is int


# In a fit ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_each_step_sees_its_beta_and_the_logs_have_it(vae, images):
    recorder, history = fit(vae, images, LinearWarmUp(num_epochs=1.5, end=0.9), epochs=2)
    expected = [0.9 * min(step / 9, 1.0) for step in range(12)]
    np.testing.assert_allclose(recorder.betas, expected, rtol=1e-6)
    np.testing.assert_allclose(history["beta"], [expected[5], expected[11]], rtol=1e-6)
    np.testing.assert_allclose(recorder.logs, history["beta"], rtol=1e-6)


def test_after_the_fit_beta_is_what_the_next_step_would_have(vae, images):
    fit(vae, images, LinearWarmUp(num_steps=12), epochs=2)
    assert vae.beta.numpy() == 1.0


def test_any_function_of_steps(vae, images):
    recorder, _ = fit(vae, images, lambda step: step**2, epochs=1)
    assert recorder.betas == [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]


@pytest.mark.parametrize("beta", [float("nan"), -1.0, "a", None])
def test_a_schedule_that_makes_no_weight_is_one_clear_error(vae, images, beta):
    with pytest.raises(ValueError, match=rf"a number of at least 0\. Received: beta={beta!r} from .* after 2 steps"):
        fit(vae, images, lambda step: beta if step == 2 else 1.0, epochs=1)


def test_loss_has_the_beta_of_its_step_and_the_bound_none(vae, images):
    seen = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            regularisers = float(sum(self.model.losses))
            seen.append((logs["loss"], logs["log_likelihood"], logs["kl"], logs["elbo"], regularisers))

    # One batch an epoch, so that running means are the batch's own; without learning, regularisers stay.
    vae.optimizer.learning_rate.assign(0.0)
    recorder, _ = fit(vae, images, LinearWarmUp(num_steps=3), epochs=3, callbacks=[Losses()], batch_size=22)
    for beta, (loss, log_likelihood, kl, elbo, regularisers) in zip(recorder.betas, seen, strict=True):
        np.testing.assert_allclose(loss, beta * kl - log_likelihood + regularisers, rtol=1e-5)
        np.testing.assert_allclose(elbo, log_likelihood - kl, rtol=1e-5)
    assert len(set(recorder.betas)) == 3


@pytest.mark.parametrize("schedule", [LinearWarmUp(num_epochs=2.5), Cyclical(num_steps=8)], ids=["epochs", "steps"])
@pytest.mark.slow
def test_a_run_that_resumes_goes_on(vae, images, schedule, tmp_path):
    with warnings.catch_warnings(action="ignore"):  # the run ends within the warm-up
        whole, _ = fit(vae, images, schedule, epochs=1)
    vae.save(tmp_path / "vae.keras")
    whole.betas += fit(vae, images, schedule, epochs=3, initial_epoch=1)[0].betas
    np.testing.assert_allclose(whole.betas, [schedule(step / (6 if schedule.in_epochs else 1)) for step in range(18)])
    resumed, _ = fit(tfvae.load_model(tmp_path / "vae.keras"), images, schedule, epochs=3, initial_epoch=1)
    assert resumed.betas == whole.betas[6:]


def test_each_step_of_an_execution_has_its_own_beta(make_vae, vae, images):
    alone, together = vae, make_vae(steps_per_execution=4)
    keras.utils.set_random_seed(0)  # the order of the images
    fit(alone, images, LinearWarmUp(num_steps=10), epochs=2)
    keras.utils.set_random_seed(0)
    recorder, _ = fit(together, images, LinearWarmUp(num_steps=10), epochs=2)
    np.testing.assert_allclose(recorder.betas, [0.3, 0.5, 0.9, 1.0])  # those of the last step of each
    for weight, expected in zip(together.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_accumulated_gradients_make_fewer_steps_of_as_many_epochs(make_vae, images):
    vae = make_vae()
    vae.compile(keras.optimizers.SGD(0.01, gradient_accumulation_steps=2), jit_compile=False)
    recorder, _ = fit(vae, images, LinearWarmUp(num_epochs=2), epochs=2)
    np.testing.assert_allclose(recorder.betas, np.repeat(np.arange(6) / 6, 2), rtol=1e-6)


def test_data_of_unknown_length(vae, images):
    data = of_unknown_length(images)
    recorder, callback = Recorder(), BetaSchedule(LinearWarmUp(num_epochs=3))
    stop = keras.callbacks.EarlyStopping("elbo", mode="min", patience=1)
    vae.fit(data, epochs=9, verbose=0, callbacks=[callback, recorder, stop])
    # The first epoch cannot tell how far it is. Keras finds the end of such data by a step that has none, and which the
    # optimizer may count.
    np.testing.assert_allclose(recorder.betas[:18], [0.0] * 6 + [step / 18 for step in range(6, 18)], atol=1 / 18)
    assert recorder.betas[18:] == [1.0] * len(recorder.betas[18:])
    assert stop.best_epoch >= 3


@pytest.mark.slow
def test_data_of_unknown_length_in_calls_of_many_steps(make_vae, images):
    """The logs, and the weight of the KL in a validation, are those of one step a call."""
    histories = []
    for steps in ("auto", 1):
        keras.utils.set_random_seed(0)
        vae = make_vae()
        vae.compile(keras.optimizers.Adam(0.01), jit_compile=False, steps_per_execution=steps)
        callback = BetaSchedule(LinearWarmUp(num_steps=24))
        history = vae.fit(
            of_unknown_length(images), epochs=3, verbose=0, callbacks=[callback], validation_data=(images, images)
        ).history
        histories.append(history)
    many, single = histories
    np.testing.assert_allclose(many["beta"], single["beta"], atol=1 / 24 + 1e-6)
    np.testing.assert_allclose(many["val_loss"], single["val_loss"], rtol=0.02)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.slow
def test_one_trace(make_vae, images, jit_compile):
    vae, traces = make_vae(jit_compile=jit_compile), []
    estimate = vae.estimate
    vae.estimate = lambda *args, **kwargs: traces.append(1) or estimate(*args, **kwargs)
    recorder, _ = fit(vae, images[:20], LinearWarmUp(num_steps=4), epochs=1)
    after_one_epoch = len(traces)
    fit(vae, images[:20], LinearWarmUp(num_steps=9), epochs=3, initial_epoch=1)
    assert len(traces) == after_one_epoch
    np.testing.assert_allclose(recorder.betas, np.arange(5) / 4, rtol=1e-6)


def test_moves_the_beta_of_a_kl_weighting(make_vae, images):
    keras.utils.set_random_seed(0)
    plain = make_vae()
    vae = tfvae.models.VAE(plain.encoder, plain.decoder, beta=tfvae.estimators.Capacity(30.0, 10.0), seed=2)
    vae.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    _, history = fit(vae, images, LinearWarmUp(num_epochs=30), epochs=40, batch_size=22)
    # The KL is held at the capacity, which rises to 30 nats.
    assert abs(history["kl"][-1] - 30.0) < 5.0
    assert history["beta"][-1] == 1.0


def test_a_model_without_beta_is_one_clear_error(make_functional):
    x = np.zeros((6, 5), "float32")
    with pytest.raises(TypeError, match=r"another model with a variable `beta`\. Received: model="):
        make_functional().fit(x, x, callbacks=[BetaSchedule(Constant(1.0))], verbose=0)


# The warning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            LinearWarmUp(num_epochs=8),
            "takes 8 epochs, but this run ends after 2 epochs with beta=0.25.*Shorten.*longer",
        ),
        (LinearWarmUp(num_steps=16), "takes 16 steps, but this run ends after 12 steps with beta=0.75"),
        (Cyclical(num_epochs=5), "takes 2.5 epochs, but this run ends after 2"),
    ],
    ids=["epochs", "steps", "cyclical"],
)
def test_a_warm_up_longer_than_the_run_warns(vae, images, schedule, message):
    with pytest.warns(UserWarning, match=message):
        fit(vae, images, schedule, epochs=2)


def of_unknown_length(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(4).filter(lambda x: True)


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_warm_up_in_steps_warns_when_the_length_of_an_epoch_is_known(vae, images, epochs):
    schedule = BetaSchedule(LinearWarmUp(num_steps=400))
    with pytest.warns(UserWarning, match="takes 400 steps, but this run ends after") as caught:
        vae.fit(of_unknown_length(images), epochs=epochs, verbose=0, callbacks=[schedule])
    assert sum("warm-up" in str(warning.message) for warning in caught) == 1


def test_a_warm_up_as_long_as_the_run_does_not_warn(vae, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for schedule in (LinearWarmUp(num_epochs=2), LinearWarmUp(num_steps=12), Constant(0.2), lambda step: 1.0):
            vae.optimizer.iterations.assign(0)
            fit(vae, images, schedule, epochs=2)
        # The two epochs that are done count.
        vae.optimizer.iterations.assign(12)
        fit(vae, images, LinearWarmUp(num_epochs=4), epochs=4, initial_epoch=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for schedule in (LinearWarmUp(num_steps=12), LinearWarmUp(num_epochs=2)):
            vae.optimizer.iterations.assign(0)
            vae.fit(of_unknown_length(images), epochs=2, verbose=0, callbacks=[BetaSchedule(schedule)])
    assert not any("warm-up" in str(warning.message) for warning in caught)  # Keras says that data ran out


# Early stopping ------------------------------------------------------------------------------------------------------


def never_better(**kwargs):
    """Stops at the second epoch that counts: nothing beats the first one."""
    return keras.callbacks.EarlyStopping("beta_free", mode="max", patience=1, **kwargs)


class Falling(keras.callbacks.Callback):
    """A metric that only gets worse."""

    def on_epoch_end(self, epoch, logs=None):
        logs["beta_free"] = -float(epoch)


WARM_UPS = {
    LinearWarmUp(num_epochs=3): 3,
    LinearWarmUp(num_steps=13): 3,
    LinearWarmUp(num_steps=12): 2,
    Constant(): 0,
}


@pytest.mark.parametrize(
    ("schedule", "best_epoch", "order"),
    slow_except(
        [(*one, order) for one in WARM_UPS.items() for order in ("schedule first", "stop first")],
        (LinearWarmUp(num_epochs=3), 3, "schedule first"),
        (LinearWarmUp(num_steps=13), 3, "stop first"),
        (LinearWarmUp(num_steps=12), 2, "schedule first"),
        (Constant(), 0, "stop first"),
    ),
)
def test_early_stopping_waits_for_the_warm_up(vae, images, schedule, best_epoch, order):
    stop, callback = never_better(restore_best_weights=True), BetaSchedule(schedule)
    pair = [callback, stop] if order == "schedule first" else [stop, callback]
    history = vae.fit(images, batch_size=4, epochs=8, verbose=0, callbacks=[Falling(), *pair])
    assert stop.best_epoch == best_epoch
    assert stop.best == -best_epoch
    assert len(history.epoch) == best_epoch + 2
    assert stop.start_from_epoch == 0  # as it was, for another fit


def test_early_stopping_waits_in_each_cycle(vae, images):
    stop = keras.callbacks.EarlyStopping("beta_free", mode="max", patience=3)
    history = vae.fit(
        images, batch_size=4, epochs=20, verbose=0,
        callbacks=[Falling(), BetaSchedule(Cyclical(num_epochs=4)), stop],
    )  # fmt: skip
    # Epochs 2, 3, 6, 7 count: the best is the first of them, and three more exhaust the patience.
    assert stop.best_epoch == 2
    assert history.epoch[-1] == 7


def test_early_stopping_keeps_a_later_start_of_its_own(vae, images):
    stop = never_better(start_from_epoch=4)
    vae.fit(
        images, batch_size=4, epochs=9, verbose=0,
        callbacks=[Falling(), BetaSchedule(LinearWarmUp(num_epochs=2)), stop],
    )  # fmt: skip
    assert stop.best_epoch == 4
    assert stop.start_from_epoch == 4


def test_early_stopping_waits_after_resuming_and_in_a_callback_list(vae, images):
    vae.fit(images, batch_size=4, epochs=1, verbose=0)
    stop, schedule = never_better(), LinearWarmUp(num_epochs=3)
    callbacks = keras.callbacks.CallbackList(
        [Falling(), BetaSchedule(schedule), stop], model=vae, add_history=True, epochs=8, steps=6
    )
    vae.fit(images, batch_size=4, epochs=8, initial_epoch=1, verbose=0, callbacks=callbacks)
    assert stop.best_epoch == 3


# Other callbacks that compare epochs ---------------------------------------------------------------------------------


def saved_epochs(folder):
    return sorted(int(path.name.split(".")[0]) - 1 for path in folder.glob("*.weights.h5"))


def best_only(folder, cls=keras.callbacks.ModelCheckpoint, **options):
    file = folder / "{epoch:02d}.weights.h5"
    options = {"monitor": "beta_free", "mode": "max", "save_best_only": True, **options}
    return cls(str(file), save_weights_only=True, **options)


class Checkpoint(keras.callbacks.ModelCheckpoint):
    """A user's own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        super().on_epoch_end(epoch, logs)


def test_a_checkpoint_of_the_best_waits_and_others_do_not(vae, images, tmp_path, capsys):
    (tmp_path / "all").mkdir(), (tmp_path / "best").mkdir()
    best = best_only(tmp_path / "best", Checkpoint, verbose=1)
    every = best_only(tmp_path / "all", save_best_only=False)
    vae.fit(
        images, batch_size=11, epochs=5, verbose=0,
        callbacks=[Falling(), best, every, BetaSchedule(LinearWarmUp(num_epochs=2.5))],
    )  # fmt: skip
    assert saved_epochs(tmp_path / "best") == [3]
    assert saved_epochs(tmp_path / "all") == [0, 1, 2, 3, 4]
    assert (best.best, best.verbose, best.epochs) == (-3.0, 1, [0, 1, 2, 3, 4])
    assert "nan" not in capsys.readouterr().out


def test_a_threshold_of_its_own_stays(vae, images, tmp_path):
    best = best_only(tmp_path, monitor="falling", mode="auto", initial_value_threshold=-3.5)
    best.mode = "min"

    class Faller(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["falling"] = -float(epoch)

    vae.fit(
        images, batch_size=22, epochs=6, verbose=0,
        callbacks=[Faller(), BetaSchedule(LinearWarmUp(num_epochs=5)), best],
    )  # fmt: skip
    assert saved_epochs(tmp_path) == [5]


def test_the_learning_rate_waits_and_stays_in_the_history(vae, images):
    plateau = keras.callbacks.ReduceLROnPlateau("beta_free", mode="max", factor=0.5, patience=1, cooldown=2)
    first = float(vae.optimizer.learning_rate.numpy())
    history = vae.fit(
        images, batch_size=22, epochs=7, verbose=0,
        callbacks=[Falling(), plateau, BetaSchedule(LinearWarmUp(num_epochs=3))],
    )  # fmt: skip
    # Epoch 3 is the first that counts; 4 is worse; then it cools down; 6 is worse again.
    rates = np.array(history.history["learning_rate"]) / first
    np.testing.assert_allclose(rates, [1, 1, 1, 1, 1, 0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(vae.optimizer.learning_rate.numpy() / first, 0.25, rtol=1e-6)
    assert (plateau.patience, plateau.best) == (1, -3.0)


def test_they_wait_in_each_cycle_after_resuming_and_in_a_callback_list(vae, images, tmp_path):
    vae.fit(images, batch_size=22, epochs=3, verbose=0)
    best = best_only(tmp_path, monitor="rising")

    class Rising(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["rising"] = float(epoch)

    callbacks = keras.callbacks.CallbackList(
        [Rising(), best, BetaSchedule(Cyclical(num_epochs=4))], model=vae, add_history=True, epochs=9, steps=1
    )
    vae.fit(images, batch_size=22, epochs=9, initial_epoch=3, verbose=0, callbacks=callbacks)
    assert saved_epochs(tmp_path) == [3, 6, 7]


def test_callbacks_are_as_they_were_after_a_fit_that_failed(vae, images, tmp_path):
    best, stop = best_only(tmp_path), never_better()

    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("stop here")

    with pytest.raises(RuntimeError, match="stop here"):
        vae.fit(
            images, batch_size=22, epochs=9, verbose=0,
            callbacks=[Falling(), BetaSchedule(LinearWarmUp(num_epochs=3)), best, stop, Fails()],
        )  # fmt: skip
    assert best.best is None
    assert stop.start_from_epoch == 0
