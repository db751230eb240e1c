"""Available memory, to reject data that do not fit before they are read."""

from pathlib import Path

from tfvae._targets import size_text

_CGROUP = Path("/sys/fs/cgroup")


def require_memory(num_bytes: int, what: str, advice: str) -> None:
    """Raises an error if there is not enough memory for the data that will be read.

    Args:
        num_bytes: Size of the data in memory.
        what: Description of the data, which begins the message.
        advice: Sentence that says how to fix the problem.

    Raises:
        MemoryError: If the data do not fit. If the available memory is unknown, there is no check.
    """
    available = available_memory()
    if available is not None and num_bytes > available:
        raise MemoryError(
            f"{what} needs {size_text(num_bytes)}, but only {size_text(available)} of memory are available. {advice}"
        )


def available_memory() -> int | None:
    """Returns the number of bytes available without swapping, within the limit of a container, or None if unknown."""
    limits = [_machine_memory(), _container_memory()]
    return min((limit for limit in limits if limit is not None), default=None)


def _machine_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None


def _container_memory() -> int | None:
    try:
        limit, used = ((_CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        statistics = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        # The kernel can reclaim inactive file pages.
        return None if limit == "max" else max(0, int(limit) - int(used) + int(statistics["inactive_file"]))
    except (OSError, ValueError, KeyError):
        return None
