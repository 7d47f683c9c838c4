"""How often something may be asked for, by client address and by account, and how that is told.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10. What is left of an account's quota is told to its owner
only: anyone else would learn how often others have tried that account, and so whether there is one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, Self
from uuid import UUID

from limits import RateLimitItem
from msgspec import Struct

from api.bodies import JsonRequest
from api.client_addresses import client_network
from api.counters import Bucket, Counters, Standing
from api.reasons import TooManyRequests
from commands.addresses import any_key
from settings import Settings, rate_limit

__all__ = [
    "COMMANDS",
    "REFRESH",
    "REGISTRATION",
    "RESET",
    "SIGN_IN",
    "VERIFICATION",
    "Limit",
    "Limits",
    "Told",
    "limited",
    "rate_limit_headers",
]


class Limit(Struct, frozen=True):
    """What is limited; the settings are `limit_NAME_by_address` and `limit_NAME_by_account`, where there are such."""

    name: str


SIGN_IN: Final = Limit("sign_in")
REGISTRATION: Final = Limit("registration")
RESET: Final = Limit("reset")
VERIFICATION: Final = Limit("verification")
REFRESH: Final = Limit("refresh")
COMMANDS: Final = Limit("commands")
Account = str | UUID | bytes
_WHOSE: Final = "?"
_ALL: Final = (SIGN_IN, REGISTRATION, RESET, VERIFICATION, REFRESH, COMMANDS)


class Policy(Struct, frozen=True):
    """A quota that each client, or each account, has: so many requests within so many seconds.

    `key` is what stands before and after the client or the account in the names of its buckets, which are those of the
    library; `declared` is how RateLimit-Policy tells it.
    """

    name: str
    of_account: bool
    quota: int
    seconds: int
    key: tuple[str, str]
    declared: str

    @classmethod
    def of(cls, name: str, item: RateLimitItem, *, of_account: bool) -> Self:
        """The policy by this name that an operator's limit means."""
        quota, seconds = item.amount, item.get_expiry()
        before, _, after = item.key_for(name, _WHOSE).partition(_WHOSE)
        return cls(name, of_account, quota, seconds, (before, after), f'"{name}";q={quota};w={seconds}')

    def bucket(self, whose: str) -> Bucket:
        """Where the requests of one of them are counted; another quota counts anew."""
        before, after = self.key
        return Bucket(f"{before}{whose}{after}", self.quota, self.seconds)


class Told(Struct, frozen=True):
    """A policy that a request came under, and its standing where the asker may know it."""

    policy: Policy
    standing: Standing | None


class Limits:
    """The policies that the operator has set, and the counters that they are kept by."""

    def __init__(self, settings: Settings, key: bytes, claims_key: bytes, counters: Counters) -> None:
        self._key = key
        self._claims_key = claims_key
        self._counters = counters
        self._policies = {limit: list(_policies(settings, limit)) for limit in _ALL}

    async def count(self, limit: Limit, client: str, account: Account | None, *, own: bool) -> list[Told]:
        """Count a request by its client and, where it is about one, by its account; `own` is whether that is the asker's.

        Nothing is told when nothing can be counted, or when there is no such limit.
        """
        policies = [policy for policy in self._policies[limit] if account is not None or not policy.of_account]
        if not policies or not self._counters.in_force:
            return []
        standings = await self._counters.take(
            [policy.bucket(self._whose(policy, client, account)) for policy in policies]
        )
        if standings is None:
            return []
        return [
            Told(policy, standing if standing and (own or standing.refused or not policy.of_account) else None)
            for policy, standing in zip_longest(policies, standings)
        ]

    def _whose(self, policy: Policy, client: str, account: Account | None) -> str:
        """A name for the client or the account that tells Redis nothing."""
        whose = self._account(account) if policy.of_account else client_network(client).encode()
        return hashlib.blake2b(whose, key=self._key, digest_size=16).hexdigest()

    def _account(self, account: Account | None) -> bytes:
        match account:
            case None:
                return b""
            case bytes():
                return account
            case UUID():
                return account.bytes
            case str():
                return any_key(self._claims_key, account)


def _policies(settings: Settings, limit: Limit) -> Iterator[Policy]:
    for by in ("address", "account"):
        name = f"{limit.name}_by_{by}"
        item = rate_limit(getattr(settings, f"limit_{name}", "none"))
        if item is not None:
            yield Policy.of(name.replace("_", "-"), item, of_account=by == "account")


async def limited(request: JsonRequest, limit: Limit, *, account: Account | None = None) -> None:
    """Count a request before anything is done for it. Raises `TooManyRequests` when it is one too many.

    The account is an address as the asker writes it, or the id of a user where there is no address; whoever knows a key
    that is better than both gives that. Unknown ones are counted like known ones.
    """
    limits: Limits = request.app.state.limits
    client = request.scope.get("client")
    caller = request.user
    own = caller is not None and account == caller.user_id
    told = await limits.count(limit, client[0] if client else "", account, own=own)
    scope: dict[str, Any] = request.scope  # type: ignore[assignment] # what is told here, `Surrounding` adds to the answer
    scope["limits"] = [*scope.get("limits", ()), *told]
    for one in told:
        if one.standing is not None and one.standing.refused:
            raise TooManyRequests(headers={"Retry-After": str(one.standing.seconds)})


def rate_limit_headers(told: Sequence[Told]) -> list[tuple[bytes, bytes]]:
    """The policies that a request came under, and how it stands with the one that refused it, or has the least left."""
    headers = [(b"ratelimit-policy", ", ".join(one.policy.declared for one in told).encode())]
    standings = [(one.policy.name, one.standing) for one in told if one.standing is not None]
    if standings:
        name, standing = min(standings, key=lambda one: (not one[1].refused, one[1].left))
        headers.append((b"ratelimit", f'"{name}";r={standing.left};t={standing.seconds}'.encode()))
    return headers
