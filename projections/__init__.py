"""Read models and reactions: what follows the log, each at its own pace."""
