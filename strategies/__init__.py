"""The other ways of serving, a folder each: pools, caches, batches. What each claims, and the laws it is held to."""
