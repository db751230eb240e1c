"""Provenance of results: machine, versions and time."""

import datetime
import functools
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfvae.training.environment import environment


def provenance(before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns this machine, the installed versions and the current time.

    Args:
        before: Provenance of the resumed training, whose machines and commits are included.
    """
    here, before = _here(), before or {}
    return {
        **here,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **{key: _joined(before.get(key), here[key]) for key in ("machine", "commit")},
    }


@functools.cache
def _here() -> dict[str, Any]:
    """Describes this process at the first call, because code that is committed later is not the code that runs."""
    where = environment()
    return {
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        **{key: where[key] for key in ("tfvae", "commit", "python", "packages", "devices")},
    }


def _joined(before: str | None, now: str | None) -> str | None:
    """Joins both texts without repetition. The commit is None for an installed package."""
    parts = [part for text in (before, now) if text for part in text.split("; ")]
    return "; ".join(dict.fromkeys(parts)) or None


def of_numbers(numbers: Any) -> dict[str, Any]:
    """Returns the machines, the latest time and the total seconds of all curves in `numbers`."""
    made = list(_provenances(numbers))
    return {
        "machine": "; ".join(sorted({part for each in made for part in each["machine"].split("; ")})),
        "finished": max((each["finished"] for each in made), default=""),
        "seconds": {
            kind: round(sum(each["seconds"][kind] for each in made)) for kind in ("pilots", "training", "measuring")
        },
    }


def _provenances(numbers: Any) -> Any:
    if isinstance(numbers, Mapping):
        if "made" in numbers:
            yield numbers["made"]
        for value in numbers.values():
            yield from _provenances(value)


def _processor() -> str:
    """Returns the model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
