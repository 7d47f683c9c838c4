"""What the type of a problem resolves to: what it means, for people and for programs."""

import html
from typing import Annotated

from litestar import Controller, MediaType, Response, get
from litestar.params import PathParameter
from msgspec import Struct

from api.asking import runtime_of
from api.bodies import JsonRequest
from api.declared import declared
from api.problems import described_problems
from api.reasons import NotFound

__all__ = ["ProblemType", "ProblemTypes"]


Slug = Annotated[
    str,
    PathParameter(
        schema_extra={"enum": [slug for slug, *_ in described_problems()]},
        description="The last part of the `type` of a problem.",
    ),
]


class ProblemType(Struct, frozen=True):
    """A kind of problem."""

    type: str
    title: str
    status: int
    meaning: str


class ProblemTypes(Controller):
    """Every problem that this API answers has one of these types."""

    path = "/problems"
    tags = ("Problems",)

    @get(
        "/{slug:str}",
        operation_id="problem_type",
        summary="What a type of problem means",
        responses=declared(NotFound),
        sync_to_thread=False,
    )
    def problem_type(self, request: JsonRequest, slug: Slug) -> Response[ProblemType | str]:
        """As JSON, or as a page for whoever prefers HTML."""
        found = next((row for row in described_problems() if row[0] == slug), None)
        if found is None:
            raise NotFound
        _, status, title, meaning = found
        headers = {"Cache-Control": "public, max-age=3600", "Vary": "Accept"}
        if "text/html" in request.headers.get("accept", ""):
            page = f'<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1><p>{html.escape(meaning)}</p><p>Status {status}.</p></html>'
            return Response(page, media_type=MediaType.HTML, headers=headers)
        return Response(
            ProblemType(f"{runtime_of(request).base_url}/problems/{slug}", title, status, meaning), headers=headers
        )
