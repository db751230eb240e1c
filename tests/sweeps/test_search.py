"""Sweeps by Optuna: trials that are pruned, fail, are interrupted and go on."""

import csv
import functools
import json
import math
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tfvae.parts.building import build
from tfvae.sweeps import read_plan, run_sweep, sweep
from tfvae.sweeps.results import read_rows
from tfvae.sweeps.space import Range
from tfvae.sweeps.sweep import plan_in
from tfvae.sweeps.workers import Ended
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState

optuna = pytest.importorskip("optuna", reason="needs the extra sweep: pip install 'tfvae[sweep]'")
TrialState = optuna.trial.TrialState
search = pytest.importorskip("tfvae.sweeps.search")
open_trial = pytest.importorskip("tfvae.sweeps.open_trial")

SWEEP = """
[sweep]
seeds = [3, 5]
[data]
name = "digits"
[training]
epochs = 4
[optuna]
num_trials = 8
sampler = {kind = "tpe", n_startup_trials = 3}
pruner = {kind = "median", n_startup_trials = 2}
training.learning_rate = {low = 1e-5, high = 10.0, log = true}
model.latent_size = {low = 2, high = 4}
model.prior = ["standard_normal", {kind = "vamp", num_components = 5}]
"""

RECORD = {"standard_error": 0.5, "num_examples": 7, "num_importance_samples": 3}


class Training:
    """In the place of a process: epochs have a validation ELBO that follows from the settings, best at a rate of 1e-3.

    Args:
        folder: Folder of the sweep.
        run: The run.
        killed_at: Folder and epoch at which it is killed, such as "trial-000/seed-3/0".
    """

    def __init__(self, folder, run, killed_at=None):
        self.folder, self.config, self.name = run.run_folder(folder), run.config, run.folder.relative_to("runs")
        self.killed_at = killed_at
        run.settings_file(folder).parent.mkdir(parents=True, exist_ok=True)
        run.settings_file(folder).write_text(run.config.to_toml())
        self.log = run.log_file(folder)
        self.outcome = self.train()

    def train(self):
        rate, seed = self.config.training.learning_rate, self.config.training.seed
        rate = rate["initial_learning_rate"] if isinstance(rate, dict) else rate
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.folder.config.write_text(self.config.to_toml())
        with (self.folder.path / "started.txt").open("a") as file:
            file.write("started\n")
        if not self.folder.metrics.exists():
            self.folder.metrics.write_text("epoch,val_elbo\n")
        for epoch in range(len(self.folder.metrics.read_text().splitlines()) - 1, self.config.training.epochs):
            if rate > 0.5 and epoch == 1:
                self.log.write_text("error: the loss is nan in epoch 2, step 3\n")
                return "failed"
            elbo = -100.0 - 10.0 * (math.log10(rate) + 3.0) ** 2 - 9.0 / (epoch + 1) + seed
            with self.folder.metrics.open("a") as file:
                file.write(f"{epoch},{math.inf if rate < 3e-5 else elbo}\n")
            if f"{self.name}/{epoch}" == self.killed_at:
                self.log.write_text("")
                return None
        bounds = {"elbo": {**RECORD, "mean": elbo}, "log_marginal": {**RECORD, "mean": elbo + 2.0}}
        about = {"split": "digits/test", "validation": "digits/test", "epochs": 4, "training_seconds": 4.0}
        self.folder.report_json.write_text(json.dumps({**bounds, **about, "config": self.config.to_dict()}))
        return "finished"


class SameProcess:
    """In the place of `Workers`: one run at a time, which has ended when it starts.

    Args:
        folder: Folder of the sweep.
        num_jobs: Number of runs at a time.
        killed_at: See `Training`.
    """

    def __init__(self, folder, num_jobs, allow_code=False, killed_at=None):
        self.folder, self.num_jobs, self.killed_at = folder, num_jobs, killed_at
        self.ended = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    @property
    def has_room(self):
        return len(self.ended) < self.num_jobs

    def start(self, run):
        outcome = Training(self.folder, run, self.killed_at).outcome
        self.ended.append(Ended(run, outcome, None if outcome else -9))

    def next_ended(self, timeout):
        return self.ended.pop(0) if self.ended else None

    def signal(self, run, number):
        pass  # it has ended


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """A database without trials, because making the tables takes a second."""
    path = tmp_path_factory.mktemp("study") / "optuna.db"
    optuna.storages.RDBStorage(f"sqlite:///{path}")
    return path


