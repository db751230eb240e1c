"""Where and when numbers were made."""

import datetime
import functools
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfvae.training.environment import environment


def provenance(before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """This machine, these versions, this moment.

    Args:
        before: of what is gone on with: its machines and commits are named too.
    """
    here, before = _here(), before or {}
    return {
        **here,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **{key: _joined(before.get(key), here[key]) for key in ("machine", "commit")},
    }


@functools.cache
def _here() -> dict[str, Any]:
    """Of this process, as it was when first asked: what is committed later is not what runs."""
    where = environment()
    return {
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        **{key: where[key] for key in ("tfvae", "commit", "python", "packages", "devices")},
    }


def _joined(before: str | None, now: str | None) -> str | None:
    """Both, each once; a checkout has a commit, an installed package none."""
    parts = [part for text in (before, now) if text for part in text.split("; ")]
    return "; ".join(dict.fromkeys(parts)) or None


def of_numbers(numbers: Any) -> dict[str, Any]:
    """The machines, the last moment and the seconds of all curves in `numbers`, whenever they were trained."""
    made = list(_found(numbers))
    return {
        "machine": "; ".join(sorted({part for each in made for part in each["machine"].split("; ")})),
        "finished": max((each["finished"] for each in made), default=""),
        "seconds": {
            kind: round(sum(each["seconds"][kind] for each in made)) for kind in ("pilots", "training", "measuring")
        },
    }


def _found(numbers: Any) -> Any:
    if isinstance(numbers, Mapping):
        if "made" in numbers:
            yield numbers["made"]
        for value in numbers.values():
            yield from _found(value)


def _processor() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
