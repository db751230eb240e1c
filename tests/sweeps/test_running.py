"""Sweeps that are started, killed, started again, and whose runs fail."""

import csv
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tfvae.sweeps import read_plan, run_sweep, workers
from tfvae.sweeps.results import Mean, markdown, mean_over_seeds, read_rows
from tfvae.training.comparison import finished_runs

SWEEP = """
[sweep]
seeds = 2
[data]
name = "digits"
[training]
epochs = 1
[evaluation]
num_importance_samples = 3
[[runs]]
name = "VAE"
[[runs]]
name = "beta-VAE"
training.beta = 4.0
[[runs]]
name = "fails"
training.learning_rate = 1e30
"""

# In the place of `tfvae.cli.worker`: writes the reports of runs whose numbers follow from their settings.
STAND_IN = """
import json, os, pathlib, sys, tomllib

def train(order):
    folder = pathlib.Path(order["run_dir"])
    resume = (folder / "config.toml").exists()
    text = (folder / "config.toml" if resume else pathlib.Path(order["settings"])).read_text()
    config = tomllib.loads(text)
    training = config["training"]
    if training["learning_rate"] > 1:
        with open(order["log"], "a") as log:
            log.write("error: the loss is nan in epoch 1, step 3" + os.linesep)
        return "failed"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)
    started = f"{'resumed' if resume else 'new'} {os.getpid()} {order['allow_code']}"
    (folder / "started.txt").open("a").write(started + os.linesep)
    if os.environ.get("STOP_AT") == folder.parent.name + "/" + folder.name:
        os.kill(os.getpid(), 9)
    elbo = -100.0 - training["beta"] + [0.0, 3.0][training["seed"]] + 0.5 * training["beta"] * training["seed"]
    record = lambda mean: {"mean": mean, "standard_error": 0.5, "num_examples": 7, "num_importance_samples": 3}
    report = {"split": "digits/test", "elbo": record(elbo), "log_marginal": record(elbo + 2.0), "epochs": 1,
              "training_seconds": 4.0, "config": config}
    (folder / "report.json").write_text(json.dumps(report))
    return "finished"

for line in sys.stdin:
    print(train(json.loads(line)), flush=True)
"""


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    file = tmp_path / "mine.toml"
    file.write_text(SWEEP)
    popen = subprocess.Popen

    def start(command, **kwargs):
        assert command == [sys.executable, "-m", "tfvae.cli.worker"]
        return popen([sys.executable, str(script)], **kwargs)

    monkeypatch.setattr(workers.subprocess, "Popen", start)
    said = []

    def run(num_jobs=1, **kwargs):
        return run_sweep(file, tmp_path / "out", num_jobs=num_jobs, on_stage=said.append, **kwargs)

    return run, file, tmp_path / "out"


def test_the_table_has_means_errors_and_paired_differences(sweep):
    run, file, folder = sweep
    page = run(num_jobs=2).read_text()
    first, second, failed = read_rows(read_plan(file), folder)
    assert first.mean("elbo") == Mean(pytest.approx(-99.25), pytest.approx(1.75), 2)  # -101 and -97.5
    assert second.minus(first, "elbo") == Mean(pytest.approx(-2.25), pytest.approx(0.75), 2)  # -3 and -1.5
    assert "| -99.250 ± 1.750 |" in page
    assert "| -2.250 ± 0.750 |" in page
    assert failed.failures == {seed: "the loss is nan in epoch 1, step 3" for seed in (0, 1)}
    assert "| fails | 1 | the loss is nan in epoch 1, step 3 |" in page
    lines = list(csv.DictReader((folder / "sweep.csv").open()))
    assert [line["status"] for line in lines] == ["finished", "finished", "failed"] * 2
    assert float(lines[1]["elbo"]) == -104.0
    assert (folder / "sweep.png").stat().st_size > 5000


def test_a_killed_sweep_goes_on(sweep, monkeypatch):
    run, _, folder = sweep
    monkeypatch.setenv("STOP_AT", "002-beta-VAE/seed-0")
    with pytest.raises(InterruptedError, match=r"beta-VAE, seed 0 was stopped\. Start the sweep again"):
        run()
    monkeypatch.delenv("STOP_AT")
    before = (folder / "runs/001-VAE/seed-0/report.json").stat().st_mtime_ns
    run()
    assert (folder / "runs/001-VAE/seed-0/report.json").stat().st_mtime_ns == before, "a finished run is kept"
    started = (folder / "runs/002-beta-VAE/seed-0/started.txt").read_text().splitlines()
    assert [line.split()[0] for line in started] == ["new", "resumed"]


