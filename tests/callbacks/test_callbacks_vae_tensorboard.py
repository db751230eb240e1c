"""TensorBoard's event files, read back."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae import _images
from tfvae.callbacks import VAETensorBoard
from tfvae.callbacks._tensorboard import speed


@keras.saving.register_keras_serializable("tests")
class AlwaysNoisy(keras.layers.Layer):
    """Noise in training and out of it, from a seed generator of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(11)

    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs), stddev=0.1, seed=self.seed_generator)


LABELS = np.arange(9) % 4


@pytest.fixture(scope="module")
def fitted(make_vae, images, tmp_path_factory):
    """Three epochs of 18 examples in batches of 4, validated on 4 examples."""
    folder = tmp_path_factory.mktemp("logs")
    vae = make_vae()
    callback = VAETensorBoard(folder, (images[:9], LABELS), every=1, num_images=7)
    history = vae.fit(
        images[4:], batch_size=4, validation_data=(images[:4], None), epochs=3, callbacks=[callback], verbose=0
    ).history
    return SimpleNamespace(vae=vae, folder=folder, history=history, callback=callback)


def test_scalars_are_the_history_in_two_runs(fitted, read_events):
    train, validation = (read_events(fitted.folder / run).scalars for run in ("train", "validation"))
    terms = {"elbo", "log_likelihood", "kl", "loss"}
    assert set(train) == terms | {"beta", "learning_rate", "images_per_second", "gradient_norm", "active_units"}
    assert set(validation) == terms | {"images_per_second"}
    for term in terms:
        assert train[term] == {epoch + 1: value for epoch, value in enumerate(fitted.history[term])}
        assert validation[term] == {epoch + 1: value for epoch, value in enumerate(fitted.history[f"val_{term}"])}
    assert train["beta"] == dict.fromkeys((1, 2, 3), 0.5)
    assert train["learning_rate"] == dict.fromkeys((1, 2, 3), pytest.approx(1e-2))


def test_images_are_grids_of_the_right_size_and_originals(fitted, images, read_events):
    shown = read_events(fitted.folder / "train").images
    drawn = {"reconstructions", "samples", "posterior_samples", "traversals", "interpolations"}
    assert set(shown) == drawn | {"latents/heat_map"}
    for pictures in shown.values():
        assert set(pictures) == {1, 2, 3}
    samples, reconstructions = shown["samples"][3], shown["reconstructions"][3]
    # 7 in three columns, and twice 7 in four: 6 x 4 pixels each, one between.
    assert samples.shape == (3 * 6 + 2, 3 * 4 + 2, 1)
    assert reconstructions.shape == (4 * 6 + 3, 4 * 4 + 3, 1)
    np.testing.assert_array_equal(reconstructions[:6, 5:9], _images.to_displayable(images[1:2])[0])
    np.testing.assert_array_equal(reconstructions[14:20, 10:14], _images.to_displayable(images[6:7])[0])
    # Trained on noise about 1/2, a reconstruction is nearer to it than the original is.
    assert reconstructions[7:13, 5:9].std() < reconstructions[:6, 5:9].std()


def test_histograms_count_every_value(fitted, images, read_events):
    histograms = read_events(fitted.folder / "train").histograms
    assert set(histograms) == {"posterior/mean", "posterior/stddev", "posterior/kl_per_dimension"}
    for tag, num_values in (("mean", 9 * 3), ("stddev", 9 * 3), ("kl_per_dimension", 3)):
        values = histograms[f"posterior/{tag}"]
        assert set(values) == {1, 2, 3}
        assert values[3][:, 2].sum() == num_values
    mean = fitted.vae.encode(images[:9]).mean().numpy()
    assert histograms["posterior/mean"][3][0, 0] == pytest.approx(mean.min())
    assert histograms["posterior/mean"][3][-1, 1] == pytest.approx(mean.max())


def test_validation_run_has_curves_alone(fitted, read_events):
    validation = read_events(fitted.folder / "validation")
    assert not validation.images
    assert not validation.histograms


def test_functions_are_traced_once(fitted):
    views = fitted.callback._views
    for function in (views._encode._function, views._decode._function, views._norm._function, views._draw):
        assert function.experimental_get_tracing_count() == 1


