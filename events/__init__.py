"""What happened: the log, what stands beside it, and how both are kept."""
