"""`muster users`: what changes a user. Twins of what administrators ask over HTTP."""

import sys
from typing import Final

import click

from api.acting import Done, Operator, act
from api.arguments import Field, json_option, reason_option, user_argument
from api.operating import refuse
from commands.roles import ROLES

__all__ = ["CHANGES"]

_role = click.argument("role", type=click.Choice(sorted(ROLES)))


@click.command()
@click.argument("email", type=Field("Email"))
@click.option("--display-name", type=Field("DisplayName"), metavar="NAME", help="What to call the person.")
@click.option("--locale", type=Field("Locale"), metavar="TAG", help="A language tag (BCP 47), as en-GB.")
@reason_option
@json_option
def register(email: str, display_name: str | None, locale: str | None, reason: str | None, *, json: bool) -> None:
    """Register someone who has this address.

    The password is asked for, or is the first line of standard input when that is no terminal. It is no argument:
    those can be seen by other users of the machine.

    A link that proves the address is mailed to it, and nobody can sign in before it was followed. An address that
    someone has proved is refused; an earlier registration that nobody proved gives way to this one.
    """
    password = _password()

    async def asked(operator: Operator) -> Done:
        from commands.register_user import RegisterUser

        return await operator.ask(RegisterUser(email, password, display_name, locale, disclose=True))

    act("muster users register", asked, reason, json=json)


@click.command()
@user_argument
@click.argument("name", type=Field("DisplayName"), required=False)
@click.option("--none", "nameless", is_flag=True, help="By no name any more.")
@reason_option
@json_option
def rename(user: str, name: str | None, reason: str | None, *, nameless: bool, json: bool) -> None:
    """Call USER by another NAME, or with --none by no name."""
    if (name is None) is not nameless:
        refuse("muster users rename: give either a name or --none.")

    async def asked(operator: Operator) -> Done:
        from commands.change_display_name import ChangeDisplayName

        user_id = await operator.user(user)
        return await operator.ask(ChangeDisplayName(user_id, name), user_id)

    act("muster users rename", asked, reason, json=json)


@click.command()
@user_argument
@_role
@reason_option
@json_option
def grant(user: str, role: str, reason: str | None, *, json: bool) -> None:
    """Let USER have a ROLE, and what it permits.

    It takes effect within a second: access tokens of before count no longer, and clients get new ones by their refresh
    tokens. Safe to repeat.
    """

    async def asked(operator: Operator) -> Done:
        from commands.grant_role import GrantRole

        user_id = await operator.user(user)
        return await operator.ask(GrantRole(user_id, role), user_id)

    act("muster users grant", asked, reason, json=json)


@click.command()
@user_argument
@_role
@reason_option
@json_option
def revoke(user: str, role: str, reason: str | None, *, json: bool) -> None:
    """Take a ROLE from USER.

    It takes effect within a second, as granting does. Safe to repeat. One administrator always remains: the last one is
    refused.
    """

    async def asked(operator: Operator) -> Done:
        from commands.grant_role import RevokeRole

        user_id = await operator.user(user)
        return await operator.ask(RevokeRole(user_id, role), user_id)

    act("muster users revoke", asked, reason, json=json)


CHANGES: Final = (register, rename, grant, revoke)


def _password() -> str:
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        given = sys.stdin.buffer.readline().decode()
    except UnicodeDecodeError:
        refuse("muster users register: the password on standard input is not UTF-8.")
    return given.removesuffix("\n").removesuffix("\r")
