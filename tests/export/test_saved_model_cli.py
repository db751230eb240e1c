"""TensorFlow's own command line reads and runs an exported model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SEED = np.array([3, 4], np.int32)


@pytest.mark.slow
def test_show_and_run(image_model, image_vae, images, tmp_path):
    """All runs at once: each is a process that imports TensorFlow."""
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "seed.npy", SEED)
    runs = {
        "decode": ["--input_exprs", "z=[[0.0,0.0,0.0],[1.0,2.0,3.0]];seed=[3,4]"],
        "sample": ["--input_exprs", "num_samples=5;seed=[3,4]"],
        "reconstruct": ["--inputs", f"x={tmp_path / 'x.npy'};seed={tmp_path / 'seed.npy'}"],
    }
    executable = Path(sys.executable).with_name("saved_model_cli")
    commands = {"show": [executable, "show", "--dir", image_model, "--all"]}
    for name, inputs in runs.items():
        (tmp_path / name).mkdir()
        commands[name] = [executable, "run", "--dir", image_model, "--tag_set", "serve", "--signature_def", name]
        commands[name] += [*inputs, "--outdir", tmp_path / name]
    processes = {
        name: subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name, command in commands.items()
    }
    results = {}
    for name, process in processes.items():
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()[-3000:]
        results[name] = output.decode()

    text = results["show"]
    for signature in ("encode", "decode", "reconstruct", "serving_default", "sample", "elbo", "log_marginal"):
        assert f"signature_def['{signature}']" in text
    for tensor in ("inputs['x']", "inputs['z']", "inputs['num_samples']", "inputs['seed']", "outputs['log_marginal']"):
        assert tensor in text

    mean = np.load(tmp_path / "decode" / "mean.npy")
    np.testing.assert_allclose(mean, image_vae.decode([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]).mean(), rtol=1e-5, atol=1e-5)
    sample = np.load(tmp_path / "sample" / "sample.npy")
    np.testing.assert_array_equal(sample, image_vae.sample(5, seed=SEED))
    mean = np.load(tmp_path / "reconstruct" / "mean.npy")
    np.testing.assert_allclose(mean, image_vae.reconstruct(images, seed=SEED), rtol=1e-5, atol=1e-5)
