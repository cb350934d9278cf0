"""Numbers -> page: templates, tables and charts that all experiments share. Nothing here measures or computes."""
