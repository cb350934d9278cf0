"""The feature store: keys, encoding, seeding, and an embedded Redis server for machines without Docker.

The services share `keys` and `codec`, which use no sockets; each twin has its own client.
"""
