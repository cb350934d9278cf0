"""The run directory: raw data, the only truth; everything else can be computed from it again."""
