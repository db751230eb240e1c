"""Commands in README and docs, as they stand: each is read by its program, and those that train are run."""

import configparser
import importlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request

import keras
import numpy as np
import pytest
import tensorflow as tf
import typer
from absl import flags
from absl.testing import flagsaver
from documented import PAGES, ROOT, blocks, commands, is_python
from typer.main import get_command

import tfvae
from tfvae import serving
from tfvae._dtype_policy import dtype_policy
from tfvae.cli.app import app
from tfvae.sweeps import read_plan
from tfvae.training.config import RunConfig

COMMANDS = [command for page in PAGES for command in commands(page)]


def read_tfvae(words):
    """As the command line does, up to the moment that it would run the command."""
    found, rest = get_command(app), list(words)
    while hasattr(found, "commands"):
        found = found.commands[rest.pop(0)]
    if not rest and any(parameter.required for parameter in found.params):
        return  # the name alone, in a sentence
    if any(rest[-1:] == [name] and not parameter.is_flag for parameter in found.params for name in parameter.opts):
        rest.pop()  # an option's name alone
    if "--help" in rest:
        with pytest.raises(typer.Exit):
            found.make_context("tfvae", rest)
    else:
        found.make_context("tfvae", rest)


def run_saved_model_cli(words):
    """TensorFlow's program, in this process: another one would import TensorFlow for it."""
    from tensorflow.python.tools import saved_model_cli

    action, *options = words
    with flagsaver.flagsaver():
        flags.FLAGS(["saved_model_cli", *options])
        assert all(flags.FLAGS[name].present for name in saved_model_cli.command_required_flags[action])
        getattr(saved_model_cli, action)()


def read_make(words):
    makefile = (ROOT / "Makefile").read_text()
    targets = [re.sub(r"=.*", r" \\?=", word) if "=" in word else f"{word}:" for word in words]
    assert all(re.search(rf"^{target}", makefile, re.MULTILINE) for target in targets)


def read_pip(words):
    action, target = words
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extra = re.fullmatch(r"\.\[(\w+)\]", target)  # of a checkout: `tfvae[...]` is asked of a package index
    assert action == "install"
    assert target in (".", "tensorboard-plugin-profile") or extra[1] in setup["options.extras_require"]


def run_python(words):
    if words[0] == "-c":
        exec(words[1], {})
        return
    script = (ROOT / words[0]).read_text()
    assert all(f'"{word}"' in script for word in words[1:] if word.startswith("--"))


def read_docker(words):
    """There is no Docker where the tests run; what the image's program is given is read."""
    assert words[0] in ("build", "run")
    if words[0] == "run" and "tfvae" in words:
        read_tfvae(("serve", "/model", *words[words.index("tfvae") + 1 :]))


def read_export(words):
    for word in words:
        name, _, value = word.partition("=")
        assert name == "TF_CONFIG"
        json.loads(value)


def read_tensorboard(words):
    option, folder = words
    assert (option, folder) in (("--logdir", "runs"), ("--logdir", "logs"), ("--logdir", "sweeps/sweep/runs"))


PROGRAMS = {
    "tfvae": read_tfvae,
    "saved_model_cli": run_saved_model_cli,
    "make": read_make,
    "pip": read_pip,
    "python": run_python,
    "docker": read_docker,
    "export": read_export,
    "tensorboard": read_tensorboard,
    "curl": lambda words: None,  # tests/serving/test_serve.py sends them
    "RUN=/shared/runs/mnist": lambda words: None,
    "[": lambda words: None,
}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_commands_are_what_their_programs_take(command, tmp_path, monkeypatch):
    """Programs that take no time are run, in a folder with the models that ship."""
    if command.program in ("saved_model_cli", "python"):
        shutil.copytree(ROOT / "saved_models", tmp_path / "saved_models")
        monkeypatch.chdir(tmp_path)
    PROGRAMS[command.program](command.words[1:])


@pytest.mark.parametrize("page", PAGES)
def test_names_of_tfvae_are_there(page):
    """In blocks that are Python, whether a test runs them or not."""
    code = "\n".join(code for language, code in blocks(page) if language == "python" or is_python(code))
    for name in sorted(set(re.findall(r"\btfvae(?:\.\w+)+", code))):
        found, (_, *parts) = importlib.import_module("tfvae"), name.split(".")
        for i, part in enumerate(parts):
            is_there = hasattr(found, part)
            found = getattr(found, part) if is_there else importlib.import_module(".".join(["tfvae", *parts[: i + 1]]))


def files_shown():
    return [code for page in PAGES for language, code in blocks(page) if language == "toml"]


def sweeps_shown():
    return [code for code in files_shown() if not {"grid", "optuna", "random", "runs"}.isdisjoint(tomllib.loads(code))]


