"""What machines ask: whether this process lives, whether it is ready, how it does, and which keys sign its tokens."""

from litestar import Controller, MediaType, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE
from msgspec import Struct
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from api.asking import runtime_of
from api.bodies import JsonRequest
from api.declared import declared
from api.problems import RETRY_SECONDS
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

    @get(
        "/livez",
        operation_id="livez",
        summary="Whether the process answers",
        responses=declared(),
        sync_to_thread=False,
    )
    def livez(self) -> Live:
        """Nothing is asked of anything else: restart what does not answer this."""
        return Live()

    @get(
        "/readyz",
        operation_id="readyz",
        summary="Whether the process can do its work",
        responses=declared() | {503: ResponseSpec(Readiness, generate_examples=False, description="It is not ready.")},
    )
    async def readyz(self, request: JsonRequest) -> Response[Readiness]:
        """503 while the database does not answer, or revocations of tokens are not followed: send requests elsewhere.

        Not while views are behind: all processes see the same views, and what needs none of them is done as ever.
        """
        reasons = await runtime_of(request).complaints()
        if reasons:
            headers = {"Retry-After": RETRY_SECONDS}
            return Response(Readiness("not ready", reasons), status_code=HTTP_503_SERVICE_UNAVAILABLE, headers=headers)
        return Response(Readiness("ready"), status_code=HTTP_200_OK)

    @get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics for Prometheus",
        responses=declared(),
        media_type=MediaType.TEXT,
    )
    async def metrics(self, request: JsonRequest) -> Response[bytes]:
        """In Prometheus' text format. Keep it from the public at the proxy."""
        process = runtime_of(request)
        await process.metrics.standing.look(process.reader)
        return Response(process.metrics.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    @get(
        "/.well-known/jwks.json",
        operation_id="jwks",
        summary="The keys that verify access tokens",
        responses=declared(),
        sync_to_thread=False,
    )
    def keys(self, request: JsonRequest) -> Response[Jwks]:
        """A JSON Web Key Set. Keys that were retired stay until their last token has expired."""
        keys = [Jwk(**key) for key in jwks(runtime_of(request).tokens.keys)["keys"]]
        return Response(Jwks(keys), headers={"Cache-Control": "public, max-age=60"})
