"""What machines ask: whether this process lives, whether it is ready, how it does, and which keys sign its tokens."""

from litestar import Controller, MediaType, Request, Response, get
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE
from msgspec import Struct
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from api.runtime import Runtime
from commands.signing_keys import jwks

__all__ = ["Machines"]


class Live(Struct, frozen=True):
    """That the process answers."""

    status: str = "live"


class Readiness(Struct, frozen=True):
    """Whether the process can do its work, and what keeps it from it."""

    status: str
    reasons: list[str] = []


class Jwk(Struct, frozen=True):
    """A public key (RFC 7517, RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class Jwks(Struct, frozen=True):
    """The public keys that verify access tokens."""

    keys: list[Jwk]


class Machines(Controller):
    """For whoever watches and balances processes, and for whoever verifies tokens."""

    tags = ("Machines",)

    @get("/livez", operation_id="livez", summary="Whether the process answers", sync_to_thread=False)
    def livez(self) -> Live:
        """Nothing is asked of anything else: restart what does not answer this."""
        return Live()

    @get("/readyz", operation_id="readyz", summary="Whether the process can do its work")
    async def readyz(self, request: Request) -> Response[Readiness]:  # type: ignore[type-arg]
        """503 while the database does not answer, or revocations of tokens are not followed: send requests elsewhere."""
        process: Runtime = request.app.state.runtime
        reasons = await process.complaints()
        if reasons:
            return Response(Readiness("not ready", reasons), status_code=HTTP_503_SERVICE_UNAVAILABLE)
        return Response(Readiness("ready"), status_code=HTTP_200_OK)

    @get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics for Prometheus",
        media_type=MediaType.TEXT,
        sync_to_thread=False,
    )
    def metrics(self, request: Request) -> Response[bytes]:  # type: ignore[type-arg]
        """In Prometheus' text format. Keep it from the public at the proxy."""
        process: Runtime = request.app.state.runtime
        return Response(process.metrics.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    @get(
        "/.well-known/jwks.json",
        operation_id="jwks",
        summary="The keys that verify access tokens",
        sync_to_thread=False,
    )
    def keys(self, request: Request) -> Response[Jwks]:  # type: ignore[type-arg]
        """A JSON Web Key Set. Keys that were retired stay until their last token has expired."""
        process: Runtime = request.app.state.runtime
        keys = [Jwk(**key) for key in jwks(process.tokens.keys)["keys"]]
        return Response(Jwks(keys), headers={"Cache-Control": "public, max-age=60"})
