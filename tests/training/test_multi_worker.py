"""Several processes: the run of one, equal weights on all, one of them writes, and what a kill leaves."""

import json
import os

import numpy as np
import pytest
import replicas
import tensorflow as tf

import tfvae
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder
from tfvae.training.strategies import is_chief, make_strategy, resolver

slow = pytest.mark.slow


def assert_equal_weights(found, name):
    for other in found[1:]:
        for a, b in zip(other[name], found[0][name], strict=True):
            np.testing.assert_array_equal(a, b)


@slow
@pytest.mark.parametrize("num_workers", [2, 3])
def test_workers_make_the_run_of_one_process(num_workers, tmp_path):
    with replicas.Processes(replicas.workers, tmp_path, num_workers) as processes:
        found = processes.results()
    expected = replicas.fit_arrays()
    for one in found:
        replicas.assert_same_run(one["arrays"], expected)
    assert_equal_weights([one["arrays"] for one in found], "weights")
    for one in found:
        mine, theirs = one["parts"]
        assert [len(part) for part in mine] == [len(part) for part in theirs]
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    assert_equal_weights(found, "shuffled")
    assert [one["chief"] for one in found] == [True] + [False] * (num_workers - 1)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["written by 0"]


@slow
def test_workers_share_out_splits(tmp_path):
    split = tfvae.data.Split(replicas.X.astype("uint8"), num_levels=2)
    tfvae.data.write_shards(split, tmp_path / "shards", shard_size=15)
    with replicas.Processes(replicas.workers_more, tmp_path, 2) as processes:
        found = processes.results()
    expected = {"split": replicas.fit_split(), "shards": replicas.fit_split(data=tmp_path / "shards")}
    for name, run in expected.items():
        for one in found:
            replicas.assert_same_run(one[name], run)
    for one in found:
        for mine, theirs in zip(one["batches"], replicas.fit_batches(), strict=True):
            replicas.assert_same_run(mine, theirs)
        assert one["threads"] == max(1, len(os.sched_getaffinity(0)) // 2)


@slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_others_and_all_resume_from_the_backup(victim, tmp_path):
    with replicas.Processes(replicas.workers_back_up, tmp_path, 2) as processes:
        processes.wait_for(tmp_path / f"{victim} in epoch 4")
        processes.kill(victim)
        assert processes.popen[1 - victim].wait(600) != 0  # it does not hang
        assert "UnavailableError" in processes.log(1 - victim)
    for index in range(2):
        assert json.loads((tmp_path / f"backup-{index}" / "training_metadata.json").read_text())["epoch"] == 4
    for path in tmp_path.glob("* in epoch *"):
        path.unlink()
    with replicas.Processes(replicas.workers_back_up, tmp_path, 2) as processes:
        found = processes.results()
    assert not (tmp_path / "0 in epoch 3").exists()
    expected = replicas.fit_arrays(epochs=12)
    for one in found:
        for a, b in zip(one["weights"], expected["weights"], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert found[0]["steps"] == expected["steps"]


ARGUMENTS = [
    "train", "--data", "digits", "--epochs", "4", "--hidden", "8", "--batch-size", "10", "--checkpoint-steps", "50",
    "--num-importance-samples", "2", "--strategy", "multi_worker",
]  # fmt: skip


@slow
def test_tfvae_train_on_two_workers_goes_on_after_a_kill(tmp_path):
    """One writes; killed within an epoch and resumed, the run ends bit for bit as one that was not."""

    def start(name, arguments):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "arguments.json").write_text(json.dumps(arguments))
        return replicas.Processes(replicas.command, folder, 2)

    runs = [RunFolder(tmp_path / name) for name in ("whole", "killed")]
    with start("a", [*ARGUMENTS, "--run-dir", str(runs[0].path)]) as processes:
        processes.results()
        assert "log p(x)" in processes.log(0)
        assert "log p(x)" not in processes.log(1)
    with start("b", [*ARGUMENTS, "--run-dir", str(runs[1].path)]) as processes:
        processes.wait_for(runs[1].checkpoint(1, 100))
        for index in range(2):
            processes.kill(index)
    assert not runs[1].model.exists()
    with start("b", ["train", "--resume", str(runs[1].path)]) as processes:
        processes.results()
    for run in runs:
        assert run.report_json.exists()
        assert (run.saved_model / "saved_model.pb").exists()
        assert not list(run.path.rglob("*.partial*"))
    whole, killed = (tfvae.load_model(run.model) for run in runs)
    for a, b in zip(killed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    histories = [run.history() for run in runs]
    for name in histories[0].keys() - {"seconds"}:
        np.testing.assert_allclose(histories[1][name], histories[0][name], rtol=1e-5)  # sums in another order


def test_no_strategy_is_none_and_mirrored_is_all_devices():
    assert make_strategy("none") is None
    assert is_chief(None)
    strategy = make_strategy("mirrored")
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices())
    assert is_chief(strategy)


@pytest.mark.parametrize(
    ("hosts", "chosen", "slurm", "expected"),
    [
        (["a:1", "a:2"], None, False, 4),
        (["a:1", "b:1", "a:2", "a:3"], None, False, 2),
        (["a:1", "b:1"], None, False, None),
        ([f"a:{port}" for port in range(9)], None, False, 1),
        (["a:1", "a:2"], "3", False, None),
        (["a:1", "a:2"], None, True, None),
    ],
)
def test_workers_of_a_machine_share_its_cores(hosts, chosen, slurm, expected, monkeypatch):
    """Eight cores; the number of threads that a user has chosen is kept, and Slurm shares out the cores itself."""
    found = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", found.append)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda cluster_resolver: cluster_resolver)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if chosen:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", chosen)
    if slurm:
        variables = {"STEP_NUM_TASKS": "2", "STEP_NODELIST": "a", "STEP_TASKS_PER_NODE": "2", "PROCID": "0"}
        for name, value in variables.items():
            monkeypatch.setenv(f"SLURM_{name}", value)
    else:
        cluster = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": 0}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    make_strategy("multi_worker")
    assert found == ([] if expected is None else [expected])


@pytest.mark.parametrize("name", ["mirored", "multi worker", ""])
def test_other_names(name):
    with pytest.raises(ValueError, match="none, mirrored, multi_worker"):
        make_strategy(name)
    with pytest.raises(ValueError, match=r"training.strategy must be one of none, mirrored, multi_worker"):
        RunConfig.from_dict({"training": {"strategy": name}})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "worker 0",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_an_environment_that_does_not_tell_who_the_workers_are(text, monkeypatch):
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=r"(?s)TF_CONFIG.*Kubernetes.*Slurm") as error:
        make_strategy("multi_worker")
    assert '"index": 0' in str(error.value)


def test_slurm_tells_who_the_workers_are(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    variables = {"NUM_TASKS": "3", "NODELIST": "node[07-08]", "TASKS_PER_NODE": "2,1"}
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_STEP_{name}", value)
    monkeypatch.setenv("SLURM_PROCID", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = resolver()
    hosts = [address.split(":")[0] for address in found.cluster_spec().as_dict()["worker"]]
    assert hosts == ["node07", "node07", "node08"]
    assert (found.task_type, found.task_id) == ("worker", 2)
