"""Containers: images, compose, and the commands behind `make docker-...`. Standard library only."""
