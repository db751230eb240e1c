"""Checkpoints: what they hold, which are kept, what a failed write leaves, and going on from the middle of an epoch."""

import csv
import dataclasses
import errno
import json
import math
import resource
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import without_xla

import tfvae
from tfvae.callbacks import NonFiniteLossError
from tfvae.execution import Execution
from tfvae.models import VAE, load_model
from tfvae.training import RunConfig, load_run, run, train
from tfvae.training.checkpoints import Checkpoints, read_checkpoint, write_checkpoint
from tfvae.training.epoch_clock import EpochClock
from tfvae.training.fast_forward import FastForward
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState


def small(**training):
    """144 steps an epoch, of which a call makes 50 (100 without checkpoints); the last batch is a smaller one."""
    return RunConfig.from_dict(
        {"model": {"hidden": (8,)}, "training": {"epochs": 3, "batch_size": 10, "checkpoint_steps": 50, **training}}
    )


@pytest.fixture(scope="module")
def _quick():
    """Training alone, without XLA: what comes after is not looked at here."""
    with without_xla(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "evaluate", lambda *a, **kw: {})
        patch.setattr(run, "write_reported", lambda *a, **kw: None)
        patch.setattr(run, "about_run", dict)
        patch.setattr(run.SharedPrograms, "export", lambda *a, **kw: None)
        patch.setattr(run, "write_about", lambda *a, **kw: None)
        patch.setattr(run, "add_card", lambda *a, **kw: None)
        yield


@pytest.fixture(scope="module")
def reference(_quick, tmp_path_factory):
    folder, _ = train(small(), tmp_path_factory.mktemp("reference") / "run")
    return folder


class StopAt:
    """A `stop_wanted` that says yes the nth time."""

    def __init__(self, n):
        self.left = n

    def __call__(self):
        self.left -= 1
        return self.left == 0


def rows(folder):
    with folder.metrics.open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def variables(model):
    return {v.path: np.asarray(v) for v in [*model.variables, *model.optimizer.variables]}


def assert_same_run(folder, reference):
    assert rows(folder) == rows(reference)
    found, expected = (list(variables(load_model(f.model)).values()) for f in (folder, reference))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def steps_of_events(folder):
    found = {}
    for path in folder.tensorboard.rglob("events*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                found.setdefault((path.parent.name, value.tag), []).append(event.step)
    return {name: sorted(steps) for name, steps in found.items()}


# In the middle of an epoch ------------------------------------------------------------------------------------------


@pytest.mark.slow  # test_run asks it of its run
def test_checkpoints_within_epochs_come_where_they_are_asked_for(reference):
    names = [path.name for _, path in reference.saved_checkpoints()]
    # The newest three, of which one is the best.
    assert names == ["epoch-00002-step-0000050.keras", "epoch-00002-step-0000100.keras", "epoch-00003.keras"]
    state = TrainingState.read(reference.checkpoints / names[1])
    assert (state.epochs, state.steps, state.validation_elbo) == (2, 100, None)
    assert [means[1] for means in state.running_means] == [1000.0] * 4  # examples seen in the epoch
    assert len(state.history.splitlines()) == 3
    optimizer = load_model(reference.checkpoints / names[1]).optimizer
    assert int(optimizer.iterations) == 2 * 144 + 100


@pytest.mark.slow
@pytest.mark.parametrize("epoch_of_stop", [0, 1])
def test_a_run_stopped_within_an_epoch_ends_as_the_uninterrupted_one(reference, tmp_path, epoch_of_stop):
    # It is asked after the first two calls of an epoch and at the epoch's end.
    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path / "run", stop_wanted=StopAt(2 + 3 * epoch_of_stop))
    folder = RunFolder(tmp_path / "run")
    state = TrainingState.read(folder.saved_checkpoints()[-1][1])
    assert (state.epochs, state.steps) == (epoch_of_stop, 100)
    train(small(), folder.path, resume=True)
    assert_same_run(folder, reference)


