"""Slips are told before TensorFlow is imported, and reports are read without it."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tfvae.cli import runs
from tfvae.cli.app import main
from tfvae.cli.commands import output
from tfvae.training.config import RunConfig


class InternalError(Exception):
    """As if TensorFlow had raised it."""


InternalError.__module__ = "tensorflow.python.framework.errors_impl"

# Commands one after another in one process; what each said, and whether TensorFlow was needed.
RUN = """
import contextlib, io, json, sys
from tfvae.cli.app import main
answers = []
for arguments in json.load(sys.stdin):
    sys.argv, err, code = ["tfvae", *arguments], io.StringIO(), 0
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    answers.append([code, err.getvalue(), "tensorflow" in sys.modules, "matplotlib" in sys.modules])
print(json.dumps(answers))
"""

HUGE = str(2**63)

REFUSED = {
    "train --data mnits": "Did you mean 'mnist'?",
    "train --data t.xlsx": "Tables in .xlsx files are not read yet",
    "train --data none.npz": "There is no file none.npz",
    "train --data whole.npy --run-dir run": "contains a run",
    "train --data wrong.npy": "not a plain number",
    "train --data ~nosuchuser/x.npy": "is not a path",
    "train --data frey_face": "TFVAE_DATA_DIR",
    "train --data shards": "shards.json cannot be read",
    "train --config none.toml": "no configuration file none.toml",
    "train --config bad.toml": "bad.toml cannot be read: it is nested too deeply",
    "train --config wrong.toml": "wrong.toml is not a valid configuration: Unknown setting model.latent",
    f"train --batch-size {HUGE}": "training.batch_size must be an integer from 0 to 2147483647",
    f"train --epochs {'9' * 400}": "training.epochs must be",
    "train --learning-rate nan": "training.learning_rate must be a number above 0",
    "train --run-dir whole.npy/run": "is not a writable folder",
    "train --run-dir /dev/null": "/dev/null exists and is not a run folder",
    "train --run-dir /proc/x": "/proc/x is not on a disk",
    "train --activation nope": "model.activation must be one of auto, ",
    "train --latent-size 2000000000": "model.latent_size must be an integer from 1 to 1000000",
    "train --hidden 500,2000000000": "model.hidden must be a list of integers from 1 to 1000000",
    "train --data nan.npy": "has 1 values that are not finite",
    "train --resume nowhere": "nowhere is not a run folder",
    "train --resume gone": "none.npz",
    "evaluate nowhere": "nowhere is not a run folder",
    f"evaluate run --num-samples {HUGE}": "evaluation.num_samples must be",
    "evaluate gone": "There is no file none.npz",
    "evaluate new": "has no model yet",
    "sample nowhere": "nowhere is not a run folder",
    "sample run -o run": "run is a folder",
    "sample run -o .": "must be the name of a file",
    "sample run -o whole": "exists and does not end in",
    "sample run -o run/per_example.npz": "the run needs",
    "encode run own.npz -o own.npz": "is a file that this command reads",
    "reconstruct run own.npz -o own": "is a file that this command reads",
    "report run -o run/config.toml": "the run needs",
    "sample run -o /dev/null": "is a device",
    "sample run -o picture": "picture.png is a folder",
    "sample run -n 99999999999999999999": "run/samples.npz would need 4,000,000,000.0 TB, but",
    "encode run --split __class__": "must be one of train, validation, test. Received: split='__class__'",
    "encode run none.npy": "There is no file none.npy",
    "encode run whole.npy -o pipe": "is a device, a pipe or a socket",
    "reconstruct run wrong.npy": "not a plain number",
    "export run -o whole.npy": "whole.npy is not a folder",
    "export run --precision int8": "--precision requires --to litert",
    "explore run --split tset": "must be one of train, validation, test",
    "serve nowhere": "There is no model at nowhere",
    "serve whole.npy": "There is no model at whole.npy",
    "report nowhere": "nowhere is not a run folder",
    "report run -o pipe": "is a device, a pipe or a socket",
    "compare run nowhere": "nowhere is not a run folder",
    "compare run other -o whole.npy": "whole.npy is not a folder",
    "reproduce nothing": "There is no reproduction 'nothing'",
    "reproduce burda-2016 -o whole.npy": "whole.npy is not a folder",
    "data shard none.npy there": "There is no file none.npy",
    "data shard mnits there": "Did you mean 'mnist'?",
    "data shard whole.npy run": "exists already",
    "data shard whole.npy whole.npy/there": "is not a folder",
}
DONE = ["report run -o link.html", "report run", "compare run other -o compared"]


def make_run(path, data="digits", has_model=True):
    path.mkdir()
    config = RunConfig.from_dict({"data": {"name": data}, "model": {"likelihood": "bernoulli"}})
    record = {"mean": -1.0, "standard_error": 0.5, "num_examples": 3, "num_importance_samples": 5}
    report = {"elbo": record, "log_marginal": record, "split": "digits/test", "epochs": 1, "training_seconds": 2.0}
    (path / "config.toml").write_text(config.to_toml())
    (path / "report.json").write_text(json.dumps(report | {"config": config.to_dict()}))
    (path / "report.md").write_text("# A run\n")
    if has_model:
        (path / "model.keras").write_bytes(b"")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("early")
    for name, arguments in {"run": {}, "other": {}, "gone": {"data": "none.npz"}, "new": {"has_model": False}}.items():
        make_run(folder / name, **arguments)
    np.save(folder / "whole.npy", np.zeros((20, 3), "float32"))
    np.savez(folder / "own.npz", x=np.zeros((20, 3), "float32"))
    (folder / "whole").write_text("x")
    np.save(folder / "wrong.npy", np.zeros((20, 3), complex))
    np.save(folder / "nan.npy", np.array([[0.5], [np.nan]]))
    (folder / "t.xlsx").write_text("a,b\n1,2\n")
    (folder / "bad.toml").write_text("x = " + "[" * 5000)
    (folder / "wrong.toml").write_text("model.latent = 3\n")
    (folder / "shards").mkdir()
    (folder / "shards" / "shards.json").write_text("{")
    (folder / "picture.png").mkdir()
    (folder / "link.html").symlink_to("real.html")
    subprocess.run(["mkfifo", folder / "pipe"], check=True)
    return folder


@pytest.fixture(scope="module")
def answers(folder):
    lines = [*DONE, *REFUSED]
    before = sorted(folder.rglob("*"))
    given = json.dumps([line.split() for line in lines])
    environment = {name: value for name, value in os.environ.items() if name != "TFVAE_DATA_DIR"}
    command = [sys.executable, "-c", RUN]
    run = subprocess.run(command, input=given, capture_output=True, text=True, cwd=folder, env=environment, timeout=300)
    assert run.returncode == 0, run.stderr
    made = {path.relative_to(folder) for path in folder.rglob("*")} - {path.relative_to(folder) for path in before}
    assert {str(path) for path in made} == {
        "real.html", "run/report.html", "compared", "compared/comparison.md", "compared/comparison.svg"
    }  # fmt: skip
    return dict(zip(lines, json.loads(run.stdout), strict=True))


@pytest.mark.parametrize("line", REFUSED)
def test_a_slip_is_one_sentence_before_tensorflow_is_imported(answers, line):
    code, err, needs_tensorflow, _ = answers[line]
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert REFUSED[line] in err
    assert len(err) < 800
    assert not needs_tensorflow


@pytest.mark.parametrize("line", DONE)
def test_reports_are_read_without_tensorflow(answers, folder, line):
    assert answers[line] == [0, "", False, False]  # nor matplotlib
    assert (folder / "link.html").is_symlink()
    assert "A run" in (folder / "real.html").read_text()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            MemoryError(),
            "error: MemoryError: it needs more memory than is available (set TFVAE_TRACEBACK=1 to see the traceback)",
        ),
        (MemoryError("Unable to allocate 7 TiB"), "error: MemoryError: Unable to allocate 7 TiB (set TFVAE_TRACEBACK"),
        (ValueError(), "error: ValueError"),
        (
            OSError("{{function_node __wrapped__Save_device_/a}} x: No space left"),
            "error: x: No space left",
        ),
        (InternalError("{{node a}} the graph\nis here"), "error: InternalError: the graph (set TFVAE_TRACEBACK"),
    ],
)
def test_an_error_always_says_something(folder, monkeypatch, capsys, error, words):
    def fail(name):
        raise error

    monkeypatch.chdir(folder)
    monkeypatch.delenv("TFVAE_TRACEBACK", raising=False)
    monkeypatch.setattr(runs, "commands", fail)
    monkeypatch.setattr(sys, "argv", ["tfvae", "report", "run"])
    with pytest.raises(SystemExit):
        main()
    err = capsys.readouterr().err
    assert err.startswith(words)
    assert err.count("\n") == 1


def test_the_size_of_what_is_drawn_is_said_and_what_does_not_fit_is_refused(tmp_path, monkeypatch, capsys):
    part = {"z": np.zeros((500, 2), "float32"), "mean": np.zeros((500, 8, 8, 1), "float32")}
    parts = list(output.announced(tmp_path / "a.npz", [part, part, part], 1500))
    assert len(parts) == 3
    assert capsys.readouterr().out == ""  # too little to speak of
    disk = shutil.disk_usage(tmp_path)._replace(free=264 * 500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: disk)
    assert next(output.announced(tmp_path / "a.npz", [part], 500_000)) is part
    assert capsys.readouterr().out == "writing 132.0 MB\n"
    with pytest.raises(ValueError, match=r"a\.npz would need 132\.0 MB, but .* has only 132\.0 MB free"):
        next(output.announced(tmp_path / "a.npz", iter([part]), 500_001))
