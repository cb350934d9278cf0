"""Servers of known capacity, and how well `capacity` finds it.

laws.py       service laws, and the latencies of simulated servers (no I/O, seeded)
truths.py     the capacity that follows from a law
outcomes.py   the table that both print
simulate.py   `python -m tests.capacity.simulate`: how often the interval holds the truth, simulated, in minutes
server.py     a server behind real HTTP that follows such a law
check.py      `python -m tests.capacity.check`: the same with real searches, which takes a quiet machine and hours
"""
