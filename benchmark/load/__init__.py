"""Generates load: requests and their checks, Locust users, arrival schedules, the search for the breaking point."""
