"""Tables: what their columns mean, and rows as arrays of numbers."""

from tfvae.tables.changes import with_changes
from tfvae.tables.column import Column
from tfvae.tables.errors import TableError
from tfvae.tables.files import read_schema, write_schema
from tfvae.tables.frames import to_frame
from tfvae.tables.inference import infer
from tfvae.tables.reading import read_table
from tfvae.tables.rows import to_rows
from tfvae.tables.schema import Schema

__all__ = [
    "Column",
    "Schema",
    "TableError",
    "infer",
    "read_schema",
    "read_table",
    "to_frame",
    "to_rows",
    "with_changes",
    "write_schema",
]
