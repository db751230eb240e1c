"""Distribution strategies by name, and which of several workers writes."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae.training.run_folder import RunFolder

_SET_TF_CONFIG = (
    "each worker needs its place among them in TF_CONFIG, for example, of two workers the first:\n"
    '  TF_CONFIG=\'{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}\''
    "\nand the same with index 1 on the second. On Kubernetes an operator for training jobs sets it (TFJob of "
    "Kubeflow's trainer); under Slurm start the workers with srun, whose SLURM_PROCID and SLURM_STEP_* are read "
    "instead"
)


def make_strategy(name: str) -> tf.distribute.Strategy | None:
    """The strategy of a name; None for one process on one device.

    Of several workers all have to call it, before anything else of TensorFlow; it returns when all have.

    Args:
        name: "none"; "mirrored" (all GPUs of this machine, or all logical CPU devices where there is none); or
            "multi_worker" (several processes, of which TF_CONFIG or Slurm's variables tell).

    Raises:
        ValueError: for another name, or when the environment does not tell who the workers are.
    """
    if name == "none":
        return None
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver())
    raise ValueError(f"strategy must be one of none, mirrored, multi_worker. Received: {name!r}.")


def resolver() -> Any:
    """Who the workers are: what TF_CONFIG says, or else Slurm.

    Raises:
        ValueError: when neither says it.
    """
    if "TF_CONFIG" in os.environ:
        _check_tf_config(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if "SLURM_STEP_NUM_TASKS" in os.environ:
        # Slurm itself shows each task its own GPUs (--gpus-per-task); the resolver only has to count the tasks.
        num_tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        found = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=num_tasks, gpus_per_task=1, auto_set_gpu=False
        )
        found.cluster_spec()  # the rank is known after it
        return found
    raise ValueError(f"TF_CONFIG is not set: with the strategy multi_worker {_SET_TF_CONFIG}.")


def _check_tf_config(text: str) -> None:
    try:
        found = json.loads(text)
        task = found["task"]
        address = found["cluster"][task["type"]][task["index"]]
        valid = task["type"] in ("chief", "worker") and isinstance(address, str) and task["index"] >= 0
    except (ValueError, KeyError, IndexError, TypeError):
        valid = False
    if not valid:
        raise ValueError(f"TF_CONFIG does not describe a worker: {_SET_TF_CONFIG}. Received: TF_CONFIG={text!r}.")


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether this process is the one that writes: the first worker, or the only process."""
    found = getattr(strategy, "cluster_resolver", None)
    if found is None or found.task_type == "chief":
        return True
    return int(found.task_id or 0) == 0 and "chief" not in found.cluster_spec().jobs


def scope(strategy: tf.distribute.Strategy | None) -> Any:
    """Where models have to be made."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


@contextlib.contextmanager
def worker_folder(strategy: tf.distribute.Strategy | None, folder: RunFolder) -> Iterator[RunFolder]:
    """The chief's folder is the run's; each other worker gets a temporary copy, which is removed in the end.

    So all workers do the same, going on and rewinding too, and one writes what stays. They begin and end together.
    """
    if is_chief(strategy):
        _meet(strategy)  # not before the others have their copies
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="tfvae-worker-") as temporary:
            own = RunFolder(Path(temporary) / "run")
            if folder.config.exists():
                strangers = shutil.ignore_patterns("figures", "saved_model", "tensorboard", ".*")
                shutil.copytree(folder.path, own.path, ignore=strangers)
            _meet(strategy)
            yield own
    _meet(strategy)  # a worker that left would be taken for a lost one


def _meet(strategy: tf.distribute.Strategy | None) -> None:
    """Waits for the other workers."""
    if strategy is None:
        return

    def arrive() -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.ones([]))

    tf.function(lambda: strategy.run(arrive), autograph=False)()
