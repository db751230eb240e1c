"""Messages of errors that users can cause."""

from tfvae._errors import reason, without_graph

_EXPECTED = (ValueError, TypeError, OSError, FloatingPointError, NotImplementedError)


def message_of(error: Exception) -> str | None:
    """Returns the message of an expected error. None for other errors, which are bugs."""
    if isinstance(error, _EXPECTED):
        return without_graph(str(error)).strip() or reason(error)
    # Errors that TensorFlow itself raises, such as running out of memory.
    if isinstance(error, MemoryError) or type(error).__module__.startswith(("tensorflow", "keras")):
        return f"{type(error).__name__}: {reason(error)} (set TFVAE_TRACEBACK=1 to see the traceback)"
    return None
