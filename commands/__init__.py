"""What may be asked for: one verb a file, with the rule that decides."""
