"""`muster users`: inviting somebody, seeing who was invited, and taking an invitation back."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import click
from msgspec.structs import astuple

from api.acting import Done, Operator, asks
from api.arguments import Text, all_option, json_option, limit_option
from api.looking import reading, tell
from api.operating import operate
from api.tables import Table
from commands.roles import ROLES
from settings import Settings, master_keys

if TYPE_CHECKING:
    from commands.lapse_invitation import OpenInvitation

__all__ = ["INVITATIONS"]


@click.command()
@click.argument("email", type=Text())
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(sorted(ROLES)), help="What they may do, once they are there."
)
@click.option("--display-name", type=Text(), metavar="NAME", help="What to call the person.")
@click.option("--locale", type=Text(), metavar="TAG", help="A language tag (BCP 47), as en-GB.")
@click.option("--hours", type=click.IntRange(1, 720), help="For how long it can be accepted.")
@asks
async def invite(
    operator: Operator,
    email: str,
    roles: tuple[str, ...],
    display_name: str | None,
    locale: str | None,
    hours: int | None,
) -> Done:
    """Mail a link to an address, with which its owner chooses a password and becomes a user.

    The ID that is told is that of the invitation. An address that someone has proved is refused.
    """
    from commands.invite_user import InviteUser

    return await operator.ask(InviteUser(email, None, roles, display_name, locale, hours))


class _Page(NamedTuple):
    items: "list[OpenInvitation]"
    next: UUID | None


@click.command()
@limit_option
@all_option
@click.option("--after", type=click.UUID, metavar="ID", help="Those that stand after this one in the list.")
@json_option
def invitations(limit: int, after: UUID | None, *, everything: bool, json: bool) -> None:
    """List the invitations that wait for an answer, the oldest first.

    BY is the user who sent it, and nobody where that was an operator. Those that were accepted or withdrawn, or have
    lapsed, are not listed: their addresses are forgotten.
    """

    async def work(settings: Settings) -> None:
        from commands.lapse_invitation import FIRST, open_invitations
        from events.data_keys import DataKeys
        from events.keys import local_keyring

        keys = DataKeys(local_keyring(master_keys(settings)))
        async with reading(settings, "writer") as connection:  # nobody else may read the claims

            async def ask(after: UUID | None, limit: int) -> Any:
                _, found, last = await open_invitations(
                    connection, keys, datetime.now(UTC), after=after or FIRST, limit=limit
                )
                return _Page(found, last)

            table = Table("ID", "ADDRESS", "ROLES", "NAME", "LOCALE", "BY", "SENT (UTC)", "EXPIRES (UTC)")
            await tell(ask, after, None if everything else limit, table, astuple, json=json)

    operate("muster users invitations", work)


@click.command()
@click.argument("invitation", type=click.UUID)
@asks
async def withdraw_invitation(operator: Operator, invitation: UUID) -> Done:
    """Take an INVITATION back, by its id: the link opens nothing any more, and the address is forgotten.

    One that was accepted is refused; muster users suspend shuts out whoever came of it. Safe to repeat.
    """
    from commands.invite_user import WithdrawInvitation

    return await operator.ask(WithdrawInvitation(invitation), invitation)


INVITATIONS: Final = (invite, invitations, withdraw_invitation)
