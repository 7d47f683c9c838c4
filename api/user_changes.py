"""`muster users`: what changes an account. Most are twins of what administrators ask over HTTP."""

import sys
from typing import Final

import click

from api.acting import Done, Operator, asks
from api.arguments import Text, user_argument
from api.operating import refuse
from commands.roles import ROLES

__all__ = ["CHANGES"]

_role = click.argument("role", type=click.Choice(sorted(ROLES)))


@click.command()
@click.argument("email", type=Text())
@click.option("--display-name", type=Text(), metavar="NAME", help="What to call the person.")
@click.option("--locale", type=Text(), metavar="TAG", help="A language tag (BCP 47), as en-GB.")
@asks
async def register(operator: Operator, email: str, display_name: str | None, locale: str | None) -> Done:
    """Register someone who has this address.

    The password is asked for, or is the first line of standard input when that is no terminal. It is no argument:
    those can be seen by other users of the machine.

    A link that proves the address is mailed to it, and nobody can sign in before it was followed. An address that
    someone has proved is refused; an earlier registration that nobody proved gives way to this one.
    """
    from commands.register_user import RegisterUser

    return await operator.ask(RegisterUser(email, _password(), display_name, locale, disclose=True))


def _password() -> str:
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        given = sys.stdin.buffer.readline().decode()
    except UnicodeDecodeError:
        refuse("The password on standard input is not UTF-8.")
    return given.removesuffix("\n").removesuffix("\r")


@click.command()
@user_argument
@_role
@asks
async def grant(operator: Operator, user: str, role: str) -> Done:
    """Let USER have a ROLE, and what it permits.

    It takes effect within a second: access tokens of before count no longer, and clients get new ones by their refresh
    tokens. Safe to repeat.
    """
    from commands.grant_role import GrantRole

    user_id = await operator.user(user)
    return await operator.ask(GrantRole(user_id, role), user_id)


@click.command()
@user_argument
@_role
@asks
async def revoke(operator: Operator, user: str, role: str) -> Done:
    """Take a ROLE from USER.

    It takes effect within a second, as granting does. Safe to repeat. One administrator always remains: the last one is
    refused.
    """
    from commands.grant_role import RevokeRole

    user_id = await operator.user(user)
    return await operator.ask(RevokeRole(user_id, role), user_id)


@click.command()
@user_argument
@asks
async def suspend(operator: Operator, user: str) -> Done:
    """Shut USER out until they are reinstated.

    Every session ends within a second, and links that were mailed open nothing. Safe to repeat. One administrator always
    remains: the last one is refused.
    """
    from commands.suspend_user import SuspendUser

    user_id = await operator.user(user)
    return await operator.ask(SuspendUser(user_id), user_id)


@click.command()
@user_argument
@asks
async def reinstate(operator: Operator, user: str) -> Done:
    """Let USER in again who was suspended. Safe to repeat."""
    from commands.suspend_user import ReinstateUser

    user_id = await operator.user(user)
    return await operator.ask(ReinstateUser(user_id), user_id)


@click.command()
@user_argument
@asks
async def unlock(operator: Operator, user: str) -> Done:
    """Let any device sign in as USER again.

    That is what too many wrong passwords lock. A lock passes by itself, and its owner can lift it by the link that was mailed. Safe to repeat.
    """
    from commands.unlock_user import UnlockUser

    user_id = await operator.user(user)
    return await operator.ask(UnlockUser(user_id), user_id)


@click.command()
@user_argument
@asks
async def resend_verification(operator: Operator, user: str) -> Done:
    """Mail USER once more the link that proves the address.

    The newest link works, and those of before do not. Who has proved the address, is suspended, or was mailed five such
    links within the hour, is mailed none; then nothing is recorded.
    """
    from commands.request_verification import RequestVerification

    user_id = await operator.user(user)
    done = await operator.ask(RequestVerification(user_id), user_id)
    if not done.changed:
        click.echo(
            "No link is mailed: there is no such user, nothing to prove, a suspension, or five within the hour.",
            err=True,
        )
    return done


@click.command()
@user_argument
@asks
async def reset_password(operator: Operator, user: str) -> Done:
    """Mail USER a link with which to choose a new password.

    Nothing else changes before the link is followed: the present password and all sessions stay. Nobody sets another's
    password. Somebody who is suspended, or was mailed five such links within the hour, is mailed none; then nothing is
    recorded.
    """
    from commands.request_password_reset import RequestPasswordResetOf

    user_id = await operator.user(user)
    done = await operator.ask(RequestPasswordResetOf(user_id), user_id)
    if not done.changed:
        click.echo("No link is mailed: the user is suspended, or was mailed five within the hour.", err=True)
    return done


@click.command()
@user_argument
@asks
async def remove_factors(operator: Operator, user: str) -> Done:
    """Take every second factor from USER, who has lost them.

    The authenticator app, passkeys and recovery codes count no longer; the password is enough from then on, and USER is
    told by mail. Make sure first who asks: whoever has the password as well is in. Nobody can do this over HTTP. Safe to
    repeat.
    """
    from commands.remove_factors import RemoveFactors

    user_id = await operator.user(user)
    return await operator.ask(RemoveFactors(user_id), user_id)


@click.command()
@user_argument
@asks
async def withdraw_erasure(operator: Operator, user: str) -> Done:
    """Keep the account of USER, who has asked to be erased and is not yet.

    It goes on as before; USER can ask again. Of somebody who was erased nothing can be kept. Safe to repeat.
    """
    from commands.withdraw_erasure import WithdrawErasure

    user_id = await operator.user(user)
    return await operator.ask(WithdrawErasure(user_id), user_id)


CHANGES: Final = (
    *(register, grant, revoke, suspend, reinstate, unlock),
    *(resend_verification, reset_password, remove_factors, withdraw_erasure),
)
