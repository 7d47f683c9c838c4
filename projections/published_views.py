"""What analysts read: the views of the schema `analytics`, with what each column means."""

from typing import Final

from projections.published_sums import COHORTS, DAYS, POSITIONS, told
from projections.published_view import PEOPLE, PERSONAL, SUMS, Column, Published

__all__ = ["EDITION", "PUBLISHED"]

EDITION: Final = 2
"""One more with each change of what is below: an earlier edition leaves alone what a later one has made."""

_PROFILE: Final = (
    Column("email", "The address that the user has; null for a service account."),
    Column("display_name", "What the user is called; null for nothing."),
    Column("locale", "The language that the user reads, as en-GB; null where that is open."),
    Column("time_zone", "The clock that the user lives by, as Europe/Berlin; null where that is open."),
    Column("picture_url", "Where the user's picture is; null for none."),
    Column(
        "metadata", "What is noted of the user, as JSON: by products for the user (own) and by administrators (admin)."
    ),
)
_ACCOUNT: Final = (
    Column("id", "The user."),
    Column("kind", "person, or service for an account of a program, which has no address."),
    Column("version", "The version of the user's stream, from 1, that is shown."),
    Column("status", "unverified, active, locked (for devices that never signed in) or suspended."),
    Column("email_verified", "Whether the address was proved to be the user's."),
    Column("roles", "The user's roles, by name."),
    Column("registered_at", "When the user registered; of who was imported, where they came from, if that is known."),
    Column("updated_at", "When what is known of the user last changed."),
)
_VERSION: Final = (
    Column("valid_from", "From when on this was so."),
    Column("valid_to", "Until just before when it was so; null for what is so now."),
    Column("made_by", "The event that made it so, as EmailVerified."),
    Column("made_at", "The position of that event in the log."),
)


def _known(model: str, key: str) -> str:
    """The rows of those of whom nothing is parked: how the others are, the table does not know."""
    return (
        f"FROM {{{model}}} WHERE NOT EXISTS (SELECT FROM public.parked_events AS parked "
        f"WHERE parked.consumer = '{{{model}_name}}' AND parked.key = {{{model}}}.{key})"
    )


