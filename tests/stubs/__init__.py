"""Servers that tests measure because it is known how long they take."""
