"""One way to measure a contender: fresh processes, parity, load, resources, and what became of it."""