def settings_shown():
    schemas = [code for code in files_shown() if "[columns." in code]
    return [code for code in files_shown() if code not in (*sweeps_shown(), *schemas)]


# In the place of sweeps of hours.
SWEEP = """[data]
name = "digits"
[training]
epochs = 1
[evaluation]
num_importance_samples = 10
[grid]
training.beta = [1.0, 2.0]
"""
SEARCH = SWEEP.replace("[grid]", "[optuna]\nnum_trials = 2")


def test_settings_that_are_shown_are_a_configuration():
    assert settings_shown()
    for code in settings_shown():
        assert RunConfig.from_dict(tomllib.loads(code)).data.name == "mnist"


def test_sweeps_that_are_shown_have_runs(tmp_path):
    assert sweeps_shown()
    for code in sweeps_shown():
        (tmp_path / "sweep.toml").write_text(code)
        plan = read_plan(tmp_path / "sweep.toml")
        assert plan.search is not None or len(plan.runs) > 3


# What makes a command short, in place of minutes or hours; of an option that is given twice the last one counts.
SHORT = {
    "train": ["--epochs", "1", "--num-importance-samples", "10"],
    "evaluate": ["--num-importance-samples", "10", "--num-examples", "4"],
    "serve": ["--port", "0"],
    "explore": ["--port", "0", "--no-open"],
}
SERVERS = ("serve", "explore")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["README.md", "docs/checkpoints.md", "docs/experiments.md", "docs/large-data.md", "docs/settings.md"]
)
def test_commands_in_blocks_run(page, tmp_path, tfds_folder, find_archives):
    """One after the other, each a process. Those of papers are tested in tests/papers."""
    archives = find_archives("frey_faces.npz")
    with np.load(archives / "frey_faces.npz") as archive:
        faces = next(archive[name] for name in archive.files if archive[name].ndim == 3)[:200]
    for name in ("own.npy", "faces.npy"):
        np.save(tmp_path / name, faces)
    (tmp_path / "mnist.toml").write_text(next(code for code in settings_shown() if "binarize" in code))
    (tmp_path / "sweep.toml").write_text(SWEEP)
    (tmp_path / "search.toml").write_text(SEARCH)
    (tmp_path / "RUN").symlink_to("runs/frey")
    environment = {**os.environ, "TFDS_DATA_DIR": str(tfds_folder), "TFVAE_DATA_DIR": str(archives)}
    for command in commands(page):
        if command.program != "tfvae" or not command.is_in_block or command.words[1] == "reproduce":
            continue
        name, *words = command.words[1:]
        if "search.toml" in words and importlib.util.find_spec("optuna") is None:
            continue
        if name == "compare":
            shutil.copytree(tmp_path / words[0], tmp_path / words[1])
        short = ["--epochs", "2"] if "--resume" in words else SHORT.get(name, [])
        run_command([name, *words, *short], tmp_path, environment)


def run_command(words, folder, environment):
    command = [sys.executable, "-m", "tfvae.cli", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as process:
        try:
            said = ""
            if words[0] in SERVERS:
                address = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)))
                with urllib.request.urlopen(address[0], timeout=60) as page:
                    said = page.read().decode()
                process.send_signal(signal.SIGINT)
            said += process.communicate(timeout=3600)[0]
        finally:
            process.kill()
    assert process.returncode == 0, f"{words}: {said[-3000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data", "explore", "mixed-precision", "performance", "serving", "tensorboard"])
def test_short_blocks_of_python_run(name, digits, tmp_path, monkeypatch):
    """Those of pages that go on with a model and data of the reader's."""
    monkeypatch.setattr(serving, "run_app", lambda app, port: None)
    shutil.copytree(ROOT / "saved_models", tmp_path / "saved_models")
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)])
    decoder = keras.Sequential([keras.layers.Dense(64), tfvae.layers.IndependentBernoulli((8, 8, 1))])
    vae = tfvae.models.VAE(encoder, decoder)
    vae.compile("adam")
    train = digits.train.take(200).batches(100, shuffle=True, binarize="dynamic", seed=0)
    vae.fit(train, verbose=0)
    test = digits.test.take(100).binarized(seed=0)
    known = {"split": digits.train, "keras": keras, "tf": tf, "tfvae": tfvae, "vae": vae, "train": train, "test": test}
    known |= {"encoder": encoder, "decoder": decoder, "splits": digits}
    parts = [code if is_python(code) else code.split("\n\n")[0] for _, code in blocks(f"docs/{name}.md")]
    code = [part for part in parts if is_python(part)]
    assert code
    with dtype_policy(keras.config.dtype_policy()):
        exec("\n".join(code), known)


def test_commands_are_found():
    """So that none of the tests above passes for want of commands."""
    assert len(COMMANDS) > 100
    assert {command.program for command in COMMANDS} == set(PROGRAMS)
