"""How the `eventsourcing` library is told where its database is."""

from urllib.parse import urlsplit

__all__ = ["library_settings"]


def library_settings(url: str) -> dict[str, str]:
    """Its environment for a PostgreSQL database."""
    parts = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path[1:],
        "POSTGRES_HOST": parts.hostname or "",
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_PASSWORD": parts.password or "",
    }
