"""The benchmark: starts contenders, puts them under load, records what happens, and explains it."""
