"""HTTP below the framework: connections, their limits, and how a server ends."""
