"""Parts of a run by name: one form for experiment files, the command line and Python."""

from tfvae.parts.part import FAMILIES, Family, described, is_own_code, is_part, merged, named, part_of

__all__ = ["FAMILIES", "Family", "described", "is_own_code", "is_part", "merged", "named", "part_of"]
