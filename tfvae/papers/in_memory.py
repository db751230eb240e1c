"""Data sets of papers, which must be in memory."""

from tfvae.data import Split, Splits


def in_memory(splits: Splits) -> tuple[Split, Split]:
    """Returns the training and the test set.

    Raises:
        TypeError: If they are not in memory.
    """
    train, test = splits.train, splits.test
    if not (isinstance(train, Split) and isinstance(test, Split)):
        raise TypeError(f"The data of the paper must be in memory. Received: train={train!r}, test={test!r}")
    return train, test
