"""The questions that are asked: each a folder with its plan, measurement, summary and page."""
