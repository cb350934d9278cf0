"""The null contender: answers at once, so that it measures the limit of the load generator."""
