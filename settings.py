"""Names, types, defaults and meanings of the environment values; builds nothing."""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.structs import fields

if TYPE_CHECKING:
    from limits import RateLimitItem

__all__ = [
    "Settings",
    "SettingsRefused",
    "described",
    "key_bytes",
    "listed",
    "load",
    "master_keys",
    "rate_limit",
    "variable",
]

MOST_IN_A_LIMIT: Final = 10_000
LONGEST_LIMIT_SECONDS: Final = 30 * 24 * 3600


class SettingsRefused(ValueError):
    """The environment is missing values, or holds ones that are not safe to start with; lists them all."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__("Muster does not start with these settings:\n" + "\n".join(f"  - {r}" for r in reasons))


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that a process of Muster may be told by its environment."""

    environment: Annotated[
        Literal["production", "development"],
        Meta(
            description="`production` refuses weak settings; `development` is what `muster up` uses on its own servers."
        ),
    ] = "production"
    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL 15 to 18, `postgresql://OWNER:PASSWORD@HOST:PORT/DATABASE`. `muster migrate` uses it as it "
            "stands; the API and the workers put their own roles and passwords into it, so they need no owner's name in theirs."
        ),
    ]
    redis_url: Annotated[
        str,
        Meta(description="Redis 7 or newer, or Valkey: `redis://:PASSWORD@HOST:PORT/0`, or `rediss://…`."),
    ]
    smtp_url: Annotated[
        str,
        Meta(
            description="Where mail is handed in: `smtp://USER:PASSWORD@HOST:PORT` (STARTTLS when offered) or `smtps://…` (TLS at once)."
        ),
    ]
    base_url: Annotated[
        str,
        Meta(
            description="The public address of the API; links in mails begin with it, and it is the issuer of tokens."
        ),
    ]
    master_key: Annotated[
        str,
        Meta(
            description="32 random bytes in base64url: wraps the data keys under which personal data are sealed. "
            "Whoever loses it has lost all personal data; keep a copy apart from the database's backups."
        ),
    ]
    previous_master_keys: Annotated[
        str,
        Meta(
            description="Earlier master keys, with commas between, until `muster keys rotate` has wrapped everything under "
            "the current one; then take them out and destroy them."
        ),
    ] = ""
    secret: Annotated[
        str,
        Meta(
            description="32 random bytes in base64url: signs links and cursors, keys the claims on addresses, "
            "and gives the database roles their passwords."
        ),
    ]
    mail_from: Annotated[str, Meta(description="The sender of mails, as `Name <address>`.")] = (
        "Muster <no-reply@localhost>"
    )
    audience: Annotated[str, Meta(description="`aud` of access tokens; the base URL when empty.")] = ""
    host: Annotated[str, Meta(description="The address on which the API listens.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port on which the API listens; 0 takes a free one.")] = (
        8000
    )
    data: Annotated[
        str, Meta(description="The folder in which `muster up` keeps its servers' data, mail and secrets.")
    ] = ".muster"
    registration: Annotated[
        Literal["open", "closed"],
        Meta(description="`closed`: only callers with `users:write` register people."),
    ] = "open"
    hash_threads: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="Threads that hash passwords in each API process; 0 means one for each core.",
        ),
    ] = 0
    hash_queue: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Hashes that may wait in each API process; beyond it the answer is 503 with Retry-After.",
        ),
    ] = 64
    append_queue: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Commands that may wait to be committed in each API process; beyond it 503 with Retry-After.",
        ),
    ] = 4096
    access_token_seconds: Annotated[int, Meta(ge=30, le=600, description="How long an access token is valid.")] = 600
    refresh_token_days: Annotated[
        int,
        Meta(ge=1, le=365, description="How long a session can be refreshed after it was last refreshed."),
    ] = 30
    verification_hours: Annotated[
        int, Meta(ge=1, le=720, description="How long a link that proves an address is valid.")
    ] = 72
    password_reset_minutes: Annotated[
        int, Meta(ge=5, le=1440, description="How long a link is valid with which a new password is chosen.")
    ] = 60
    email_undo_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=720,
            description="How long a changed address can be undone by a link that is mailed to the former one, which nobody else "
            "can register meanwhile.",
        ),
    ] = 72
    sign_in_attempts: Annotated[
        int,
        Meta(
            ge=3,
            le=100,
            description="How many sign-ins to an address may fail from devices that never signed in there, and from each one "
            "that did, before those wait.",
        ),
    ] = 20
    lock_minutes: Annotated[
        int, Meta(ge=1, le=1440, description="How long they wait, and for how long failed sign-ins are counted.")
    ] = 15
    erasure_waiting_days: Annotated[
        int,
        Meta(
            ge=0,
            le=90,
            description="How many days someone has to think better of it who asked to be erased; with 0 it is done at once.",
        ),
    ] = 14
    second_step_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=60,
            description="How long after the right password a second factor is taken, where the account has one.",
        ),
    ] = 5
    second_step_attempts: Annotated[
        int,
        Meta(
            ge=3,
            le=20,
            description="How many second factors may be wrong before the next one waits for the minutes of a lock.",
        ),
    ] = 5
    step_up_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=1440,
            description="How long ago somebody may have proved who they are for what is dangerous: other addresses, passwords, "
            "factors, roles and API keys.",
        ),
    ] = 15
    api_key_days: Annotated[
        int, Meta(ge=1, le=3650, description="After how many days at the latest an API key expires.")
    ] = 365
    invitation_hours: Annotated[
        int, Meta(ge=1, le=720, description="How long an invitation can be accepted, where it is not said.")
    ] = 168
    client_retention_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3650,
            description="How many days after the end of its month a command's client address and user agent can still be "
            "read; then the key that sealed them is destroyed.",
        ),
    ] = 90
    partitions: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Partitions of each read model: how many workers' cores one of them can use.",
        ),
    ] = 2
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Addresses or networks, with commas between, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."
        ),
    ] = ""
    limit_sign_in_by_address: Annotated[
        str,
        Meta(
            description="How often one client address (IPv4, or the /64 of IPv6) may try to sign in, as in `30 per minute`; "
            "`none` for as often as it likes. The same is said alike in each setting that begins with `MUSTER_LIMIT_`."
        ),
    ] = "60 per minute"
    limit_sign_in_by_account: Annotated[
        str,
        Meta(
            description="How often anyone may try to sign in with one e-mail address, whether or not it has an account."
        ),
    ] = "10 per minute"
    limit_registration_by_address: Annotated[
        str, Meta(description="How many people may register from one client address.")
    ] = "60 per hour"
    limit_registration_by_account: Annotated[
        str, Meta(description="How often one e-mail address may be registered.")
    ] = "10 per hour"
    limit_reset_by_address: Annotated[
        str,
        Meta(
            description="How often resets of passwords may be asked for or completed from one client address: a reset is both."
        ),
    ] = "60 per hour"
    limit_reset_by_account: Annotated[
        str, Meta(description="How often a reset of its password may be asked for with one e-mail address.")
    ] = "5 per hour"
    limit_verification_by_address: Annotated[
        str,
        Meta(
            description="How many links may be asked for again, or followed, from one client address, but for those of resets; "
            "changes of address count as well."
        ),
    ] = "120 per hour"
    limit_verification_by_account: Annotated[
        str,
        Meta(
            description="How often the link that proves its address may be asked for again for one account, and how often "
            "one e-mail address may be asked for as the new one."
        ),
    ] = "5 per hour"
    limit_refresh_by_address: Annotated[
        str, Meta(description="How many sessions may be gone on with from one client address.")
    ] = "600 per minute"
    limit_commands_by_account: Annotated[
        str,
        Meta(description="How many commands one signed-in caller may send, dry runs included, whoever they are about."),
    ] = "6000 per minute"
    smallest_group: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="How many a group must have for its size to be told in statistics and to analysts; 1 tells all. From 2 "
            "on, the database role of analysts without personal fields sees sums alone, and no rows of single users.",
        ),
    ] = 1
    event_streams: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="How many may follow the log at a time in one API process (`GET /v1/events/stream`).",
        ),
    ] = 50
    even_answers_milliseconds: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Answers that could tell by their time whether an address has an account are sent at multiples of "
            "this, counted from when the request began and without the time of hashing, and by chance up to a fifth of it "
            "later; 0 sends them at once.",
        ),
    ] = 20
    cors_origins: Annotated[
        str, Meta(description="Origins, with commas between, whose pages may call the API; none when empty.")
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least severe line that is logged."),
    ] = "info"


