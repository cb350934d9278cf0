"""What both twins must agree on, and nothing that waits.

No sockets, no sleeping, no web framework: both architectures call these functions
before and after their waits, so whatever is measured between them is the waiting itself.
"""