class Sweep:
    """A sweep in a folder, with what it says."""

    def __init__(self, tmp_path, empty_database, **changes):
        self.file, self.folder, self.said = tmp_path / "mine.toml", tmp_path / "out", []
        self.write(**changes)
        self.folder.mkdir()
        shutil.copy(empty_database, self.folder)

    def write(self, **changes):
        text = SWEEP
        for name, value in changes.items():
            text = re.sub(f"^{name} = .*", f"{name} = {value}", text, flags=re.MULTILINE)
        self.file.write_text(text)

    def run(self, **kwargs):
        return run_sweep(self.file, self.folder, on_stage=self.said.append, **kwargs)

    def trials(self):
        return search.Trials(read_plan(self.file).search, self.folder).study.trials

    def rows(self):
        return read_rows(plan_in(self.file, self.folder), self.folder)


@pytest.fixture
def make_sweep(tmp_path, monkeypatch, empty_database):
    manager = optuna.storages._rdb.storage._VersionManager
    monkeypatch.setattr(manager, "check_table_schema_compatibility", lambda self: None)  # takes a fifth of a second
    monkeypatch.setattr(search, "Workers", SameProcess)

    def make(name, **changes):
        (tmp_path / name).mkdir()
        return Sweep(tmp_path / name, empty_database, **changes)

    return make


def told(trials):
    """What remains of trials without their times."""
    return [(t.params, t.state.name, t.value, t.intermediate_values, t.user_attrs) for t in trials]


def test_the_best_trial_is_first_and_the_others_say_what_became_of_them(make_sweep):
    mine = make_sweep("a")
    page = mine.run().read_text()
    trials, rows = mine.trials(), mine.rows()
    states = [trial.state.name for trial in trials]
    assert {"COMPLETE", "PRUNED", "FAIL"} == set(states)
    assert len(trials) == 8
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    best = max(complete, key=lambda trial: trial.value)
    assert rows[0].variant.startswith(f"trial {best.number}: learning_rate=")
    assert rows[0].validation_elbo == f"{best.value:.3f} ± 1.000", "the seeds are 3 and 5"
    assert rows[0].runs[5].config.training.learning_rate == float(f"{best.params['training.learning_rate']:.4g}")
    assert f"The best is {rows[0].variant}, with a validation ELBO of {best.value:.3f}" in page
    assert "The data have no validation examples of their own" in page
    assert sum("no validation examples of their own" in text for text in mine.said) == 1
    values = [float(row.validation_elbo.split()[0]) for row in rows[: len(complete)]]
    assert values == sorted(values, reverse=True)
    for trial in trials:
        row = next(row for row in rows if row.variant.startswith(f"trial {trial.number}:"))
        if trial.state.name == "PRUNED":
            assert row.validation_elbo == "pruned after 1 epoch"
            assert not (mine.folder / f"runs/trial-{trial.number:03d}/seed-5").exists(), "one seed is enough"
        if trial.params["training.learning_rate"] > 0.5 and trial.state.name != "PRUNED":
            assert row.failures == {3: "the loss is nan in epoch 2, step 3"}
            assert f"trial {trial.number}: failed: seed 3: the loss is nan in epoch 2, step 3" in mine.said
        if trial.params["training.learning_rate"] < 3e-5:
            assert row.outcome.failure == "seed 3: the validation ELBO is inf"
    assert all(math.isfinite(v) for t in trials for v in [t.value or 0.0, *t.intermediate_values.values()])
    lines = list(csv.DictReader((mine.folder / "sweep.csv").open()))
    assert len(lines) == 16
    assert float(lines[1]["validation_elbo"]) == best.value + 1.0
    assert (mine.folder / "sweep.png").stat().st_size > 5000


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(make_sweep, monkeypatch):
    monkeypatch.setattr(sweep, "write_results", lambda plan, folder: folder)
    whole, parts = (make_sweep(name, num_trials=4, seeds="[3]") for name in ("whole", "parts"))
    whole.run()
    for place in ("trial-001/seed-3/0", "trial-003/seed-3/2"):
        with monkeypatch.context() as patched:
            patched.setattr(search, "Workers", functools.partial(SameProcess, killed_at=place))
            with pytest.raises(InterruptedError, match=f"trial {place[8]}.* was stopped. Start the sweep again"):
                parts.run()
        assert [trial.state.name for trial in parts.trials()][-1] == "RUNNING"
    parts.run()
    assert told(parts.trials()) == told(whole.trials())
    assert (parts.folder / "runs/trial-003/seed-3/started.txt").read_text().split() == ["started"] * 2
    draws = [tuple(trial.params.values()) for trial in parts.trials()]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("set_trial_param", marks=pytest.mark.slow),
        pytest.param("create_new_trial", marks=pytest.mark.slow),
        pytest.param("set_trial_intermediate_value", marks=pytest.mark.slow),
        pytest.param("set_trial_user_attr", marks=pytest.mark.slow),
    ],
)
def test_a_trial_goes_on_wherever_the_search_was_killed(make_sweep, monkeypatch, call):
    monkeypatch.setattr(sweep, "write_results", lambda plan, folder: folder)
    whole = make_sweep("whole", num_trials=2, seeds="[3]")
    whole.run()
    parts = make_sweep("parts", num_trials=2, seeds="[3]")
    method, calls = getattr(optuna.storages._cached_storage._CachedStorage, call), []

    def killed(*args, **kwargs):
        result = method(*args, **kwargs)
        calls.append(call)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patched:
        patched.setattr(optuna.storages._cached_storage._CachedStorage, call, killed)
        with pytest.raises(KeyboardInterrupt):
            parts.run()
    parts.run()
    assert [trial.state for trial in parts.trials()] == [trial.state for trial in whole.trials()]
    assert [len(trial.params) for trial in parts.trials()] == [3, 3]
    if call != "set_trial_param":  # a trial of whose settings some are known draws the others anew
        assert told(parts.trials()) == told(whole.trials())


