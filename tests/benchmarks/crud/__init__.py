"""The peer: users by the layered stack of the tutorials, built as FastAPI's and SQLAlchemy's own documentation advise.

FastAPI and Pydantic at the door, a router, a service, a repository, SQLAlchemy's ORM on asyncpg. It does less than
Muster: it keeps no history, seals nothing, limits and logs nothing.
"""
