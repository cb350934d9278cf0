"""Watches services: asks their health checks on a fixed schedule, alerts, and draws what it saw beside a load."""
