"""Who is asked: rows of contender.toml, the settings that their processes run with, the law of their answers."""
