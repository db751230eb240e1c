"""Running a paper's experiments: files, provenance, what is skipped, and what is refused."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

import tfvae
from tfvae import papers
from tfvae.papers import burda_2016, kingma_welling_2013
from tfvae.papers.result import Claim, Result, Setting


def an_experiment(job, budget):
    job.say(f"with seed {job.seed}")
    figure = Figure(figsize=(2, 2))
    figure.add_subplot().plot([1, 2])
    return Result(
        title="Figure 9",
        settings=[Setting("N_z", "latent dimensions", "latent_size", "3")],
        numbers={"curve": {"training_seconds": 100.0}, "more": {"inner": {"training_seconds": 50.5}}},
        claims=[Claim("It works.", False, "It does not.")],
        tables={"All": "| a |\n| --- |\n| 1 |"},
        figures={"": figure, "again": figure},
        remarks=["A remark."],
    )


@pytest.fixture
def experiments(monkeypatch):
    monkeypatch.setattr(kingma_welling_2013, "EXPERIMENTS", {"figure-9": an_experiment, "figure-10": an_experiment})


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
    assert (made["seed"], made["seconds"]) == (3, 150)
    assert {"machine", "finished", "commit", "packages", "tfvae"} <= set(made)
    assert content["claims"] == [{"statement": "It works.", "holds": False, "evidence": "It does not."}]
    page = (out / "README.md").read_text()
    for part in ("| It works. | **no** | It does not. |", "![Figure 9](figure-9.png)", "| `N_z` | latent dimensions",
                 "A remark.", f"`{made['command']}`", "| 1 |"):  # fmt: skip
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
            "There is no reproduction 'kingma-2013'. There are: kingma-welling-2013, burda-2016.",
        ),
        ({"budget": "huge"}, "There is no budget 'huge'. There are: quick, standard, full."),
        ({"only": ["figure-6"]}, "There is no experiment 'figure-6'. There are: figure-9, figure-10."),
    ],
)
def test_names_that_do_not_exist(experiments, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        papers.reproduce(**{"name": "kingma-welling-2013", "run_dir": tmp_path / "run", **arguments})
    assert not (tmp_path / "run").exists()


def test_every_reproduction_has_every_budget():
    for module in (kingma_welling_2013, burda_2016):
        assert tuple(module.BUDGETS) == papers.BUDGETS
        assert module.TITLE
        assert module.INTRODUCTION
    assert set(papers.REPRODUCTIONS.values()) <= set(papers.__all__)
    assert tfvae.papers is papers


def reproduced(name, folder, *arguments):
    command = [sys.executable, "-m", "tfvae.cli", "reproduce", name, "--run-dir", str(folder), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


# The smoke test of every experiment: what users type, on the real data.


@pytest.mark.parametrize("name", list(kingma_welling_2013.EXPERIMENTS))
def test_quick_budget_of_the_aevb_paper(name, tfds_folder, find_archives, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder))
    monkeypatch.setenv("TFVAE_DATA_DIR", str(find_archives("frey_faces.npz")))
    check_quick("kingma-welling-2013", name, tmp_path)


def test_quick_budget_of_table_1(tfds_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_folder))
    check_quick("burda-2016", "table-1", tmp_path)


def check_quick(reproduction, name, folder):
    first = reproduced(reproduction, folder, "--only", name)
    assert "learning rate" in first or reproduction == "burda-2016"
    content = json.loads((folder / f"{name}.json").read_text())
    assert content["numbers"]
    assert content["setup"]
    assert all(len(imread(folder / picture).shape) == 3 for picture in content["pictures"])
    assert all(np.std(imread(folder / picture)) > 0.02 for picture in content["pictures"])
    assert (folder / "README.md").read_text().startswith("# ")
    trained = {path: path.stat().st_mtime_ns for path in folder.rglob("curve.json")}
    again = reproduced(reproduction, folder, "--only", name)  # nothing is trained twice
    assert "learning rate" not in again
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("curve.json")} == trained
    assert json.loads((folder / f"{name}.json").read_text())["numbers"] == content["numbers"]
