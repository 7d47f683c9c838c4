"""What the views for analysts are made from that add people up, and which of their counts are told."""

from typing import Final

__all__ = ["COHORTS", "DAYS", "POSITIONS", "told"]

_SMALL: Final = "(SELECT smallest_group - 1 FROM public.publishing)"


def told(count: str, *groups: str) -> str:
    """A count; null when it, or a group that it is of or would tell of, is smaller than what is told."""
    small = " OR ".join(f"{one} BETWEEN 1 AND {_SMALL}" for one in (*groups, count))
    return f"CASE WHEN {small} THEN NULL ELSE {count} END"


_TODAY: Final = "(now() AT TIME ZONE 'UTC')::date"


def _month(day: str) -> str:
    return f"date_trunc('month', {day}::timestamp)::date"


def _months(day: str) -> str:
    return f"(extract(year FROM {day}) * 12 + extract(month FROM {day}))::integer"


DAYS: Final = f"""\
FROM (
    SELECT made::date AS day FROM generate_series(
        least((SELECT min(day) FROM {{user_days}} WHERE registered > 0), (SELECT min(day) FROM public.sign_in_counts))::timestamp,
        {_TODAY}::timestamp, '1 day'
    ) AS made
) AS calendar CROSS JOIN LATERAL (
    SELECT coalesce(sum(registered), 0) AS registered FROM {{user_days}} AS of_user
    WHERE of_user.day = calendar.day AND registered > 0
) AS registrations CROSS JOIN LATERAL (
    SELECT coalesce(sum(verified), 0) AS verified FROM {{user_days}} AS of_user
    WHERE of_user.day = calendar.day AND verified > 0
) AS verifications CROSS JOIN LATERAL (
    SELECT coalesce(sum(lapsed), 0) AS lapsed FROM {{user_days}} AS of_user
    WHERE of_user.day = calendar.day AND lapsed > 0
) AS lapses CROSS JOIN LATERAL (
    SELECT count(*) AS active, coalesce(sum(signed_in), 0) AS signed_in, count(*) FILTER (WHERE signed_in > 0) AS signers
    FROM {{user_days}} AS of_user WHERE of_user.day = calendar.day AND seen > 0
) AS came CROSS JOIN LATERAL (
    SELECT coalesce(greatest(sum(attempted) - sum(succeeded), 0), 0)::bigint AS failed FROM public.sign_in_counts AS tried
    WHERE tried.day = calendar.day
) AS failures"""  # noqa: S608 - made of constants

COHORTS: Final = f"""\
FROM (
    WITH daily AS (
        SELECT day, sum(registered) AS registered FROM {{user_days}} WHERE registered > 0 GROUP BY day
    ), parts AS (
        SELECT {_month("day")} AS month, date_trunc('week', day::timestamp) AS week, sum(registered) AS registered,
            coalesce(sum(registered) FILTER (WHERE registered <= {_SMALL}), 0) AS hidden
        FROM daily GROUP BY 1, 2
    ), weeks AS (
        SELECT month, registered, hidden, bool_or(hidden BETWEEN 1 AND {_SMALL}) OVER (PARTITION BY week) AS untold
        FROM parts
    ), cohorts AS (
        SELECT month AS cohort, sum(registered)::bigint AS registered,
            coalesce(sum(hidden) FILTER (WHERE untold), 0) AS hidden
        FROM weeks GROUP BY month
    ), counted AS (
        SELECT cohort, month, count(*) AS active FROM (
            SELECT DISTINCT {_month("registered_on")} AS cohort, {_month("day")} AS month, user_id
            FROM {{user_days}} WHERE seen > 0
        ) AS once GROUP BY cohort, month
    )
    SELECT cohorts.cohort, registered, hidden, number AS months_after, coalesce(active, 0) AS active
    FROM cohorts CROSS JOIN LATERAL generate_series(0, {_months(_TODAY)} - {_months("cohort")}) AS number
    LEFT JOIN counted ON counted.cohort = cohorts.cohort
        AND counted.month = (cohorts.cohort + make_interval(months => number))::date
) AS cohorts"""  # noqa: S608 - made of constants

POSITIONS: Final = """\
FROM (
    SELECT serving.view, min(position) AS position, max(moved_at) AS moved_at, (
        SELECT count(DISTINCT key) FROM public.parked_events WHERE parked_events.consumer = serving.consumer
    ) AS parked
    FROM public.checkpoints JOIN (VALUES
        ('users', '{users_name}'), ('user_history', '{user_history_name}'), ('sessions', '{sessions_name}'),
        ('user_days', '{user_days_name}')
    ) AS serving (view, consumer) ON checkpoints.consumer = serving.consumer GROUP BY serving.view, serving.consumer
) AS positions"""
