"""What is stored: keys, codec, seeding, and the embedded server for machines without Docker.

The services read with `keys` and `codec`, which touch no socket; each fetches in its own way.
"""
