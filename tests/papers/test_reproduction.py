"""Running a paper's experiments: files, provenance, what is skipped, and what is refused."""

import dataclasses
import importlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from typer.testing import CliRunner

import tfvae
from tfvae import papers
from tfvae.cli.app import app
from tfvae.data import DataError
from tfvae.models import VAE
from tfvae.papers import burda_2016, kingma_welling_2013
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013 import data_sets
from tfvae.papers.result import Claim, Result, Setting

# The module, whose name in the package is the function's.
figure_4 = importlib.import_module("tfvae.papers.kingma_welling_2013.figure_4")


def made(machine, training, finished):
    seconds = {"pilots": 10.0, "training": training, "measuring": 200.0}
    return {"machine": machine, "finished": f"{finished}T00:00:00", "seconds": seconds}


def an_experiment(job, budget):
    job.say(f"with seed {job.seed}")
    figure = Figure(figsize=(2, 2))
    figure.add_subplot().plot([1, 2])
    return Result(
        title="Figure 9",
        settings=[Setting("N_z", "latent dimensions", "latent_size", "3"), Setting("p(x|z)", "pixels", "", "normal")],
        numbers={
            "curve": {"made": made("A", 100.0, "2026-01-02")},
            "more": {"inner": {"made": made("B", 50.6, "2026-01-03")}},
        },
        claims=[Claim("It works.", False, "It does not.")],
        tables={"All": "| a |\n| --- |\n| 1 |"},
        figures={"": figure, "again": figure},
        remarks=["A remark."],
    )


@pytest.fixture
def experiments(monkeypatch):
    monkeypatch.setattr(kingma_welling_2013, "EXPERIMENTS", {"figure-9": an_experiment, "figure-10": an_experiment})
    monkeypatch.setattr(kingma_welling_2013, "DATA", {"figure-9": (), "figure-10": ()})


def test_a_reading_changes_the_budget_and_is_part_of_the_command(experiments, monkeypatch, tmp_path):
    seen = []

    def experiment(job, budget):
        seen.append((budget.initial_variance, job.folder.name))
        return an_experiment(job, budget)

    monkeypatch.setattr(kingma_welling_2013, "EXPERIMENTS", {"figure-9": experiment})
    monkeypatch.chdir(tmp_path)
    papers.reproduce("kingma-welling-2013")
    papers.reproduce("kingma-welling-2013", reading="variance", output="out")
    name = "kingma-welling-2013-quick"
    assert seen == [(1e-4, f"{name}-seed0"), (0.01, f"{name}-variance-seed0")]
    assert "--reading variance" in (tmp_path / "out/README.md").read_text()
    with pytest.raises(ValueError, match="There is no reading 'mean'"):
        papers.reproduce("kingma-welling-2013", reading="mean")
    with pytest.raises(ValueError, match="This paper has no reading"):
        papers.reproduce("burda-2016", reading="variance")


def test_files_tell_where_the_numbers_come_from(experiments, tmp_path):
    lines = []
    found = papers.reproduce(
        "kingma-welling-2013", only=["figure-9"], run_dir=tmp_path / "run", output=tmp_path / "out", seed=3,
        say=lines.append,
    )  # fmt: skip
    assert list(found) == ["figure-9"]
    assert lines == ["figure-9:", "with seed 3"]
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "figure-9-again.png",
        "figure-9.json",
        "figure-9.png",
    ]
    content = json.loads((out / "figure-9.json").read_text())
    made = content["made"]
    assert made["command"] == "tfvae reproduce kingma-welling-2013 --budget quick --only figure-9 --seed 3"
    # Of the curves, whenever and wherever they were trained; not of this call.
    assert (made["seed"], made["machine"], made["finished"][:10]) == (3, "A; B", "2026-01-03")
    assert made["seconds"] == {"pilots": 20, "training": 151, "measuring": 400}
    assert content["claims"] == [{"statement": "It works.", "holds": False, "evidence": "It does not."}]
    page = (out / "README.md").read_text()
    parts = [
        "| figure-9 | It works. | **no** | It does not. |",
        "3 minutes of training, 7 minutes of measuring; 2026-01-03",
        "![Figure 9](figure-9.png)",
        "| `N_z` | latent dimensions",
        r"| `p(x\|z)` | pixels |  | normal |",
        "A remark.",
        f"`{made['command']}`",
        "| 1 |",
    ]
    for part in parts:
        assert part in page
    assert imread(out / "figure-9.png").std() > 0.01