def variable(field: str) -> str:
    """The environment variable of a field: `database_url` is `MUSTER_DATABASE_URL`."""
    return f"MUSTER_{field.upper()}"


def described() -> list[tuple[str, str, str]]:
    """(variable, default as text or "required", meaning) of every setting, in the order of their declaration."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = []
    for field in fields(Settings):
        meaning = next(m.description for m in get_args(hints[field.name]) if isinstance(m, Meta)) or ""
        rows.append((variable(field.name), "required" if field.required else str(field.default), meaning))
    return rows


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment.

    Raises `SettingsRefused` naming at once everything that is missing, malformed, misspelt or, in production, too weak.
    """
    hints = get_type_hints(Settings, include_extras=True)
    known = {variable(name): name for name in hints}
    reasons = [f"{name} is no setting of Muster: is it misspelt?" for name in environ if _strange(name, known)]
    given: dict[str, Any] = {}
    for name, field in known.items():
        if text := environ.get(name, ""):
            try:
                given[field] = convert(text, hints[field], strict=False)
            except ValidationError as error:
                reasons.append(f"{name}: {error}.")
    required = {field.name for field in fields(Settings) if field.required}
    reasons += [
        f"{variable(field)} is missing."
        for field in sorted(required - given.keys())
        if not environ.get(variable(field))
    ]
    if not reasons:
        settings = Settings(**given)
        reasons = _weaknesses(settings)
    if reasons:
        raise SettingsRefused(reasons)
    return settings


