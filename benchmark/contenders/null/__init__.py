"""A contender that answers at once."""