@pytest.mark.slow
def test_a_stop_is_saved_without_checkpoints_within_epochs_too(reference, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(small(checkpoint_steps=0), tmp_path / "run", stop_wanted=StopAt(2))
    folder = RunFolder(tmp_path / "run")
    assert [path.name for _, path in folder.saved_checkpoints()] == ["epoch-00001.keras"]
    # A process that was killed leaves summaries of epochs that come again, and half a record.
    later = tf.summary.create_file_writer(str(folder.tensorboard / "train"))
    with later.as_default(2):
        tf.summary.scalar("elbo", -1e6)
    later.close()
    newest = max((folder.tensorboard / "train").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes() + b"half")
    folder.metrics.write_text(folder.metrics.read_text() + "1,2.0,3")
    for name in ("checkpoints/.epoch-00002.77.partial.keras", ".report.77.partial.json"):
        (folder.path / name).write_bytes(b"half")
    (folder.path / ".saved_model-abc").mkdir()
    train(small(checkpoint_steps=0), folder.path, resume=True)
    assert_same_run(folder, reference)
    assert steps_of_events(folder) == steps_of_events(reference)
    assert not [path for path in folder.path.rglob(".*")]


@pytest.mark.slow
def test_a_damaged_checkpoint_is_set_aside(reference, tmp_path):
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(reference.path, folder.path)
    folder.model.unlink()
    newest = folder.saved_checkpoints()[-1][1]
    newest.write_bytes(newest.read_bytes()[:1000])
    train(small(keep=1), folder.path, resume=True)
    assert newest.with_name(f"{newest.name}.damaged").exists()
    assert folder.saved_checkpoints()[-1][1] == newest  # the last epoch's, anew
    assert_same_run(folder, reference)


@pytest.mark.slow
def test_a_run_that_is_extended_and_stopped_is_read_back_as_far_as_it_got(reference, tmp_path):
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(reference.path, folder.path)
    with pytest.raises(KeyboardInterrupt):
        train(small(epochs=4), folder.path, resume=True, stop_wanted=StopAt(2))
    assert int(load_run(folder.path).vae.optimizer.iterations) == 3 * 144 + 100


@pytest.mark.slow
def test_a_step_within_an_execution_is_reached_too(reference, tmp_path):
    class Every(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            """Its presence makes every execution one step."""

    with pytest.raises(KeyboardInterrupt):
        train(small(checkpoint_steps=0), tmp_path / "run", callbacks=[Every()], stop_wanted=StopAt(37))
    folder = RunFolder(tmp_path / "run")
    assert folder.saved_checkpoints()[-1][1].name == "epoch-00000-step-0000037.keras"
    seen = []

    class See(keras.callbacks.Callback):
        knows_executions = True

        def on_train_batch_end(self, batch, logs=None):
            seen.append(int(self.model.optimizer.iterations))

    train(small(checkpoint_steps=0, epochs=1), folder.path, resume=True, callbacks=[See()])
    assert seen == [100, 144]
    # Not bit for bit: another program made the first 37 steps. The same batches and noise it were.
    (first,), expected = rows(folder), rows(reference)[0]
    assert first.keys() == expected.keys()
    for name in first:
        assert float(first[name]) == pytest.approx(float(expected[name]), rel=1e-5)


# What a checkpoint holds --------------------------------------------------------------------------------------------


def with_dropout():
    keras.utils.set_random_seed(3)
    size = tfvae.layers.MultivariateNormalDiag.params_size(2)
    layers = [keras.layers.Dropout(0.5), keras.layers.Dense(size), tfvae.layers.MultivariateNormalDiag(2)]
    encoder = keras.Sequential([keras.Input((6,)), *layers])
    likelihood = tfvae.layers.IndependentNormal(6)
    noise = keras.layers.GaussianNoise(0.3)
    decoder = keras.Sequential([keras.Input((2,)), noise, keras.layers.Dense(likelihood.params_size(6)), likelihood])
    vae = VAE(encoder, decoder, seed=5)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    return vae


def test_a_saved_model_trains_on_as_it_would_have_with_layers_that_draw(tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 6)).astype("float32")
    vae = with_dropout()
    vae.fit(x, batch_size=10, epochs=2, shuffle=False, verbose=0)
    vae.save(tmp_path / "vae.keras")
    other = load_model(tmp_path / "vae.keras")
    assert len({tuple(np.asarray(layer.seed_generator.state)) for layer in other._flatten_layers() if hasattr(layer, "rate") or hasattr(layer, "stddev")}) == 2  # fmt: skip # noqa: E501
    for model in (vae, other):
        model.fit(x, batch_size=10, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(variables(vae).values(), variables(other).values(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def model():
    """For what changes nothing but the optimizer's count."""
    return with_dropout()


def test_state_goes_through_a_file(tmp_path, model):
    state = TrainingState(4, 17, ((0.1, float(np.float32(1 / 3))), (2.0,)), 1.5, -83.25, 2, "epoch,elbo\n0,-1\n")
    folder, vae = RunFolder(tmp_path), model
    path = write_checkpoint(folder, vae, state)
    assert path.name == "epoch-00004-step-0000017.keras"
    assert TrainingState.read(path) == state
    _, again = read_checkpoint(folder)
    assert again == state
    vae.save(tmp_path / "vae.keras")
    with pytest.raises(ValueError, match=r"vae\.keras is not a checkpoint"):
        TrainingState.read(tmp_path / "vae.keras")


def test_the_newest_and_the_best_are_kept(tmp_path, model):
    folder, start = RunFolder(tmp_path), TrainingState()
    assert folder.best_checkpoint() is None
    callback = Checkpoints(folder, start, EpochClock(start), every=1, keep=2)
    callback.set_model(model)
    callback.set_params({"epochs": 9, "steps": 5})
    kept = []
    for epoch, elbo in enumerate([-50.0, -40.0, -45.0, math.nan, -41.0, -39.5, -60.0, -70.0]):
        callback.on_epoch_end(epoch, {"val_elbo": elbo})
        kept.append([done for done, _ in folder.saved_checkpoints()])
    assert kept == [[1], [1, 2], [2, 3], [2, 3, 4], [2, 4, 5], [5, 6], [6, 7], [6, 7, 8]]
    assert folder.best_checkpoint() == folder.checkpoint(6)
    callback.on_epoch_end(8, {})
    assert folder.best_checkpoint() == folder.checkpoint(6)
    folder.checkpoint(6).write_bytes(b"damaged")
    assert folder.best_checkpoint() == folder.checkpoint(8)


def test_epochs_before_beta_is_settled_are_not_the_best(tmp_path, model):
    folder, start = RunFolder(tmp_path), TrainingState()
    callback = Checkpoints(folder, start, EpochClock(start), every=1, keep=3)
    schedule = tfvae.callbacks.BetaSchedule(tfvae.callbacks.LinearWarmUp(num_epochs=2))
    schedule.share_callbacks([callback])
    for one in (schedule, callback):
        one.set_model(model)
        one.set_params({"epochs": 3, "steps": 1})
    schedule.on_train_begin()
    for epoch, elbo in enumerate([-10.0, -20.0, -40.0]):
        schedule.on_epoch_begin(epoch)
        schedule.on_train_batch_begin(0)
        model.optimizer.iterations.assign_add(1)
        callback.on_epoch_end(epoch, {"val_elbo": elbo})
    assert folder.best_checkpoint() == folder.checkpoint(3)
    schedule.share_callbacks([])
    assert callback.start_from_epoch == 0


# Writes that fail ---------------------------------------------------------------------------------------------------


def whole(folder):
    return {path: path.read_bytes() for path in folder.checkpoints.iterdir()}


def test_a_full_disk_leaves_the_last_checkpoint_and_says_how_to_go_on(tmp_path, model, monkeypatch):
    folder, vae = RunFolder(tmp_path / "run"), model
    write_checkpoint(folder, vae, TrainingState(1))
    before = whole(folder)

    def save(self, path, **kwargs):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", save)
    for state in (TrainingState(2), TrainingState(1)):  # a new one, and one over the last
        with pytest.raises(OSError, match=r"cannot be written: .*No space left.*--resume .*run") as caught:
            write_checkpoint(folder, vae, state)
        assert "\n" not in str(caught.value)
        assert whole(folder) == before


def test_a_write_that_the_system_cuts_short_leaves_the_last_checkpoint(tmp_path, model):
    folder, vae = RunFolder(tmp_path / "run"), model
    path = write_checkpoint(folder, vae, TrainingState(1))
    before, size = whole(folder), path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, size // 3, size - 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        try:
            with pytest.raises(OSError, match="cannot be written"):
                write_checkpoint(folder, vae, TrainingState(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert whole(folder) == before
    write_checkpoint(folder, vae, TrainingState(2))
    assert len(whole(folder)) == 2


def test_what_a_skipped_call_says_counts_from_its_first_step():
    """Of a call of ten steps whose first three were made before: beta's schedule and the number of the bad step."""
    seen = {}

    class Model:
        metrics = ()
        steps_per_execution = 10
        execution = Execution(num_steps=10)
        num_updates = 3
        build_metrics = staticmethod(lambda: None)

        def train_function(self, iterator):
            ((_, seen["betas"]),) = self.execution.scheduled
            seen["limit"] = self.execution.limit
            self.execution.num_made, self.execution.first_non_finite = 7, 2
            return {}

    forward = FastForward(TrainingState(epochs=1, steps=3))
    model = Model()
    model.execution.schedule(tf.Variable(0.0), np.linspace(0.0, 0.9, 10))
    forward.set_model(model)
    forward.on_train_begin()
    forward.on_epoch_begin(1)
    forward.on_train_batch_begin(0)
    model.train_function(iter(range(10)))
    np.testing.assert_allclose(seen["betas"], np.linspace(0.3, 0.9, 7))
    assert (seen["limit"], model.execution.num_made, model.execution.first_non_finite) == (7, 10, 5)


# A run that was ended before its first checkpoint ------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_without_a_checkpoint_starts_anew(reference, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(reference.config.read_text())
    folder.metrics.write_text("epoch,elbo\n0,-1e")
    train(small(), folder.path, resume=True)
    assert_same_run(folder, reference)
    assert json.loads(folder.environment.read_text())["packages"]


@pytest.mark.usefixtures("_quick")
def test_a_finished_run_without_checkpoints_is_left_alone(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(small().to_toml())
    folder.model.write_bytes(b"a model")
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(ValueError, match="has no checkpoint to resume from"):
        train(small(), folder.path, resume=True)
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


# Losses that are no numbers -----------------------------------------------------------------------------------------


class Blow(keras.callbacks.Callback):
    """Spoils the run once, at the end of the nth epoch that begins."""

    knows_executions = True

    def __init__(self, n):
        super().__init__()
        self.left = n

    def on_epoch_begin(self, epoch, logs=None):
        self.left -= 1
        if not self.left:
            self.model.optimizer.learning_rate.assign(1e30)


@pytest.mark.slow
@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("bad_epoch", [1, 3])
def test_rewind_goes_back_a_checkpoint_with_half_the_rate(tmp_path, bad_epoch):
    stages = []
    config = small(on_nan="rewind", checkpoint_steps=0, learning_rate=4e-3)
    folder, _ = train(config, tmp_path / "run", callbacks=[Blow(bad_epoch)], on_stage=stages.append)
    assert [row["epoch"] for row in rows(folder)] == ["0", "1", "2"]
    curves = [steps for (_, name), steps in steps_of_events(folder).items() if name in ("elbo", "kl", "loss")]
    assert set(map(tuple, curves)) == {(1, 2, 3)}
    state = TrainingState.read(folder.saved_checkpoints()[-1][1])
    assert (state.epochs, state.steps, state.rewinds) == (3, 0, 1)
    assert float(load_run(folder.path).vae.optimizer.learning_rate) == pytest.approx(2e-3)
    place = "the start" if bad_epoch == 1 else "the end of epoch 2"
    (said,) = [stage for stage in stages if "rewind 1 of at most 5" in stage]
    assert f"in epoch {bad_epoch}, step " in said
    assert f"back to {place} with learning rate 0.002" in said
    # It goes on with the smaller rate, unless it is told otherwise.
    longer = dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=4))
    with pytest.raises(KeyboardInterrupt):
        train(longer, folder.path, resume=True, stop_wanted=StopAt(1))
    assert float(load_run(folder.path).vae.optimizer.learning_rate) == pytest.approx(2e-3)
    if bad_epoch == 3:
        with pytest.raises(KeyboardInterrupt):
            train(longer, folder.path, resume=True, given={"learning_rate"}, stop_wanted=StopAt(1))
        vae, state = read_checkpoint(folder)
        assert float(vae.optimizer.learning_rate) == pytest.approx(4e-3)
        assert state.rewinds == 0


@pytest.mark.usefixtures("_quick")
def test_rewinds_have_an_end(tmp_path, monkeypatch):
    rates = []

    def fit(vae, *others):
        rates.append(float(vae.optimizer.learning_rate))
        raise NonFiniteLossError("The loss is not finite.", epoch=1, step=2, term="kl", value=math.inf)

    monkeypatch.setattr(run, "_fit", fit)
    monkeypatch.setattr(run, "MAX_REWINDS", 2)  # each builds the model anew
    with pytest.raises(NonFiniteLossError):
        train(small(on_nan="rewind", learning_rate=0.5), tmp_path / "run")
    assert rates == [0.5, 0.25, 0.125]
    with pytest.raises(NonFiniteLossError):  # the count is kept
        train(small(on_nan="rewind", learning_rate=0.5), tmp_path / "run", resume=True)
    assert len(rates) == 4