def test_own_code_needs_the_option(sweep):
    run, file, folder = sweep
    file.write_text('[[runs]]\nname = "mine"\nmodel.network = {kind = "my_module:e", decoder = "my_module:decoder"}\n')
    with pytest.raises(ValueError, match=r"Row 'mine' of the sweep: model\.network names Python code.*--allow-code"):
        run()
    assert not folder.exists()
    run(allow_code=True)
    assert (folder / "runs/001-mine/seed-0/started.txt").read_text().split()[2] == "True"


def test_a_wrong_argument_is_one_error_before_the_first_run(sweep):
    run, file, folder = sweep
    file.write_text('[[runs]]\n[[runs]]\nname = "Vamp"\nmodel.prior = {kind = "vamp", num_component = 5}\n')
    with pytest.raises(ValueError, match=r"Row 'Vamp' of .*: model\.prior\.num_component is not .*num_components"):
        run()
    assert not folder.exists()


def test_a_process_trains_runs_of_one_structure_while_there_are_any(tmp_path, monkeypatch):
    file = tmp_path / "sweep.toml"
    row = '[[runs]]\nname = "{}"\n{}\n'
    rows = (("A", "training.beta = 1.0"), ("B", "model.latent_size = 7"), ("A, beta", "training.beta = 2.0"))
    file.write_text("".join(row.format(*each) for each in rows) + "[sweep]\nseeds = 2\n")
    waiting, folder = list(read_plan(file).runs), tmp_path / "out"
    monkeypatch.setattr(workers, "_Process", StillProcess)
    with workers.Workers(folder, 2) as mine:
        order = []
        for ended in (None, None, 0, 0, 0, 0, 1):  # the first process is faster, and helps at the end
            if ended is not None:
                mine._processes[ended].run = None
            if waiting:
                run = mine.choose(waiting)
                waiting.remove(run)
                mine.start(run)
                order.append((next(i for i, p in enumerate(mine._processes) if p.run is run), run.variant, run.seed))
    assert order == [(0, "A", 0), (1, "B", 0), (0, "A, beta", 0), (0, "A", 1), (0, "A, beta", 1), (0, "B", 1)]


class StillProcess:
    """A process that does nothing."""

    def __init__(self, replies, num_jobs):
        self.run = self.structure = None

    def train(self, run, order):
        self.run, self.structure = run, run.structure

    def close(self):
        return 0


def test_failed_runs_start_again_when_asked(sweep):
    run, file, folder = sweep
    run()
    log = folder / "runs/003-fails/seed-0.log"
    size = log.stat().st_size
    run()
    assert log.stat().st_size == size
    run(retry_failed=True)
    assert log.stat().st_size > size
    assert set(read_rows(read_plan(file), folder)[2].failures) == {0, 1}


def test_other_settings_are_another_sweep(sweep):
    run, file, folder = sweep
    run()
    kept = (folder / "sweep.toml").read_text()
    file.write_text(SWEEP.replace("epochs = 1", "epochs = 2"))
    with pytest.raises(ValueError, match=r"001-VAE.*with other settings\. Choose another folder"):
        run()
    assert (folder / "sweep.toml").read_text() == kept
    file.write_text(SWEEP.replace("seeds = 2", "seeds = 1"))
    run()  # fewer seeds are no contradiction


def test_a_comparison_takes_the_finished_runs(sweep):
    run, _, folder = sweep
    folder.mkdir()
    (folder / "sweep.toml").write_text(SWEEP)
    with pytest.raises(ValueError, match="no finished run yet"):
        finished_runs(folder)
    run()
    found = finished_runs(folder)
    assert [path.relative_to(folder).as_posix() for path in found] == [
        f"runs/{name}/seed-{seed}" for name in ("001-VAE", "002-beta-VAE") for seed in (0, 1)
    ]
    assert finished_runs(found[0]) == [found[0]]


def test_means_over_seeds():
    assert mean_over_seeds([1.0, 2.0, 6.0]) == Mean(3.0, pytest.approx(np.sqrt(7.0 / 3.0)), 3)
    assert str(mean_over_seeds([1.0])) == "1.000"
    assert str(mean_over_seeds([])) == "unknown"
    assert "one seed" in markdown([])


@pytest.mark.slow
def test_a_sweep_of_real_runs_is_killed_and_goes_on(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        SWEEP.replace("seeds = 2", "seeds = 1").replace("epochs = 1", "epochs = 2").replace("[[runs]]", "[[runs]]", 1)
    )
    command = [sys.executable, "-m", "tfvae.cli", "sweep", str(file), "--sweep-dir", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    report = tmp_path / "out/runs/001-VAE/seed-0/report.json"
    while not report.exists():
        assert process.poll() is None
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(command, check=True, timeout=600)
    rows = read_rows(read_plan(file), tmp_path / "out")
    assert [len(row.runs) for row in rows] == [1, 1, 0]
    assert "nan" in rows[2].failures[0] or "inf" in rows[2].failures[0]
    assert json.loads(report.read_text())["elbo"]["mean"] == rows[0].mean("elbo").mean
