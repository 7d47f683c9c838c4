"""Effects: what Muster does about events in the world outside. Never replayed."""
