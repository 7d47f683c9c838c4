"""`muster service-accounts`: accounts of programs."""

import click

from api.acting import Done, Operator, asks
from api.arguments import Text

__all__ = ["service_accounts"]


@click.group()
def service_accounts() -> None:
    """Make accounts for programs, which nobody signs in to.

    What is done to users is done to them with muster users. Their API keys are issued over HTTP, to whoever is to hand them on.
    """


@service_accounts.command()
@click.argument("name", type=Text())
@click.option("--description", type=Text(), metavar="TEXT", help="What it is for.")
@asks
async def create(operator: Operator, name: str, description: str | None) -> Done:
    """Make an account for a program that is called NAME.

    It may do what the roles say that it is granted: muster users grant. It has no address and no password, and is entered by API
    keys alone.
    """
    from commands.create_service_account import CreateServiceAccount

    return await operator.ask(CreateServiceAccount(name, description))
