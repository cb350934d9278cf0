"""Load: Locust users, what they ask, and the headless runner."""
