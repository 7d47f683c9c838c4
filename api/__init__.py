"""The HTTP face, and the command that runs everything."""
