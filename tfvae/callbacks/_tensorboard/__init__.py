"""Parts of `VAETensorBoard`, one kind of summary per file."""
