"""Record -> numbers: windows, percentiles, intervals, validity. Nothing here draws or measures."""
