"""The commands as a user types them: what they write, and what they say when something is wrong."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf
from small_models import few_signatures, without_views, without_xla

import tfvae
from tfvae._npz import NpzWriter
from tfvae._seeds import fold_in, stateless_seed
from tfvae.cli.app import main
from tfvae.export import program
from tfvae.export.manifest import write_source
from tfvae.models.queries import ancestral_sample, reconstruction
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder
from tfvae.training.run_program import program_of_run

TRAIN = ("--hidden", "16,8", "--epochs", "3", "--num-importance-samples", "10")


@contextlib.contextmanager
def written_to(folder):
    """What this process says, also below Python, goes to the files `out` and `err`."""
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        kept = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                yield
        finally:
            for descriptor, into in zip(kept, (1, 2), strict=True):
                os.dup2(descriptor, into)
                os.close(descriptor)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run that this process has trained, with what was said meanwhile."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch, without_xla(), few_signatures(), without_views(), written_to(folder):
        patch.setattr(sys, "argv", ["tfvae", "train", "--run-dir", str(folder / "run"), *TRAIN])
        with pytest.raises(SystemExit) as stop:
            main()
    assert not stop.value.code, (folder / "err").read_text()
    return folder / "run", (folder / "out").read_text(), (folder / "err").read_text()


def check_what_is_said(path, out, err):
    assert err == ""  # nothing but what we print, TensorFlow's start-up messages included
    for word in ("epoch 3/3", "examples/s", "ELBO", "log-lik", "KL", "left", "test ELBO", "nats", "bits per dimension"):
        assert word in out
    assert "10 importance samples" in out
    assert "±" in out
    for place in ("report.md", "figures", "model.keras", "saved_model", "tensorboard --logdir"):
        assert place in out
    assert tfvae.load_model(path / "model.keras").encoder.layers[0].layers[1].units == 16


def test_train_says_how_it_goes_and_where_things_are(run_folder):
    check_what_is_said(*run_folder)


@pytest.mark.slow
def test_a_process_that_trains_says_nothing_else(tmp_path):
    command = [sys.executable, "-m", "tfvae.cli", "train", "--run-dir", str(tmp_path / "run"), *TRAIN]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    check_what_is_said(tmp_path / "run", result.stdout, result.stderr)


@pytest.mark.slow
def test_evaluate_writes_the_report_anew(run_folder, tfvae_command):
    path, *_ = run_folder
    before = json.loads((path / "report.json").read_text())
    code, out, _ = tfvae_command("evaluate", path, "--num-importance-samples", 33, "--num-examples", 3)
    assert code == 0
    assert "33 importance samples" in out
    after = json.loads((path / "report.json").read_text())
    assert after["log_marginal"]["num_importance_samples"] == 33
    assert after["elbo"] == before["elbo"]


def test_sample(run_folder, tfvae_command, tmp_path):
    path, *_ = run_folder
    assert tfvae_command("sample", path, "-n", 12, "--seed", 5, "-o", tmp_path / "a.npz")[0] == 0
    assert tfvae_command("sample", path, "-n", 12, "--seed", 5, "-o", tmp_path / "b.npz")[0] == 0
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert a["mean"].shape == a["sample"].shape == (12, 8, 8, 1)
        assert set(np.unique(a["sample"])) <= {0.0, 1.0}
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])
    assert matplotlib.image.imread(tmp_path / "a.png").std() > 0.02


def test_reconstruct_and_encode_default_to_the_test_split(run_folder, tfvae_command):
    path, *_ = run_folder
    assert tfvae_command("reconstruct", path, "-n", 7)[0] == 0
    with np.load(path / "reconstructions.npz") as found:
        x = tfvae.data.load("digits").test.thresholded().x
        np.testing.assert_array_equal(found["x"], x[:7])
        assert found["mean"].shape == (7, 8, 8, 1)
    assert (path / "reconstructions.png").exists()
    assert tfvae_command("encode", path)[0] == 0
    with np.load(path / "latents.npz") as found:
        assert found["mean"].shape == found["stddev"].shape == found["z"].shape == (360, 10)
        np.testing.assert_array_equal(found["labels"], tfvae.data.load("digits").test.labels)
        vae = tfvae.load_model(path / "model.keras")
        np.testing.assert_allclose(found["mean"], vae.encode(x).mean(), rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def exported(run_folder, tmp_path_factory):
    """A copy of the run with all signatures, and the Keras model."""
    copy = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(run_folder[0], copy)
    vae = tfvae.load_model(copy / "model.keras")
    tfvae.export.save(vae, copy / "saved_model", overwrite=True)
    write_source(copy / "saved_model", copy / "model.keras")
    return copy, vae


DRAWS = [("sample", "-n", 1200, "--seed", 3), ("encode", "--seed", 2**40), ("reconstruct", "--split", "train")]


@pytest.mark.parametrize(
    ("library", "arguments"),
    [
        *(("alone", each) for each in DRAWS),
        ("imported", DRAWS[0]),
        *(pytest.param("imported", each, marks=pytest.mark.slow) for each in DRAWS[1:]),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_savedmodel_draws_what_the_keras_model_draws(
    exported, library, arguments, tfvae_command, tmp_path, monkeypatch
):
    path, _ = exported
    with monkeypatch.context() as patch:
        if library == "imported":
            patch.setattr(program, "library", lambda: None)
        patch.setattr("tfvae.cli.commands.draws.load_run", None)  # the Keras model is not loaded
        code, out, err = tfvae_command(*arguments[:1], path, *arguments[1:], "-o", tmp_path / "a.npz")
    assert (code, err) == (0, "")
    with monkeypatch.context() as patch:
        patch.setattr("tfvae.cli.commands.program_draws.program_of_run", lambda *arguments: None)
        other = tfvae_command(*arguments[:1], path, *arguments[1:], "-o", tmp_path / "b.npz")[1]
    assert out.replace("a.npz", "b.npz").replace("a.png", "b.png") == other
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert a.files == b.files
        for name in a.files:
            assert a[name].dtype == b[name].dtype
            np.testing.assert_allclose(a[name], b[name], rtol=1e-6, atol=1e-6)
    if arguments[0] != "encode":
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def outdated(path):
    vae = tfvae.load_model(path / "model.keras")
    vae.decoder.weights[0].assign(vae.decoder.weights[0] + 1.0)
    vae.save(path / "model.keras")


def without_model(path):
    (path / "model.keras").rename(path / "checkpoints" / "epoch-00009.keras")


def damaged(path):
    variables = path / "saved_model/variables/variables.data-00000-of-00001"
    variables.write_bytes(variables.read_bytes()[:-1] + b"x")


def of_earlier_version(path):
    shutil.rmtree(path / "saved_model")
    tfvae.export.save(tfvae.load_model(path / "model.keras"), path / "saved_model")


@pytest.mark.parametrize(
    "change", [outdated, without_model, damaged, pytest.param(of_earlier_version, marks=pytest.mark.slow)]
)
def test_a_savedmodel_that_is_not_of_the_model_is_not_used(change, exported, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(exported[0], copy)
    assert program_of_run(RunFolder(copy)) is not None
    change(copy)
    assert program_of_run(RunFolder(copy)) is None


def test_data_that_the_model_refuses_are_refused_as_without_a_savedmodel(exported, tfvae_command, tmp_path):
    path, _ = exported
    np.save(tmp_path / "wide.npy", np.zeros([4, 9, 9], "uint8"))
    np.save(tmp_path / "large.npy", np.full([4, 8, 8, 1], 2.0, "float32"))
    code, _, err = tfvae_command("encode", path, tmp_path / "wide.npy", "-o", tmp_path / "a.npz")
    assert (code, "Received: x of event shape (9, 9, 1)" in err) == (1, True)
    code, _, err = tfvae_command("encode", path, tmp_path / "large.npy", "-o", tmp_path / "a.npz")
    assert code == 1
    assert not (tmp_path / "a.npz").exists()


def test_encode_takes_own_data_whole_and_in_order(run_folder, tfvae_command, tmp_path):
    path, *_ = run_folder
    x = (np.random.default_rng(0).random((11, 8, 8)) > 0.5).astype("uint8")
    labels = np.arange(11) % 3
    np.savez(tmp_path / "own.npz", x=x, labels=labels)
    assert tfvae_command("encode", path, tmp_path / "own.npz", "-o", tmp_path / "z.csv")[0] == 0
    vae = tfvae.load_model(path / "model.keras")
    table = np.genfromtxt(tmp_path / "z.csv", delimiter=",", names=True)
    mean = vae.encode(x[..., None].astype("float32")).mean()
    np.testing.assert_allclose(np.stack([table[f"mean_{i}"] for i in range(10)], axis=1), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(table["labels"], labels)


@pytest.mark.slow
def test_export_to_another_place(run_folder, tfvae_command, tmp_path):
    path, *_ = run_folder
    assert tfvae_command("export", path, "-o", tmp_path / "served")[0] == 0
    assert "encode" in tf.saved_model.load(str(tmp_path / "served")).signatures
    code, _, err = tfvae_command("export", path, "-o", tmp_path / "served")
    assert code == 1
    assert "served" in err


@pytest.mark.parametrize(
    ("target", "package", "files"),
    [
        (
            "litert",
            "ai_edge_quantizer",
            [f"{p}/{n}.tflite" for n in ("encoder", "decoder") for p in ("float32", "int8")],
        ),
        pytest.param("onnx", "tf2onnx", ["encoder.onnx", "decoder.onnx"], marks=pytest.mark.slow),
    ],
)
def test_export_to_other_runtimes(run_folder, tfvae_command, target, package, files):
    pytest.importorskip(package, reason=f"needs the extra {target}: pip install 'tfvae[{target}]'")
    path, *_ = run_folder
    before = path / target / ("float16/encoder.tflite" if target == "litert" else "old.onnx")
    before.parent.mkdir(parents=True)
    before.write_bytes(b"old")  # what is in the run folder already is replaced
    precision = ["--precision", "float32,int8"] if target == "litert" else []
    code, out, err = tfvae_command("export", path, "--to", target, *precision)
    assert (code, err) == (0, "")  # nothing of what the converters print
    assert not before.exists()
    assert f"files: {path / target}\n" in out
    assert "718 training examples" in out
    for word in ("size", "largest", "max off", "mean off", "loc", "scale", "mean", "KiB", *files):
        assert word in out
    manifest = tfvae.export.read_manifest(path / target)
    about = {"MODEL_CARD.md", *(f"figures/{figure.name}" for figure in (path / "figures").glob("*.png"))}
    assert sorted(set(manifest["files"]) - about) == sorted(files)
    assert (path / target / "MODEL_CARD.md").read_text() == manifest["card"]
    assert manifest["about"]["data"]["name"] == "digits"
    x = tfvae.data.load("digits").train.thresholded().x[1::2]
    mean = tfvae.load_model(path / "model.keras").encode(x).mean().numpy()
    assert manifest["measured"]["deviations"][0]["largest"] == pytest.approx(np.abs(mean).max(), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--to", "coreml"], 2, ["coreml", "saved-model", "litert", "onnx"]),
        (["--precision", "int8"], 1, ["--precision requires --to litert"]),
        (["--to", "onnx", "--precision", "int8"], 1, ["--precision requires --to litert"]),
        (["--to", "litert", "--precision", "int4"], 1, ["float32, float16, int8", "int4"]),
    ],
)
def test_export_refuses_what_it_does_not_know(run_folder, tfvae_command, tmp_path, arguments, code, words):
    found, _, err = tfvae_command("export", run_folder[0], "-o", tmp_path / "m", *arguments)
    assert found == code
    assert all(word in " ".join(err.split()) for word in words)
    assert not (tmp_path / "m").exists()


def test_export_to_litert_without_the_training_data(run_folder, tfvae_command, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    for name in ("config.toml", "model.keras"):
        shutil.copy(run_folder[0] / name, path)
    config = (path / "config.toml").read_text()
    (path / "config.toml").write_text(config.replace('name = "digits"', 'name = "gone.npz"'))
    code, _, err = tfvae_command("export", path, "--to", "litert")
    assert code == 1
    assert "The training data of the run, gone.npz, cannot be read" in err
    assert not (path / "litert").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--data", "mnits"], ["mnits", "digits", "mnist", "tfds:NAME", ".npz"]),
        (["train", "--data", "missing.npz"], ["missing.npz"]),
        (["train", "--latent-size", "0"], ["latent_size", "from 1 to"]),
        (["train", "--network", "cnn"], ["conv, resnet", "cnn"]),
        (["train", "--config", "none.toml"], ["none.toml"]),
        (["train", "--resume", "nowhere"], ["nowhere", "not a run folder"]),
        (["train", "--resume", "nowhere", "--latent-size", "3"], ["--epochs"]),
        (["evaluate", "nowhere"], ["nowhere", "not a run folder", "tfvae train"]),
        (["train", "--data", "frey_face"], ["TFVAE_DATA_DIR"]),
        (["train", "--data", "a/b.tfrecord"], ["b.tfrecord", "folder", "tfvae data shard"]),
        (["data", "shard", "mnits", "shards"], ["mnits", "mnist"]),
        (["data", "shard", "none.npy", "shards"], ["none.npy"]),
    ],
)
def test_bad_arguments_are_one_message_exit_one_and_an_untouched_disk(
    arguments, words, tfvae_command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFVAE_DATA_DIR", raising=False)
    code, _, err = tfvae_command(*arguments)
    assert code == 1
    assert err.startswith("error: ")
    assert "Traceback" not in err
    for word in words:
        assert word in err
    assert list(tmp_path.iterdir()) == []


def test_unreachable_download_says_both_ways_out(tfvae_command, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    code, _, err = tfvae_command("train", "--data", "tfds:cifar10")
    assert code == 1
    assert "TFDS_DATA_DIR" in err
    assert list(tmp_path.iterdir()) == []


def test_existing_run_is_refused_and_kept(run_folder, tfvae_command):
    path, *_ = run_folder
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    code, _, err = tfvae_command("train", "--run-dir", path)
    assert code == 1
    assert "--resume" in err
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before


def test_damaged_model_is_one_message(run_folder, tfvae_command, tmp_path):
    path, *_ = run_folder
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_bytes((path / "config.toml").read_bytes())
    (run / "model.keras").write_bytes((path / "model.keras").read_bytes()[:5000])
    code, _, err = tfvae_command("sample", run)
    assert code == 1
    assert "model.keras" in err
    assert "damaged" in err


def test_data_of_another_shape_is_one_message(run_folder, tfvae_command, tmp_path):
    path, *_ = run_folder
    np.save(tmp_path / "x.npy", np.zeros((5, 9, 8), "uint8"))
    code, _, err = tfvae_command("encode", path, tmp_path / "x.npy", "-o", tmp_path / "z.npz")
    assert code == 1
    assert "(9, 8, 1)" in err
    assert not (tmp_path / "z.npz").exists()


def test_an_output_of_an_unknown_kind_is_refused_at_once(tfvae_command, tmp_path):
    code, _, error = tfvae_command("encode", tmp_path / "no run", "-o", tmp_path / "x.xlsx")
    assert code == 1
    assert "--output must end in .npz or .csv" in error


def test_help_says_every_default(tfvae_command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    code, out, _ = tfvae_command("train", "--help")
    assert code == 0
    plain = RunConfig.from_dict({"data": {"name": "mnist"}})
    plain_text = " ".join(out.replace("│", " ").split())
    said = {}
    for part in re.split(r" (?=--[a-z])", plain_text)[1:]:
        found = re.search(r"\[default: \((.*)\)\]", part)
        if found:
            said[part.split()[0].strip("-").replace("-", "_")] = found[1]
    settings = {name: value for table in plain.to_dict().values() for name, value in table.items()}
    settings |= {"data": "digits", "num_samples": plain.training.num_samples}
    for name, text in said.items():
        if name in settings:
            value = settings[name]
            value = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            assert re.split("[;,] ", text)[0] in (value, f"{value:.3}".removesuffix(".0"), "mlp: tanh"), name
    digits = RunConfig.from_dict()
    assert f"digits: {digits.model.latent_size}" in said["latent_size"]
    assert f"digits: {digits.training.learning_rate}" in said["learning_rate"]
    assert str(digits.training.epochs) in said["epochs"]
    assert {"hidden", "network", "likelihood", "binarize", "kl", "beta", "seed", "batch_size", "on_nan"} <= set(said)


def test_help_and_version_do_not_import_tensorflow():
    code = (
        "import sys; sys.argv = ['tfvae', {!r}]\n"
        "from tfvae.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: pass\n"
        "heavy = {{'tensorflow', 'keras', 'numpy', 'matplotlib', 'sklearn'}} & set(sys.modules)\n"
        "sys.exit(f'imported {{heavy}}' if heavy else 0)"
    )
    for option in ("--help", "--version"):
        result = subprocess.run([sys.executable, "-c", code.format(option)], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip()


@pytest.mark.slow
def test_interrupt_says_how_to_go_on(tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tfvae.cli", "train", "--epochs", "400", "--hidden", "8", "--run-dir", str(run)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 240
        while (
            not list(run.glob("checkpoints/epoch-*.keras")) and time.monotonic() < deadline and process.poll() is None
        ):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "interrupted" in err
    assert f"--resume {run}" in err.replace("\n", "")
    assert "Traceback" not in err


def test_nan_says_what_to_do_and_that_there_is_no_checkpoint(tfvae_command, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(300, 4)).astype("float32"))
    arguments = ["train", "--data", tmp_path / "x.npy", "--run-dir", tmp_path / "run", "--learning-rate", "1e30"]
    with without_xla():
        code, _, err = tfvae_command(*arguments, "--hidden", "8", "--epochs", "3")
    assert code == 1
    assert "step" in err
    assert "no checkpoint yet" in err


@pytest.mark.slow
def test_rewinds_keep_and_strategy_are_options(tfvae_command, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(300, 4)).astype("float32"))
    run = tmp_path / "run"
    arguments = ["train", "--data", tmp_path / "x.npy", "--run-dir", run, "--hidden", "8"]
    options = ["--epochs", "4", "--keep", "1", "--on-nan", "rewind", "--strategy", "mirrored"]
    assert tfvae_command(*arguments, *options)[0] == 0
    kept = [path for _, path in RunFolder(run).saved_checkpoints()]
    assert len(kept) <= 2  # the newest, and the best
    assert kept[-1].name == "epoch-00004.keras"
    code, out, err = tfvae_command("train", "--resume", run, "--epochs", "6", "--learning-rate", "1e30")
    assert code == 1
    assert "rewind 1 of at most 5" in out
    assert "rewind 5 of at most 5" in out
    assert kept[-1].exists()
    assert "--resume" in err


def test_data_shard_of_a_table(tfvae_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{i * i % 17 / 7},{i % 13 / 3},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "table.csv").write_text("\n".join(["one,two,kind", *lines]))
    words = ("--condition", "kind", "--columns", "one=ignored", "--shard-size", 20)
    code, out, _ = tfvae_command("data", "shard", "table.csv", "shards", *words)
    assert code == 0
    assert "table/train: 48 examples" in out
    assert "one     ignored" in out
    assert "tfvae train --data shards --condition kind" in out
    train = tfvae.data.load(tmp_path / "shards", condition="kind").train
    assert (train.event_shape, train.condition_names, len(train.files)) == ((1,), ("a", "b"), 3)
    code, _, err = tfvae_command("data", "shard", "table.csv", "other", "--label", "gone")
    assert code != 0
    assert "has no column 'gone'" in err
    assert not (tmp_path / "other").exists()


def test_data_shard(tfvae_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = tfvae_command("data", "shard", "digits", "shards", "--shard-size", 600)
    assert code == 0
    assert "digits/train: 1,437 examples" in out
    assert "tfvae train --data shards" in out
    splits = tfvae.data.load(tmp_path / "shards")
    assert (len(splits.train.files), splits.num_levels) == (3, 17)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "shards").iterdir()}
    code, _, err = tfvae_command("data", "shard", "digits", "shards")
    assert code == 1
    assert "exists already" in err
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "shards").iterdir()} == before


def test_data_shard_of_an_array_on_disk(tfvae_command, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (60, 5, 4), np.uint8)
    np.save(tmp_path / "x.npy", x)
    assert tfvae_command("data", "shard", tmp_path / "x.npy", tmp_path / "shards", "--seed", 2)[0] == 0
    splits = tfvae.data.load(tmp_path / "shards")
    assert splits.name == "x"
    parts = [split.take(60).raw for split in (splits.train, splits.validation, splits.test)]
    assert [len(part) for part in parts] == [48, 6, 6]
    assert sorted(map(bytes, np.concatenate(parts))) == sorted(map(bytes, x))


@pytest.mark.slow
def test_shards_in_the_other_commands(run_folder, tfvae_command, tmp_path):
    path, *_ = run_folder
    tfvae.data.write_shards(tfvae.data.load("digits"), tmp_path / "shards", shard_size=400)
    encode = ["encode", path, tmp_path / "shards", "--split", "train", "-o", tmp_path / "z.npz"]
    assert tfvae_command(*encode)[0] == 0
    with np.load(tmp_path / "z.npz") as found:
        train = tfvae.data.load(tmp_path / "shards").train.take(1437).thresholded()
        np.testing.assert_array_equal(found["labels"], train.labels)
        vae = tfvae.load_model(path / "model.keras")
        np.testing.assert_allclose(found["mean"], vae.encode(train.x).mean(), rtol=1e-5, atol=1e-6)
    reconstruct = ["reconstruct", path, tmp_path / "shards", "--split", "train", "-o", tmp_path / "r.npz"]
    for number, options in ((9, ["-n", 9]), (501, ["-n", 501]), (1437, [])):
        assert tfvae_command(*reconstruct, *options)[0] == 0
        with np.load(tmp_path / "r.npz") as found:
            np.testing.assert_array_equal(found["x"], train.x[:number])


def in_batches_of_500(num):
    return enumerate(slice(start, min(start + 500, num)) for start in range(0, num, 500))


@pytest.mark.slow
def test_what_is_written_in_parts_is_what_the_model_says(run_folder, tfvae_command, tmp_path):
    """Against the model's own methods, one batch after another, joined in memory."""
    path, *_ = run_folder
    assert tfvae_command("sample", path, "-n", 1203, "--seed", 5, "-o", tmp_path / "sample.npz")[0] == 0
    for command in ("reconstruct", "encode"):
        options = ["--split", "train", "--seed", 5, "-o", tmp_path / command]
        assert tfvae_command(command, path, *options)[0] == 0
    vae, train = tfvae.load_model(path / "model.keras"), tfvae.data.load("digits").train.thresholded()
    samples, reconstructions, codes = [], [], []
    for i, rows in in_batches_of_500(1203):
        drawn = ancestral_sample(
            vae.prior.distribution(), vae.generate, rows.stop - rows.start, seed=fold_in(5, i) if i else 5
        )
        samples.append({"z": drawn.z, "mean": drawn.mean(), "sample": drawn.sample()})
    for i, rows in in_batches_of_500(len(train)):
        x, seed = train.x[rows], fold_in(5, i) if i else stateless_seed(5)
        posterior = vae.encode(x)
        z = posterior.sample(seed=seed)
        codes.append({"mean": posterior.mean(), "stddev": posterior.stddev(), "z": z, "labels": train.labels[rows]})
        decoded = reconstruction(posterior, vae.generate, seed=seed)
        np.testing.assert_array_equal(decoded.z, z)
        reconstructions.append({"x": x, "mean": decoded.mean(), "sample": decoded.sample()})
    for name, parts in (("sample", samples), ("reconstruct", reconstructions), ("encode", codes)):
        with np.load(tmp_path / f"{name}.npz") as found:
            assert found.files == list(parts[0])
            for array in found.files:
                expected = np.concatenate([part[array] for part in parts])
                assert found[array].dtype == expected.dtype
                np.testing.assert_allclose(found[array], expected, rtol=1e-5, atol=1e-6, err_msg=f"{name}: {array}")


