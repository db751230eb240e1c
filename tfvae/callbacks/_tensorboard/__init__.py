"""What `VAETensorBoard` writes, one subject a file."""
