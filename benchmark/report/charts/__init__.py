"""Charts: series -> pictures."""
