"""Where a run was made: what `environment.json` holds."""

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
    """Versions, the commit of tfvae where it is a checkout, the devices, and the command."""
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
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None
