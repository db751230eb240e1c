"""Messages of commands."""

from rich.console import Console

console = Console()


def say(text: str) -> None:
    """Prints a line without markup or highlighting."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
