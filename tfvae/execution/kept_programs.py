"""Programs that XLA compiled, which later processes use."""

import collections
import hashlib
import json
import os
import platform
import sys
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import _version, _xla_cache
from tfvae.execution.program_files import ProgramFiles

Program = Callable[..., Any]

# Settings of compilers and libraries that change what a program computes.
_PREFIXES = ("TF_", "XLA_", "OMP_", "MKL_", "KMP_", "ONEDNN_", "DNNL_", "LLVM_")
_NOT_SETTINGS = ("TF_CPP_", "TF_CONFIG")

_lock = threading.Lock()  # the folder in memory is that of all threads
_num_called: collections.Counter[str] = collections.Counter()  # by label


def called(new_program: Callable[[], Program], arguments: Any, label: str | None) -> tuple[Program, Any]:
    """Calls a new function that XLA compiles, with a kept program instead of a new one if there is one.

    TensorFlow uses a kept program only if its HLO, what XLA has to compile, is the same, byte for byte. If it refuses a
    program, the function is compiled as usual.

    The HLO contains a number, different for each function of a process. So the second function with a label chooses
    among the programs of second functions in earlier processes.

    Args:
        new_program: Returns a new `tf.function`. It is called again if TensorFlow refuses a program.
        arguments: Arguments of the function.
        label: The result of `label_of`. None compiles as usual.

    Returns:
        The function and its result.
    """
    processor = None if label is None or not _xla_cache.is_installed() else _processor()
    if label is None or processor is None:
        program = new_program()
        return program, program(*arguments)
    with _lock:
        _num_called[label] += 1
        files = ProgramFiles(_digest(_environment(processor)), _digest([label, _num_called[label]]))
        return _called(new_program, arguments, files)


def _called(new_program: Callable[[], Program], arguments: Any, files: ProgramFiles) -> tuple[Program, Any]:
    kept = files.read()
    _xla_cache.clear()
    try:
        for name, content in kept.items():
            _xla_cache.write(name, content)
        program = new_program()
        try:
            result = program(*arguments)
        except tf.errors.OpError:
            if not kept:
                raise
            # TensorFlow remembers the failure for a function.
            _xla_cache.clear()
            program = new_program()
            result = program(*arguments)
            files.remove(kept)
        for name in set(_xla_cache.names()) - set(kept):
            files.write(name, _xla_cache.read(name))
    finally:
        _xla_cache.clear()
    return program, result


def forget_others() -> None:
    """Frees the memory of programs that XLA has compiled for other functions, which are not kept."""
    if _xla_cache.is_installed() and _lock.acquire(blocking=False):  # otherwise the thread that has it will do it
        try:
            _xla_cache.clear()
        finally:
            _lock.release()


def label_of(graph: Any, *tensors: Any) -> str:
    """Returns a name for programs with the same operations and shapes, which are few.

    It only limits the number of programs to choose from.
    """
    operations = collections.Counter(operation.type for operation in graph.get_operations())
    shapes = [
        f"{leaf.dtype.name}{leaf.shape}" for leaf in [*graph.inputs, *tf.nest.flatten(tensors)] if leaf is not None
    ]
    return _digest([sorted(operations.items()), shapes])


def _environment(processor: str) -> dict[str, Any]:
    """Returns what a program depends on besides its HLO."""
    threads = tf.config.threading
    return {
        "versions": [
            sys.version,
            _version.__version__,
            tf.__version__,
            tf.version.GIT_VERSION,
            tf.version.COMPILER_VERSION,
        ]
        + [module.__version__ for module in (keras, tfp, np)],
        "processor": processor,
        "threads": [
            os.cpu_count(),
            len(os.sched_getaffinity(0)),
            threads.get_intra_op_parallelism_threads(),
            threads.get_inter_op_parallelism_threads(),
        ],
        "dtype_policy": keras.config.dtype_policy().name,
        "settings": sorted(
            (name, value)
            for name, value in os.environ.items()
            if name.startswith(_PREFIXES) and not name.startswith(_NOT_SETTINGS)
        ),
    }


def _processor() -> str | None:
    """Returns the name and the features of the processor. None if they are unknown."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n\n")[0].splitlines()
    except OSError:
        return None
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    kept = (
        "vendor_id",
        "cpu family",
        "model",
        "model name",
        "stepping",
        "flags",
        "CPU implementer",
        "CPU part",
        "Features",
    )
    found = [f"{name}: {fields[name]}" for name in kept if name in fields]
    return (
        "\n".join([platform.machine(), platform.system(), *found])
        if "flags" in fields or "Features" in fields
        else None
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
