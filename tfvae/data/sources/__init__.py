"""Sources of data, one file each; `registry` finds the source of a name or a path."""
