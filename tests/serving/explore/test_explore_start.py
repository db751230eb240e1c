"""The page of a run with an exported model, which answers before the model itself is loaded."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tfvae.export import save
from tfvae.export.manifest import write_source
from tfvae.serving.explore import add_explore, explored_program, from_run
from tfvae.serving.explore.loading import Loading
from tfvae.training import saved_run
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder
from tfvae.training.run_program import program_of_run


@pytest.fixture(scope="module")
def run_dir(digits_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("start") / "small-digits"
    shutil.copytree(digits_run.folder.path, path)
    folder = RunFolder(path)
    save(digits_run.vae, folder.saved_model)
    write_source(folder.saved_model, folder.model)
    return path


@pytest.fixture
def program(run_dir):
    return program_of_run(RunFolder(run_dir))


def body(values):
    return np.asarray(values, "<f4").tobytes()


def test_the_exported_model_answers_like_the_model(run_dir, program, explored, monkeypatch):
    may_load = threading.Event()
    load_run = saved_run.load_run
    monkeypatch.setattr(saved_run, "load_run", lambda path: may_load.wait() and load_run(path))
    found = explored_program(run_dir, program, num_examples=200)
    client, other = (TestClient(add_explore(FastAPI(), model)) for model in (found, explored))
    found.loading.start()
    early = ["model", "points", "example/7", "prior?num=16&seed=3"]
    described, expected = (each.get("/explore/api/model").json() for each in (client, other))
    assert described.pop("kl") == pytest.approx(expected.pop("kl"), rel=1e-6)
    assert described == expected
    for path in early[1:]:
        values, wanted = (np.frombuffer(each.get(f"/explore/api/{path}").content, "<f4") for each in (client, other))
        np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-6)
    z = np.random.default_rng(0).normal(size=(40, 2))
    for num in (1, 40):
        values, wanted = (
            np.frombuffer(each.post("/explore/api/decode", content=body(z[:num])).content, "<f4")
            for each in (client, other)
        )
        np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-6)
    assert not found.loading.start().done()
    may_load.set()
    x = body(found.example(3)[0])
    for path in ("encode?seed=5", "log_marginal"):
        answers = [each.post(f"/explore/api/{path}", content=x).json() for each in (client, other)]
        assert answers[0].keys() == answers[1].keys()
        for name, value in answers[1].items():
            np.testing.assert_allclose(answers[0][name], value, rtol=1e-6)
    quantiles = [each.get("/explore/api/elbo").json()["quantiles"] for each in (client, other)]
    np.testing.assert_allclose(*quantiles, rtol=1e-6)


def test_models_of_other_kinds_are_loaded_at_once(run_dir, program, tmp_path):
    for setting in ('prior = "flow"', 'posterior = "tril"'):
        other = tmp_path / setting.split()[0]
        shutil.copytree(run_dir, other)
        text = (other / "config.toml").read_text()
        kept = [line for line in text.splitlines() if not line.startswith(f"{setting.split()[0]} =")]
        (other / "config.toml").write_text("\n".join(kept).replace("[model]", f"[model]\n{setting}"))
        assert explored_program(other, program) is None
    manifest = program.manifest
    for entry in ({"latent_dtype": "int32"}, {"condition_shape": [3]}, {"latent_shape": [2, 2]}, {"missing": "nan"}):
        program.manifest = {**manifest, **entry}
        assert explored_program(run_dir, program) is None


def test_a_table_is_not_loaded_twice(run_dir, program, tmp_path, monkeypatch):
    def fail(config):
        raise AssertionError("The table is loaded with its model.")

    monkeypatch.setattr(from_run, "load_data", fail)
    settings = RunConfig.of_run(run_dir / "config.toml").to_dict()
    settings["data"]["columns"] = {"age": "real"}
    other = tmp_path / "table"
    other.mkdir()
    (other / "config.toml").write_text(RunConfig.from_dict(settings).to_toml())
    assert explored_program(other, program) is None


def test_a_model_that_cannot_be_loaded_is_an_answer(run_dir, program, monkeypatch):
    def fail(path):
        raise ValueError("The model is gone.")

    monkeypatch.setattr(saved_run, "load_run", fail)
    found = explored_program(run_dir, program, num_examples=5)
    response = TestClient(add_explore(FastAPI(), found)).post("/explore/api/encode", content=body(found.example(3)[0]))
    assert (response.status_code, json.loads(response.content)["error"]) == (
        503,
        "The model could not be loaded: The model is gone.",
    )


def test_loading_happens_once():
    calls = []
    loading = Loading(lambda: calls.append(1) or len(calls))
    assert [loading.result(), loading.start().result(), loading.result()] == [1, 1, 1]


@pytest.fixture
def command(run_dir, tmp_path):
    """Starts the command, in a process whose Keras cannot be imported."""
    (tmp_path / "keras.py").write_text("raise ImportError('no such Keras')")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "tfvae.cli", "explore", run_dir, "--port", "0"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_the_command_ends_with_the_error_of_loading(command):
    process = command
    assert "explore/" in process.stdout.readline() + process.stdout.readline()  # it has started
    assert "ImportError: no such Keras" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
