"""A folder in memory through which XLA's compiled programs enter and leave TensorFlow.

TensorFlow can keep the programs that XLA compiles for processors in a folder, but a damaged or full folder would then
make compilation fail. So the folder is one in the memory of the process. Programs are copied from it to files, and from
files to it, only after they were checked: see `tfvae.execution.kept_programs`.
"""

import contextlib
import logging
import os

import tensorflow as tf

_log = logging.getLogger("tfvae")

FOLDER = "ram://tfvae-programs"

_VARIABLE = "TF_XLA_FLAGS"
_OPTION = "tf_xla_persistent_cache"
_SUFFIX = ".pb"  # of a program that TensorFlow has written to its end
_state = {"is_installed": False}


def install() -> None:
    """Lets TensorFlow use the folder, unless `TFVAE_KEEP_PROGRAMS` is 0 or the user has set a folder.

    It has no effect if TensorFlow has already run an operation, because it reads the setting once. A version of
    TensorFlow that cannot be told to read it now keeps no programs.
    """
    before = os.environ.get(_VARIABLE)
    if not is_wanted() or _OPTION in (before or ""):
        return
    os.environ[_VARIABLE] = f"{before or ''} --{_OPTION}_directory={FOLDER} --{_OPTION}_device_types=CPU"
    try:
        _read_flags()
        _state["is_installed"] = True
    except (ImportError, AttributeError) as error:
        _log.info("Compiled programs are not kept, because this version of TensorFlow is unknown: %s", error)
    finally:  # other processes that this one starts have their own
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def is_installed() -> bool:
    """Whether programs of this process can be kept."""
    return _state["is_installed"] and is_wanted()


def is_wanted() -> bool:
    """Whether the environment variable `TFVAE_KEEP_PROGRAMS` permits it."""
    return os.environ.get("TFVAE_KEEP_PROGRAMS", "1").lower() not in ("0", "false", "no", "off")


def names() -> list[str]:
    """Returns the names of the programs in the folder, without those that another thread is writing."""
    found = tf.io.gfile.listdir(FOLDER) if tf.io.gfile.exists(FOLDER) else []
    return [name for name in found if name.endswith(_SUFFIX)]


def read(name: str) -> bytes:
    """Returns a program as TensorFlow wrote it."""
    with tf.io.gfile.GFile(f"{FOLDER}/{name}", "rb") as file:
        return file.read()


def write(name: str, program: bytes) -> None:
    """Gives a program to TensorFlow."""
    tf.io.gfile.makedirs(FOLDER)
    with tf.io.gfile.GFile(f"{FOLDER}/{name}", "wb") as file:
        file.write(program)


def clear() -> None:
    """Frees the memory of the folder: all programs that XLA has compiled in this process since the last time."""
    for name in names():
        with contextlib.suppress(tf.errors.NotFoundError):  # another thread may have removed it
            tf.io.gfile.remove(f"{FOLDER}/{name}")


def _read_flags() -> None:
    """Lets TensorFlow read the flags now. Otherwise it would read them with the first operation."""
    from tensorflow.python import pywrap_tfe

    pywrap_tfe.TF_GetXlaConstantFoldingDisabled()