def test_the_other_runs_of_a_pruned_trial_are_stopped(make_sweep, monkeypatch):
    """Also one that is still importing TensorFlow, where a KeyboardInterrupt can get lost."""
    asked = []

    class Deaf(SameProcess):
        """A run of the second seed does not end before the second signal."""

        def __init__(self, folder, num_jobs, allow_code=False):
            super().__init__(folder, num_jobs)
            self.silent = []

        @property
        def has_room(self):
            return len(self.ended) + len(self.silent) < self.num_jobs

        def start(self, run):
            super().start(run)
            if run.seed == 5 and run.config.training.learning_rate > 0.02:
                self.silent.append(self.ended.pop())

        def signal(self, run, number):
            asked.append((run.folder, number))
            for ended in [each for each in self.silent if each.run is run and number == signal.SIGTERM]:
                self.silent.remove(ended)
                self.ended.append(Ended(run, None, -15))

    monkeypatch.setattr(sweep, "write_results", lambda plan, folder: folder)
    monkeypatch.setattr(search, "PATIENCE_SECONDS", 0.0)
    mine = make_sweep("a")
    mine.write(pruner='{kind = "threshold", lower = -125.0}', num_trials=4)
    monkeypatch.setattr(search, "Workers", Deaf)
    mine.run(num_jobs=4)
    assert "PRUNED" in {trial.state.name for trial in mine.trials()}
    stopped = [folder for folder, number in asked if number == signal.SIGTERM]
    assert stopped
    assert {(folder, signal.SIGINT) for folder in stopped} <= set(asked)


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("optuna.sampler", "qmc"),
        ("optuna.sampler", {"kind": "random"}),
        ("optuna.sampler", {"kind": "tpe", "n_startup_trials": 2}),
        ("optuna.pruner", {"kind": "hyperband", "max_resource": 4}),
        ("optuna.pruner", "none"),
        ("optuna.pruner", {"kind": "percentile", "percentile": 25.0}),
        ("optuna.pruner", "successive_halving"),
        ("optuna.pruner", {"kind": "threshold", "lower": -3.0}),
    ],
    ids=str,
)
def test_every_part_works(setting, part):
    """Each sampler draws different settings from trial to trial, and pruners stop the worst trial if any."""
    study = optuna.create_study(direction="maximize", study_name="a")
    study.pruner = build(part if setting == "optuna.pruner" else "median", "optuna.pruner")
    for number in range(8):
        sampler = part if setting == "optuna.sampler" else "tpe"
        study.sampler = build(sampler, "optuna.sampler", seed=0, trial_seed=number)
        trial = study.ask()
        Range(0.0, 1.0).suggest(trial, "x")
        stops = False
        for epoch in range(4):
            trial.report(-float(number), epoch)
            stops = stops or trial.should_prune()
        study.tell(trial, None if stops else -float(number), state=TrialState.PRUNED if stops else TrialState.COMPLETE)
    assert len({trial.params["x"] for trial in study.trials}) == 8
    assert (TrialState.PRUNED in {trial.state for trial in study.trials}) == (part != "none")


def test_a_part_that_cannot_be_made_is_one_error_before_anything_is_written(make_sweep):
    mine = make_sweep("a")
    mine.write(pruner='{kind = "percentile", percentile = 200.0}')
    (mine.folder / "optuna.db").unlink()
    with pytest.raises(ValueError, match=r"optuna\.pruner cannot be made: .*percentile"):
        mine.run()
    assert list(mine.folder.iterdir()) == []


