"""Tables: what their columns mean, and rows as arrays of numbers."""

from tfvae.tables.column import Column
from tfvae.tables.schema import Schema

__all__ = ["Column", "Schema"]