def test_page_keeps_what_other_calls_made(experiments, tmp_path):
    for name in ("figure-10", "figure-9"):
        papers.reproduce("kingma-welling-2013", only=[name], run_dir=tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert page.index("figure-9.png") < page.index("figure-10.png")  # the paper's order


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "kingma-2013"},
            "There is no reproduction 'kingma-2013'. Expected one of: kingma-welling-2013, burda-2016, kingma-2014, "
            "nalisnick-2017.",
        ),
        ({"budget": "huge"}, "There is no budget 'huge'. Expected one of: quick, standard, full."),
        ({"only": ["figure-6"]}, "There is no experiment 'figure-6'. Expected one of: figure-9, figure-10."),
    ],
)
def test_names_that_do_not_exist(experiments, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        papers.reproduce(**{"name": "kingma-welling-2013", "run_dir": tmp_path / "run", **arguments})
    assert not (tmp_path / "run").exists()


def test_missing_data_are_missed_before_anything_is_trained(monkeypatch, tmp_path):
    def missing(job):
        raise DataError(f"no frey_faces.npz in {job.data_dir}.")

    experiments = dict.fromkeys(("first", "second", "third"), lambda job, budget: pytest.fail("trained"))
    monkeypatch.setattr(kingma_welling_2013, "EXPERIMENTS", experiments)
    monkeypatch.setattr(kingma_welling_2013, "DATA", {"first": (), "second": (missing,), "third": ()})
    with pytest.raises(DataError, match=r"To run the other experiments: --only first --only third$"):
        papers.reproduce("kingma-welling-2013", run_dir=tmp_path / "run", data_dir="here")
    with pytest.raises(DataError, match=r"no frey_faces\.npz in None\.$"):
        papers.reproduce("kingma-welling-2013", only="second", run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_frey_face_by_path(find_archives, monkeypatch, tmp_path):
    job = Job(tmp_path, 0, data_dir=find_archives("frey_faces.npz"))
    monkeypatch.delenv("TFVAE_DATA_DIR", raising=False)
    for load in kingma_welling_2013.DATA["figure-2-frey-face"]:
        assert len(load(job).train) == 1_565


def test_command_line(experiments, tmp_path, monkeypatch):
    run = CliRunner().invoke(app, ["reproduce", "kingma-2013"], standalone_mode=False)
    assert "There is no reproduction 'kingma-2013'" in str(run.exception)
    run = CliRunner().invoke(app, ["reproduce", "kingma-welling-2013", "--budget", "huge"], standalone_mode=False)
    assert "There is no budget 'huge'" in str(run.exception)
    arguments = ["reproduce", "kingma-welling-2013", "--run-dir", str(tmp_path), "--only", "figure-9"]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0
    assert "with seed 0" in run.stdout
    assert "It does not." in run.stdout

    def interrupted(job, budget):
        raise KeyboardInterrupt

    monkeypatch.setitem(kingma_welling_2013.EXPERIMENTS, "figure-9", interrupted)
    run = CliRunner().invoke(app, arguments, standalone_mode=False)
    assert "interrupted. Run the same command again to resume." in str(run.exception)


def test_every_reproduction_has_every_budget():
    for module in (kingma_welling_2013, burda_2016):
        assert tuple(module.BUDGETS) == papers.BUDGETS
        assert set(module.DATA) == set(module.EXPERIMENTS)
        assert module.TITLE
        assert module.INTRODUCTION
    assert set(papers.REPRODUCTIONS.values()) <= set(papers.__all__)
    assert tfvae.papers is papers


# The smoke test of both papers, on the real data where it is slow. Then once more, when nothing is left to train.

NUM_CLAIMS = {
    "kingma-welling-2013": {"gradient-variance": 1, "figure-2-mnist": 3, "figure-2-frey-face": 2, "figure-3": 2,
                            "figure-4": 0, "figure-5": 0, "appendix-f": 1},
    "burda-2016": {"table-1": 1},
}  # fmt: skip


# The smallest of what has every step: curves of two learners, densities by chains, a table of two estimators.
SMALL = {
    "kingma-welling-2013": {"num_samples": 2_000, "pilot_samples": 200, "num_bound": 100, "num_marginal": 20},
    # One row, long enough for two stretches; what two rows say together is asked of given curves.
    "burda-2016": {"shares": (("IWAE", 5, 0.002),), "num_importance_samples": 20, "num_train": 500, "num_test": 50},
}


@pytest.fixture
def real_data(tfds_folder, find_archives, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder))
    monkeypatch.setenv("TFVAE_DATA_DIR", str(find_archives("frey_faces.npz")))


@pytest.fixture
def little_mnist(monkeypatch):
    """A few images of noise in place of MNIST, whose 70,000 take seconds to read."""
    gray = np.random.default_rng(0).integers(256, size=(550, 28, 28, 1)).astype("uint8")
    train, test = (tfvae.data.Split(part, num_levels=256) for part in (gray[:500], gray[500:]))
    load = tfvae.data.load
    monkeypatch.setattr(
        tfvae.data,
        "load",
        lambda name, **kw: tfvae.data.Splits(name, train, test=test) if name == "mnist" else load(name, **kw),
    )
    loaded = (burda_2016._mnist, data_sets.mnist)
    for function in loaded:
        function.cache_clear()
    yield
    for function in loaded:
        function.cache_clear()


@pytest.mark.parametrize(
    ("paper", "only"),
    [
        ("kingma-welling-2013", ["figure-2-frey-face", "figure-4"]),
        pytest.param("burda-2016", ["table-1"], marks=pytest.mark.slow),
    ],
)
def test_a_small_budget(paper, only, real_data, little_mnist, tmp_path, monkeypatch):
    budgets = {"kingma-welling-2013": kingma_welling_2013.BUDGETS, "burda-2016": burda_2016.BUDGETS}[paper]
    monkeypatch.setitem(budgets, "quick", dataclasses.replace(budgets["quick"], **SMALL[paper]))
    # XLA takes longer to compile this than to train it.
    compiled = VAE.compile
    monkeypatch.setattr(VAE, "compile", lambda self, *a, **kw: compiled(self, *a, **{**kw, "jit_compile": False}))
    if "figure-4" in only:  # twice the manifold of the Frey faces, whose model figure 2 has trained
        curve, faces = figure_4.bound_curve, data_sets.frey_face(None)
        monkeypatch.setattr(figure_4, "bound_curve", lambda job, budget, _, *a: curve(job, budget, faces, *a))
    lines = []
    papers.reproduce(paper, only=only, run_dir=tmp_path, say=lines.append)
    assert_it_is_all_there(paper, only, tmp_path, lines, NUM_CLAIMS | {"burda-2016": {"table-1": 0}})


@pytest.mark.slow
@pytest.mark.parametrize("paper", list(NUM_CLAIMS))
def test_quick_budget_from_the_command_line(paper, real_data, tmp_path):
    command = [sys.executable, "-m", "tfvae.cli", "reproduce", paper, "--run-dir", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    assert_it_is_all_there(paper, [], tmp_path, run.stdout.splitlines())


def assert_it_is_all_there(paper, only, tmp_path, said, num_claims=NUM_CLAIMS):
    assert sum("samples/s" in line for line in said) >= 2
    assert (tmp_path / "README.md").read_text().startswith("# ")
    names = only or list(NUM_CLAIMS[paper])
    contents = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in names}
    for name, content in contents.items():
        assert content["numbers"]
        assert content["setup"]
        assert content["made"]["seconds"]["training"] >= 0  # whole seconds
        assert len(content["claims"]) == num_claims[paper][name]
        assert all(np.std(imread(tmp_path / picture)) > 0.02 for picture in content["pictures"])

    trained = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("curve.json")}
    lines = []
    papers.reproduce(paper, only=only, run_dir=tmp_path, say=lines.append)
    assert sum("already done" in line for line in lines) >= len(trained)
    assert not any("samples/s" in line for line in lines)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("curve.json")} == trained
    for name, content in contents.items():
        repeated = json.loads((tmp_path / f"{name}.json").read_text())
        assert (repeated["numbers"], repeated["made"]) == (content["numbers"], content["made"])
