"""The code that both twins share: everything except waiting.

No sockets, no sleeping, no web framework: both architectures call these functions before and after they wait, so any
difference between them comes from how they wait.
"""
