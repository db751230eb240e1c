"""Messages about errors of other packages and about missing packages."""

from tfvae._extras import how_to_install


def first_line(error: Exception) -> str:
    """Returns the first line of the text of an error, without full stop, or the name of its class."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def missing(error: ModuleNotFoundError, function: str, extra: str) -> ValueError:
    """Returns the error to raise after a failed import, which names the extra to install.

    Args:
        error: Error of the import.
        function: Function that needs the package, such as "export.save_litert".
        extra: Name of the extra.
    """
    return ValueError(how_to_install(error, function, extra))
