"""Which contender is faster, by how much, and under which load?"""