def test_failed_trials_are_repeated_when_asked(make_sweep, monkeypatch):
    monkeypatch.setattr(sweep, "write_results", lambda plan, folder: folder)
    mine = make_sweep("a", num_trials=2, seeds="[3]")
    mine.write(num_trials=2, seeds="[3]", **{"training.learning_rate": "[2.0]", "model.prior": '["normal"]'})
    mine.run()
    mine.run()
    assert [trial.number for trial in mine.trials()] == [0, 1], "nothing is missing"
    mine.run(retry_failed=True)
    first, second = mine.trials()[2:]
    assert [trial.params for trial in mine.trials()[:2]] == [first.params, second.params]
    assert {trial.state.name for trial in mine.trials()} == {"FAIL"}
    assert [row.variant.split(":")[0] for row in mine.rows()] == ["trial 2", "trial 3"]


def test_more_trials_may_be_wanted_and_nothing_else_may_change(make_sweep, monkeypatch):
    monkeypatch.setattr(sweep, "write_results", lambda plan, folder: folder)
    mine = make_sweep("a", num_trials=1, seeds="[3]")
    mine.run()
    mine.write(num_trials=3, seeds="[3]", pruner='"none"')
    mine.run(num_jobs=2)
    assert len(mine.trials()) == 3
    for name, value in (("epochs", 5), ("model.latent_size", "[2, 3]"), ("seeds", "[5]")):
        mine.write(**{"num_trials": 3, "seeds": "[3]", name: value})
        with pytest.raises(ValueError, match=r"contains trials with other settings, ranges or seeds.*--sweep-dir"):
            mine.run()


@pytest.mark.slow
def test_settings_that_do_not_fit_together_are_a_failed_trial(make_sweep):
    mine = make_sweep("a")
    space = (
        'training.on_nan = ["stop", "rewind"]\n'
        'training.learning_rate = [0.1, {kind = "exponential_decay", decay_steps = 9, decay_rate = 0.5, '
        "initial_learning_rate = 0.1}]\n"
    )
    mine.file.write_text(SWEEP[: SWEEP.index("training.learning_rate")] + space)
    page = mine.run().read_text()
    trials = mine.trials()
    for trial in trials:
        unfit = trial.params["training.on_nan"] == "rewind" and "exponential" in trial.params["training.learning_rate"]
        assert (trial.state.name == "FAIL") == unfit
    assert {trial.state.name for trial in trials} == {"COMPLETE", "FAIL"}
    assert 'a number with training.on_nan = "rewind", which halves it' in page


def test_the_model_that_a_run_keeps_is_the_one_that_counts(tmp_path):
    folder = RunFolder(tmp_path)
    folder.metrics.write_text("epoch,val_elbo\n0,-9.0\n1,-5.0\n2,-7.0\n3,-6")
    folder.config.write_text('[data]\nname = "digits"\n[training]\nselect = "last"\n')
    assert list(open_trial.validation_elbos(folder)) == [(0, -9.0), (1, -5.0), (2, -7.0)], (
        "the last line is not complete"
    )
    assert open_trial.final_validation_elbo(folder) == -7.0
    folder.config.write_text('[data]\nname = "digits"\n[training]\nselect = "best"\n')
    folder.checkpoints.mkdir()
    for epochs, elbo in ((2, -5.0), (3, -7.0)):
        TrainingState(epochs=epochs, validation_elbo=elbo).add_to(folder.checkpoint(epochs))
    assert open_trial.final_validation_elbo(folder) == -5.0


@pytest.mark.slow
def test_a_search_of_real_runs_is_killed_and_goes_on(tmp_path):
    file, folder = tmp_path / "sweep.toml", tmp_path / "out"
    file.write_text(
        '[data]\nname = "digits"\n[training]\nepochs = 2\n[evaluation]\nnum_importance_samples = 3\n'
        "[optuna]\nnum_trials = 3\ntraining.learning_rate = {low = 1e-3, high = 1e12, log = true}\n"
    )
    command = [sys.executable, "-m", "tfvae.cli", "sweep", str(file), "--sweep-dir", str(folder)]
    for number in range(2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        while not (folder / f"runs/trial-00{number}/seed-0/metrics.csv").exists():
            assert process.poll() is None
            time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, timeout=600)
    trials = search.Trials(read_plan(file).search, folder).study.trials
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert all(trial.state.name in ("COMPLETE", "FAIL") for trial in trials)
    assert len({trial.params["training.learning_rate"] for trial in trials}) == 3
