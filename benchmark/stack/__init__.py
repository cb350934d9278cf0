"""Starts and stops the processes of a contender, and waits until they are ready."""
