"""Distribution strategies by name, and run folders of several workers."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae._freed_memory import keep_freed_memory
from tfvae.training.run_folder import RunFolder

_SET_TF_CONFIG = (
    "each worker needs its cluster and index in TF_CONFIG, for example the first of two workers:\n"
    '  TF_CONFIG=\'{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}\''
    "\nand the same with index 1 on the second worker. On Kubernetes, an operator for training jobs such as TFJob of "
    "Kubeflow sets it. With Slurm, start the workers with srun, which sets SLURM_PROCID and SLURM_STEP_* instead"
)


def make_strategy(name: str) -> tf.distribute.Strategy | None:
    """Creates a strategy by its name. Returns None for one process on one device.

    All workers must call it before any other operation of TensorFlow. It returns when all workers have called it.

    Args:
        name: "none", "mirrored" (all GPUs of this machine, or all logical CPU devices if there are none) or
            "multi_worker" (several processes, given by TF_CONFIG or the variables of Slurm).

    Raises:
        ValueError: If the name is unknown, or the environment does not define the workers.
    """
    if name == "none":
        return None
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        found = resolver()
        keep_freed_memory()  # with Slurm, importing tfvae has not done so
        if "TF_CONFIG" in os.environ:  # Slurm binds each task to its own cores
            _share_cores(found)
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=found)
    raise ValueError(f"strategy must be one of none, mirrored, multi_worker. Received: strategy={name!r}")


def resolver() -> Any:
    """Returns the cluster resolver from TF_CONFIG, or else from Slurm.

    Raises:
        ValueError: If neither defines the workers.
    """
    if "TF_CONFIG" in os.environ:
        _check_tf_config(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if "SLURM_STEP_NUM_TASKS" in os.environ:
        # Slurm restricts each task to its own GPUs (--gpus-per-task), so the resolver only counts the tasks.
        num_tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        found = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=num_tasks, gpus_per_task=1, auto_set_gpu=False
        )
        found.cluster_spec()  # sets the rank
        return found
    raise ValueError(f"TF_CONFIG is not set: with the strategy multi_worker {_SET_TF_CONFIG}.")


def _share_cores(found: Any) -> None:
    """Divides the cores of this machine among its workers, which would otherwise interrupt one another.

    The number of threads that a user has chosen is kept.
    """
    addresses = [address for job in found.cluster_spec().as_dict().values() for address in job]
    host = found.cluster_spec().task_address(found.task_type, found.task_id).rsplit(":", 1)[0]
    num_workers = sum(address.rsplit(":", 1)[0] == host for address in addresses)
    is_chosen = tf.config.threading.get_intra_op_parallelism_threads() or "TF_NUM_INTRAOP_THREADS" in os.environ
    if num_workers > 1 and not is_chosen:
        num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        tf.config.threading.set_intra_op_parallelism_threads(max(1, num_cores // num_workers))


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
    """Whether this process writes the results: the first worker, or the only process."""
    found = getattr(strategy, "cluster_resolver", None)
    if found is None or found.task_type == "chief":
        return True
    return int(found.task_id or 0) == 0 and "chief" not in found.cluster_spec().jobs


def scope(strategy: tf.distribute.Strategy | None) -> Any:
    """Returns the context in which models must be created."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


@contextlib.contextmanager
def worker_folder(strategy: tf.distribute.Strategy | None, folder: RunFolder) -> Iterator[RunFolder]:
    """Yields the run folder for the chief, and a temporary copy for each other worker, which is removed at the end.

    All workers therefore run the same code, also for resuming and rewinding, but only the results of the chief are
    kept. They start and end together.
    """
    if is_chief(strategy):
        _barrier(strategy)  # the other workers have made their copies
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="tfvae-worker-") as temporary:
            own = RunFolder(Path(temporary) / "run")
            if folder.config.exists():
                ignored = shutil.ignore_patterns("figures", "saved_model", "tensorboard", ".*")
                shutil.copytree(folder.path, own.path, ignore=ignored)
            _barrier(strategy)
            yield own
    _barrier(strategy)  # a worker that exits early would count as failed


def _barrier(strategy: tf.distribute.Strategy | None) -> None:
    """Waits for the other workers."""
    if strategy is None:
        return

    def arrive() -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.ones([]))

    tf.function(lambda: strategy.run(arrive), autograph=False)()