PUBLISHED: Final = (
    Published(
        name="users",
        meaning="One row for each user. Registrations that lapsed or were superseded, and people who were erased, are gone.",
        audience=PEOPLE,
        of=("users",),
        columns=(
            *_ACCOUNT,
            Column(
                "last_seen_at",
                "When the user last signed in or, on a later day, first went on with a session; null for never.",
            ),
        ),
        source=_known("users", "id"),
    ),
    Published(
        name="users_personal",
        meaning="What is personal of each user, by the id that analytics.users has.",
        audience=PERSONAL,
        of=("users",),
        columns=(_ACCOUNT[0], *_PROFILE),
        source=_known("users", "id"),
    ),
    Published(
        name="user_history",
        meaning="How users were: one row for each version of a user. At any moment T one row of each user has "
        "valid_from <= T and (valid_to > T or valid_to is null).",
        audience=PEOPLE,
        of=("user_history",),
        columns=(*_ACCOUNT, *_VERSION),
        source=_known("user_history", "id"),
    ),
    Published(
        name="user_history_personal",
        meaning="What was personal of users, by the id and version that analytics.user_history has.",
        audience=PERSONAL,
        of=("user_history",),
        columns=(*_ACCOUNT[:2], *_PROFILE),
        source=_known("user_history", "id"),
    ),
    Published(
        name="sessions",
        meaning="One row for each session, those that are over as well.",
        audience=PEOPLE,
        of=("sessions",),
        columns=(
            Column("user_id", "Whose it is."),
            Column("session_id", "The session."),
            Column("method", "With what the user signed in, as password, password+totp or passkey."),
            Column("started_at", "When the user signed in."),
            Column("last_seen_at", "When it began or, on a later day, was first refreshed."),
            Column("ended_at", "When it ended; null while it can be gone on with."),
            Column(
                "ending",
                "How it ended: ended (signed out), expired (not refreshed in time), reused (a spent token came again) or "
                "everywhere (all sessions of the user at once); null while it goes on.",
            ),
        ),
        source=_known("sessions", "user_id"),
    ),
    Published(
        name="user_days",
        meaning="One row for each user and day on which something happened about the user. It stays when a user is erased.",
        audience=PEOPLE,
        of=("user_days",),
        columns=(
            Column("user_id", "The user."),
            Column("day", "The day, in UTC."),
            Column("registered_on", "The day on which the user registered, or was imported."),
            Column("next_on", "The next day on which something happened; null for the latest."),
            Column("events", "How many events there were about the user."),
            Column("registered", "1 on the day of the registration or import."),
            Column("verified", "How often an address was proved."),
            Column("lapsed", "1 when the registration came to nothing, because nobody proved the address."),
            Column(
                "seen", "Sessions that began, or that were first refreshed on this day. The user was active if above 0."
            ),
            Column("signed_in", "Sessions that began."),
            Column("sessions_ended", "Sessions that were signed out of."),
            Column("sessions_expired", "Sessions that were not refreshed in time."),
            Column("tokens_reused", "Sessions that ended because a spent refresh token came again."),
            Column("locked", "How often failed sign-ins shut strange devices out."),
            Column("password_changed", "How often the password was changed by who knew it."),
            Column("password_reset", "How often the password was chosen anew by a mailed link."),
            Column("email_changed", "How often the address became another."),
            Column("suspended", "How often the user was suspended."),
            Column("reinstated", "How often the user was let in again."),
            Column("erased", "1 on the day on which the user was erased."),
        ),
        source=_known("user_days", "user_id"),
    ),
    Published(
        name="days",
        meaning="One row for each day from the first on which anything happened until today. A count below the smallest group "
        "that is told (MUSTER_SMALLEST_GROUP), other than 0, is null.",
        audience=SUMS,
        of=("user_days",),
        columns=(
            Column("day", "The day, in UTC."),
            Column(
                "registrations",
                "How many registered, whether or not they proved their address, or were imported.",
                told("registered"),
            ),
            Column("verifications", "How many proved the address that they had registered with.", told("verified")),
            Column("lapses", "How many registrations came to nothing.", told("lapsed")),
            Column("active_users", "How many users signed in, or went on with a session.", told("active")),
            Column(
                "sign_ins", "How many sessions began; null when they are of few users.", told("signed_in", "signers")
            ),
            Column(
                "sign_in_failures",
                "How many sign-ins failed, whether or not the address was anybody's.",
                told("failed"),
            ),
        ),
        source=DAYS,
    ),
    Published(
        name="retention",
        meaning="One row for each month of registration and each month since: how many were active. Small groups are null, as in "
        "analytics.days.",
        audience=SUMS,
        of=("user_days",),
        columns=(
            Column("cohort", "The first day of the month in which they registered."),
            Column("months_after", "How many months later; 0 is the month itself."),
            Column(
                "registrations",
                "How many registered, or were imported, in that month; null also where days or weeks with few could be found "
                "by subtracting.",
                told("registered", "hidden"),
            ),
            Column(
                "active_users",
                "How many of them were active in the later month.",
                told("active", "registered", "hidden"),
            ),
        ),
        source=COHORTS,
    ),
    Published(
        name="positions",
        meaning="How far the views have come: one row for each of users, user_history, sessions and user_days.",
        audience=SUMS,
        of=("users", "user_history", "sessions", "user_days"),
        columns=(
            Column("view", "The view."),
            Column("position", "The position of the log up to which everything is reflected."),
            Column("moved_at", "When it last came further."),
            Column(
                "parked",
                "How many users the view leaves out, because it could not take in what happened to them; sums may lack that.",
            ),
        ),
        source=POSITIONS,
    ),
)
