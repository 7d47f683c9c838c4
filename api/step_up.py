"""Whether whoever asks has proved lately enough who they are, for what a stolen access token must not do.

The token tells, so that nothing is read for those who have; who has not is told what to step up with (RFC 9470).
"""

import time
from datetime import UTC, datetime

from api.asking import runtime_of
from api.bodies import JsonRequest
from api.caller import Caller
from api.problems import meaning
from api.reasons import SessionRequired, StepUpRequired
from commands.authentication import PASSWORD, TWO_FACTORS
from commands.factors import PASSKEY
from commands.step_up import step_up_challenge
from commands.user import fold
from events.store import read_stream

__all__ = ["require_step_up"]


async def require_step_up(request: JsonRequest) -> None:
    """Let only those go on who proved within the time that is set who they are, and with a second factor if they have one.

    No API key can. Raises `StepUpRequired`, `SessionRequired`.
    """
    caller = request.user
    assert caller is not None, "whoever may do this has signed in"
    if caller.key_id is not None:
        raise SessionRequired
    process = runtime_of(request)
    seconds = process.settings.step_up_minutes * 60
    fresh = time.time() - caller.authenticated_at < seconds
    if fresh and (caller.two_factors or not caller.factor_expected):
        return
    user = fold(await read_stream(process.writer, process.keys, caller.user_id))
    headers = {"WWW-Authenticate": _challenge(caller, seconds)}
    if PASSKEY not in user.factors.steps:
        raise StepUpRequired(user.factors.steps or (PASSWORD,), headers=headers)
    now = datetime.now(UTC)
    token, expires_in = await step_up_challenge(process.writer, process.rules, caller.user_id, caller.session_id, now)
    raise StepUpRequired(user.factors.steps, token, expires_in, headers=headers)


def _challenge(caller: Caller, seconds: int) -> str:
    """RFC 9470 section 3."""
    wanted = f', acr_values="{TWO_FACTORS}"' if caller.factor_expected else ""
    return (
        f'Bearer realm="muster", error="insufficient_user_authentication", '
        f'error_description="{meaning(StepUpRequired)}", max_age="{seconds}"{wanted}'
    )
