"""Tables: what their columns mean, and rows as arrays of numbers."""

from tfvae.tables.column import Column
from tfvae.tables.errors import TableError
from tfvae.tables.inference import infer
from tfvae.tables.reading import read_table
from tfvae.tables.schema import Schema

__all__ = ["Column", "Schema", "TableError", "infer", "read_table"]