def test_without_validation_there_is_one_run(vae, images, tmp_path):
    callback = VAETensorBoard(str(tmp_path), every=0)
    vae.fit(images, callbacks=[callback], verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_resumed_fit_continues_the_curves(vae, images, tmp_path, read_events):
    for first, last in ((0, 2), (2, 3)):
        vae.fit(
            images,
            validation_data=(images, None),
            initial_epoch=first,
            epochs=last,
            callbacks=[VAETensorBoard(tmp_path, images, every=0)],
            verbose=0,
        )
    for run in ("train", "validation"):
        assert list(read_events(tmp_path / run).scalars["elbo"]) == [1, 2, 3]
        assert len(list((tmp_path / run).iterdir())) == 2


@pytest.mark.parametrize("run_eagerly", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_training_is_the_same_with_and_without(make_vae, images, tmp_path, run_eagerly):
    vae = make_vae(hidden=[AlwaysNoisy(), keras.layers.GaussianNoise(0.1, seed=2)], run_eagerly=run_eagerly)
    vae.optimizer.build(vae.trainable_variables)
    before = [(v, v.numpy()) for v in (*vae.variables, *vae.optimizer.variables)]
    runs = []
    for callbacks in ([], [VAETensorBoard(tmp_path, images)]):
        for variable, value in before:
            variable.assign(value)
        keras.utils.set_random_seed(0)  # the order of the images
        history = vae.fit(
            images, batch_size=11, epochs=2, validation_data=(images, None), callbacks=callbacks, verbose=0
        ).history
        runs.append((history, [v.numpy() for v in (*vae.variables, *vae.optimizer.variables)], vae.sample(3).numpy()))
    assert runs[0][0] == runs[1][0]
    for one, other in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(runs[0][2], runs[1][2])


@pytest.mark.slow
def test_noise_is_the_same_in_every_epoch_and_under_every_fit(vae, images, tmp_path, read_events):
    vae.optimizer.learning_rate = 0.0
    for run, seed in (("a", 0), ("b", 0), ("c", 1)):
        vae.fit(images, epochs=2, callbacks=[VAETensorBoard(tmp_path / run, images, 1, seed=seed)], verbose=0)
    shown = {run: read_events(tmp_path / run / "train").images for run in "abc"}
    for tag in ("samples", "reconstructions"):
        np.testing.assert_array_equal(shown["a"][tag][1], shown["a"][tag][2])
        np.testing.assert_array_equal(shown["a"][tag][1], shown["b"][tag][1])
        assert (shown["a"][tag][1] != shown["c"][tag][1]).any()


def test_each_view_has_its_own_interval_and_the_last_epoch_has_all(vae, images, tmp_path, read_events):
    every = {**dict.fromkeys(VAETensorBoard.EVERY, 2), "histograms": 3, "traversals": 0, "samples": 4, "latents": 1}
    vae.fit(images, epochs=5, callbacks=[VAETensorBoard(tmp_path / "some", images, every)], verbose=0)
    vae.fit(images, epochs=2, callbacks=[VAETensorBoard(tmp_path / "none", images, 0)], verbose=0)
    some, none = (read_events(tmp_path / name / "train") for name in ("some", "none"))
    assert list(some.images["reconstructions"]) == list(some.scalars["gradient_norm"]) == [2, 4, 5]
    assert list(some.images["samples"]) == [4, 5]
    assert list(some.histograms["posterior/mean"]) == [3, 5]
    assert list(some.scalars["active_units"]) == [1, 2, 3, 4, 5]
    assert "traversals" not in some.images
    assert list(none.scalars["elbo"]) == [1, 2]
    assert not any((none.images, none.histograms, none.text, none.hparams))


def test_a_fit_that_ends_early_has_its_last_pictures(vae, images, tmp_path, read_events):
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(vae, "stop_training", epoch == 2))
    callback = VAETensorBoard(tmp_path, images, {**dict.fromkeys(VAETensorBoard.EVERY, 0), "samples": 10, "latents": 1})
    vae.fit(images, epochs=9, callbacks=[stop, callback], verbose=0)
    events = read_events(tmp_path / "train")
    assert list(events.images["samples"]) == [3]
    assert list(events.scalars["active_units"]) == list(events.scalars["elbo"]) == [1, 2, 3]


@pytest.mark.parametrize("batch_kind", slow_except([np.asarray, tf.constant], tf.constant))
def test_preview_batch_of_the_model(vae, images, tmp_path, read_events, monkeypatch, batch_kind):
    callback = VAETensorBoard(tmp_path, every=1, num_images=2)
    callback.set_model(vae)
    callback.on_train_begin()
    monkeypatch.setattr(vae, "preview_batch", batch_kind(images[:5]), raising=False)
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, {"elbo": 1.0})
    callback.on_train_end()
    events = read_events(tmp_path / "train")
    np.testing.assert_array_equal(events.images["reconstructions"][1][:6, :4], _images.to_displayable(images[:1])[0])
    assert events.histograms["posterior/mean"][1][:, 2].sum() == 5 * 3


