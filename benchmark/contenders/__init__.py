"""Contenders: the rows of contender.toml, the settings of their processes, and which answers they can give."""