def _strange(name: str, known: Mapping[str, str]) -> bool:
    return name.startswith("MUSTER_") and name not in known


def _weaknesses(settings: Settings) -> list[str]:
    """What is wrong in any environment, then what is too weak for production."""
    reasons = []
    for name, schemes, text in (
        ("MUSTER_DATABASE_URL", {"postgresql", "postgres"}, settings.database_url),
        ("MUSTER_REDIS_URL", {"redis", "rediss", "unix"}, settings.redis_url),
        ("MUSTER_SMTP_URL", {"smtp", "smtps"}, settings.smtp_url),
        ("MUSTER_BASE_URL", {"http", "https"}, settings.base_url),
    ):
        if urlsplit(text).scheme not in schemes:
            reasons.append(f"{name} must begin with {' or '.join(f'{s}://' for s in sorted(schemes))}.")
    previous = [("MUSTER_PREVIOUS_MASTER_KEYS", text) for text in listed(settings.previous_master_keys)]
    keys = [("MUSTER_MASTER_KEY", settings.master_key), ("MUSTER_SECRET", settings.secret), *previous]
    for name, text in keys:
        try:
            key = key_bytes(text)
        except ValueError as error:
            reasons.append(f"{name} {error}")
            continue
        if settings.environment == "production" and len(set(key)) < 12:
            reasons.append(f"{name} is not random: make one with `muster secret`.")
    for field in fields(Settings):
        if field.name.startswith("limit_") and (text := getattr(settings, field.name)) != field.default:
            try:
                rate_limit(text)
            except ValueError as error:
                reasons.append(f"{variable(field.name)} {error}")
    if settings.environment == "production":
        if settings.master_key == settings.secret:
            reasons.append("MUSTER_MASTER_KEY and MUSTER_SECRET must differ.")
        if urlsplit(settings.base_url).scheme != "https":
            reasons.append("MUSTER_BASE_URL must be https in production: tokens and passwords travel over it.")
        if "localhost" in settings.mail_from:
            reasons.append("MUSTER_MAIL_FROM must name an address of yours in production, as `Name <address>`.")
    return reasons


def listed(text: str) -> list[str]:
    """The values of a setting that takes several, with commas between."""
    return [value.strip() for value in text.split(",") if value.strip()]


def master_keys(settings: Settings) -> list[bytes]:
    """The current master key and the earlier ones."""
    return [key_bytes(text) for text in (settings.master_key, *listed(settings.previous_master_keys))]


def key_bytes(text: str) -> bytes:
    """The 32 bytes of a key given in base64url, with or without padding; ValueError tells what is wrong, never the key."""
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base64url: make one with `muster secret`.") from None
    if len(key) != 32:
        raise ValueError(f"has {len(key)} bytes, not 32: make one with `muster secret`.")
    return key


def rate_limit(text: str) -> "RateLimitItem | None":
    """What a limit says, in the notation of the library `limits`; None for `none`. ValueError tells what is wrong."""
    from limits import parse_many  # a fifth of a second, for those who set or keep a limit

    if text.strip().lower() in ("", "none"):
        return None
    try:
        (item,) = parse_many(text)
    except ValueError:
        item = None
    if item is None or not (1 <= item.amount <= MOST_IN_A_LIMIT and item.get_expiry() <= LONGEST_LIMIT_SECONDS):
        raise ValueError(
            f"must be one limit of 1 to {MOST_IN_A_LIMIT:,} requests and of 30 days at most, as in `30 per minute` or "
            "`5 per 10 minutes`, or `none`."
        )
    return item
