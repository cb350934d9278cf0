"""The absorber: answers after a time that is known beforehand, so that a load generator can be checked by it."""