def test_batches_of_every_size_are_one_program(run_folder, tfvae_command, tmp_path, monkeypatch):
    path, *_ = run_folder
    calls = []

    def counted(name):
        method = getattr(tfvae.models.VAE, name)
        return lambda self, *arguments, **options: calls.append(name) or method(self, *arguments, **options)

    for name in ("infer", "generate"):
        monkeypatch.setattr(tfvae.models.VAE, name, counted(name))
    for arguments, expected in (
        (["sample", path, "-n", 1203], ["generate"]),
        (["reconstruct", path, "--split", "train"], ["infer", "generate"]),
        (["encode", path, "--split", "train"], ["infer"]),
    ):
        calls.clear()
        assert tfvae_command(*arguments, "-o", tmp_path / "a.npz")[0] == 0
        assert calls == expected


GROWTH = """
import sys
from pathlib import Path
from tfvae.cli.commands import draws

def memory(name):
    return 1024 * next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith(name))

run, output = map(Path, sys.argv[1:])
draws.sample(run, 1000, None, None, 0, output)  # what every run of it needs
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # lets the high-water mark begin anew
draws.sample(run, 200_000, None, None, 0, output)
print("growth", memory("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.slow
def test_memory_does_not_grow_with_what_is_written(run_folder, tmp_path):
    path, *_ = run_folder
    arguments = [sys.executable, "-c", GROWTH, path, tmp_path / "a.npz"]
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=True)
    with np.load(tmp_path / "a.npz") as found:
        num_bytes = sum(found[name].nbytes for name in found.files)
    assert num_bytes == 200_000 * (2 + 64 + 64) * 4
    assert int(result.stdout.split()[-1]) < num_bytes / 4


def test_a_sample_that_is_interrupted_leaves_what_there_was(run_folder, tfvae_command, tmp_path, monkeypatch):
    path, *_ = run_folder
    (tmp_path / "a.npz").write_bytes(b"old")
    batches = iter(range(2))

    def interrupted(self, **parts):
        if next(batches, None) is None:
            raise KeyboardInterrupt
        add(self, **parts)

    add = NpzWriter.add
    monkeypatch.setattr(NpzWriter, "add", interrupted)
    assert tfvae_command("sample", path, "-n", 2000, "-o", tmp_path / "a.npz")[0] != 0
    assert (tmp_path / "a.npz").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]