@pytest.mark.slow
def test_fit_finds_examples_in_the_validation_data(vae, images, tmp_path, read_events):
    callback = VAETensorBoard(tmp_path, every=1, num_images=1)
    vae.fit(images[:11], validation_data=(images[11:], None), callbacks=[callback], verbose=0)
    shown = read_events(tmp_path / "train").images["reconstructions"][1]
    np.testing.assert_array_equal(shown[:6], _images.to_displayable(images[11:12])[0])


def test_without_examples_only_samples_are_drawn(vae, tmp_path, read_events, monkeypatch):
    callback = VAETensorBoard(tmp_path, every=1)
    callback.set_model(vae)
    callback.on_train_begin()
    monkeypatch.setattr(vae, "preview_batch", None, raising=False)
    callback.on_epoch_end(0, {"elbo": 1.0})
    callback.on_train_end()
    events = read_events(tmp_path / "train")
    assert set(events.images) == {"samples"}
    assert not events.histograms


@pytest.mark.slow
def test_vectors_are_drawn_as_pictures(make_vae, tmp_path, read_events):
    x = np.random.default_rng(1).uniform(size=(8, 20)).astype("float32")
    callback = VAETensorBoard(tmp_path, x, every=1, num_images=1)
    callback.set_model(make_vae((20,)))
    callback.on_train_begin()
    callback.on_epoch_end(0, {"elbo": 1.0})
    callback.on_train_end()
    shown = read_events(tmp_path / "train").images
    assert shown["samples"][1].shape == (5, 4, 1)
    assert shown["reconstructions"][1].shape == (5 + 1 + 5, 4, 1)
    np.testing.assert_array_equal(shown["reconstructions"][1][:5], _images.to_displayable(x[:1])[0])


def test_functional_model_gets_its_scalars(make_functional, tmp_path, read_events):
    x = np.ones((6, 5), "float32")
    callback = VAETensorBoard(tmp_path, x)
    history = make_functional().fit(x, x, validation_split=0.5, epochs=2, callbacks=[callback], verbose=0).history
    train, validation = (read_events(tmp_path / run) for run in ("train", "validation"))
    assert set(train.scalars) == {"loss", "learning_rate", "images_per_second"}
    assert train.scalars["loss"] == dict(zip((1, 2), history["loss"], strict=True))
    del validation.scalars["images_per_second"]
    assert validation.scalars == {"loss": dict(zip((1, 2), history["val_loss"], strict=True))}
    assert not train.images


@pytest.mark.parametrize(
    ("own_step", "validated"), slow_except([(False, True), (False, False), (True, True)], (False, True), (True, True))
)
def test_speed_counts_the_examples_of_training(vae, images, tmp_path, read_events, monkeypatch, own_step, validated):
    class Clock:
        """Every look is half a second after the last."""

        now = 0.0

        def perf_counter(self):
            self.now += 0.5
            return self.now

    monkeypatch.setattr(speed, "time", Clock())
    if own_step:

        class OwnStep(tfvae.models.VAE):
            def train_step(self, data):
                return super().train_step(data)

        vae = OwnStep(vae.encoder, vae.decoder)
        vae.compile("sgd", run_eagerly=True)
    callback = VAETensorBoard(tmp_path, every=0)
    vae.fit(
        images, batch_size=4, validation_data=(images[:3], None) if validated else None, callbacks=[callback], verbose=0
    )
    scalars = read_events(tmp_path / "train").scalars
    # 22 examples in 6 batches, the last of 2.
    if own_step:
        assert scalars["steps_per_second"] == {1: 12.0}
        assert "images_per_second" not in scalars
    else:
        assert scalars["images_per_second"] == {1: 44.0}


