"""Writes a scenario file from what a service says of itself, or from a curl command.

openapi.py      an OpenAPI document -> the operations that can be asked
making.py       a value for a schema: its example, or else one that conforms to it
curl.py         a curl command -> the same
writing.py      what is asked -> a scenario.toml with comments
command.py      `python -m benchmark scenario init`
"""
