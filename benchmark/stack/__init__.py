"""The processes of a contender: how they start, say that they are ready, and stop."""
