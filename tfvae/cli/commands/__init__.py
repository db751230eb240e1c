"""Implementations of the commands, called with parsed arguments."""
