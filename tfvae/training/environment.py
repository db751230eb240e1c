"""Environment of a run: the content of `environment.json`."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae._version import __version__

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy", "tensorflow-datasets", "scikit-learn")


def environment() -> dict[str, Any]:
    """Returns versions, the commit of tfvae if it is a checkout, the devices and the command."""
    return {
        "tfvae": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "num_cpus": os.cpu_count(),
        "devices": [f"{device.device_type}: {_device_name(device)}" for device in tf.config.list_physical_devices()],
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _device_name(device: Any) -> str:
    return tf.config.experimental.get_device_details(device).get("device_name", platform.machine())


def _commit() -> str | None:
    """Returns the commit of tfvae's own checkout. None for an installed package, even inside another repository."""
    root = Path(__file__).resolve().parents[2]
    try:
        result = subprocess.run(
            ["git", "rev-parse", "--show-toplevel", "HEAD"],  # noqa: S607
            cwd=root,
            # These variables could select another repository.
            env={name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")},
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        top, commit = result.stdout.rstrip("\n").rsplit("\n", 1)
        is_ours = Path(top).resolve() == root and "name = tfvae\n" in (root / "setup.cfg").read_text("utf-8")
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return commit if is_ours else None