def test_learning_rate_is_the_present_one(make_vae, vae, images, tmp_path, read_events):
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.25, 0.125])
    by_schedule = make_vae(learning_rate=rate, run_eagerly=True)
    # This one puts the rate into the logs too.
    by_callback = keras.callbacks.LearningRateScheduler(lambda epoch: 1 / (epoch + 4))
    for name, model, callbacks in (("a", by_schedule, []), ("b", vae, [by_callback])):
        callback = VAETensorBoard(tmp_path / name, every=0)
        model.fit(images, epochs=2, callbacks=[*callbacks, callback], verbose=0)
    assert read_events(tmp_path / "a" / "train").scalars["learning_rate"] == {1: 0.25, 2: 0.125}
    assert read_events(tmp_path / "b" / "train").scalars["learning_rate"] == pytest.approx({1: 0.25, 2: 0.2})


@pytest.mark.slow
def test_a_run_that_fails_keeps_its_epochs_and_can_go_on(vae, images, tmp_path, read_events):
    def fail(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    callback = VAETensorBoard(tmp_path, images, every=1)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(
            images,
            epochs=3,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=fail), callback],
            verbose=0,
        )
    # Not closed, and complete on disk.
    assert list(read_events(tmp_path / "train").images["samples"]) == [1]
    vae.fit(images, initial_epoch=1, epochs=3, callbacks=[callback], verbose=0)
    events = read_events(tmp_path / "train")
    assert list(events.images["samples"]) == list(events.scalars["kl"]) == [1, 2, 3]
    assert not callback._writers


def test_an_error_while_writing_closes_the_files(vae, images, tmp_path, read_events, monkeypatch):
    callback = VAETensorBoard(tmp_path, images)
    monkeypatch.setattr(callback, "_write_views", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vae.fit(images, callbacks=[callback], verbose=0)
    assert not callback._writers
    assert list(read_events(tmp_path / "train").scalars["elbo"]) == [1]


def test_weights_that_are_no_numbers_do_not_stop_the_run(vae, images, tmp_path, read_events):
    vae.optimizer.learning_rate = np.inf
    callbacks = [VAETensorBoard(tmp_path, images, 1), keras.callbacks.TerminateOnNaN()]  # which lets the epoch end
    vae.fit(images, epochs=2, callbacks=callbacks, verbose=0)
    events = read_events(tmp_path / "train")
    assert np.isnan(events.scalars["elbo"][2])
    assert list(events.images["samples"]) == [1, 2]
    assert not events.histograms


def test_only_the_chief_writes(vae, images, tmp_path, monkeypatch):
    worker = SimpleNamespace(extended=SimpleNamespace(should_save_summary=False))
    callback = VAETensorBoard(tmp_path)
    callback.set_model(vae)
    callback.on_train_begin()
    with monkeypatch.context() as patch:
        patch.setattr(tf.distribute, "get_strategy", lambda: worker)
        callback.on_epoch_end(0, {"elbo": 1.0})
    assert not list(tmp_path.iterdir())


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": -1}, "must be an integer of at least 0. Received: .*=-1"),
        ({"every": {"histograms": 0.5}}, r"`every\['histograms'\]` .* Received: every\['histograms'\]=0.5"),
        ({"every": {"samples": True}}, r"`every\['samples'\]` .* Received: every\['samples'\]=True"),
        ({"every": {"sample": 1}}, r"views are gradient_norm, .*samples.* Received: every with \['sample'\]"),
        ({"profile_steps": (9, 3)}, r"a first and a last step .* Received: profile_steps=\(9, 3\)"),
        ({"profile_steps": (0, 3)}, r"a first and a last step .* Received: profile_steps=\(0, 3\)"),
        ({"images": (np.zeros((3, 6, 4, 1)), [1, 2])}, r"3 examples and labels of shape \(2,\)"),
        ({"images": (1, 2, 3)}, r"images must be an array, \(array, labels\) or .* Received: a tuple of 3"),
        ({"num_images": 0}, "`num_images` must be an integer of at least 1"),
        ({"images": np.zeros((0, 6, 4, 1))}, r"images needs examples .*\(0, 6, 4, 1\)"),
    ],
)
def test_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        VAETensorBoard(tmp_path, **arguments)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "logs").write_text("")
    with pytest.raises(ValueError, match=r"`log_dir` must be a folder, not a file.*logs"):
        VAETensorBoard(tmp_path / "logs")


def test_images_the_model_does_not_take(vae, images, tmp_path):
    for wrong, message in (((images * 255).astype("uint8"), "dtype uint8"), (images[..., 0], "channel axis")):
        with pytest.raises(ValueError, match=rf"VAETensorBoard\(images=\.\.\.\) does not fit the model: .*{message}"):
            vae.fit(images, callbacks=[VAETensorBoard(tmp_path, wrong)], verbose=0)
