"""What boxes the services: images, compose, and the verbs behind `make docker-...`. Standard library only."""
