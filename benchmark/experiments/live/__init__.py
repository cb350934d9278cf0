"""`--live`: a local page that shows what is being measured. Off by default; see doc/reading-a-report.md."""
