"""How much memory is free, so that what does not fit is refused before it is read."""

from pathlib import Path

from tfvae._targets import size_text

_CGROUP = Path("/sys/fs/cgroup")


def require_memory(num_bytes: int, what: str, advice: str) -> None:
    """Checks that there is memory for what is going to be read.

    Args:
        num_bytes: its size in memory.
        what: what it is, as the message begins.
        advice: a sentence that says what to do.

    Raises:
        MemoryError: with both sizes. Where the system does not say how much is free, nothing is checked.
    """
    available = available_memory()
    if available is not None and num_bytes > available:
        raise MemoryError(
            f"{what} takes {size_text(num_bytes)}, and {size_text(available)} of memory are free. {advice}"
        )


def available_memory() -> int | None:
    """Bytes that can be taken without swapping, within the limit of a container; None where they are not known."""
    free = [_of_machine(), _of_container()]
    return min((each for each in free if each is not None), default=None)


def _of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None


def _of_container() -> int | None:
    try:
        limit, used = ((_CGROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        statistics = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        # Pages of files that nobody reads at the moment are given up for others.
        return None if limit == "max" else max(0, int(limit) - int(used) + int(statistics["inactive_file"]))
    except (OSError, ValueError, KeyError):
        return None
