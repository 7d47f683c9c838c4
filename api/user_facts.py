"""`muster users`: what changes the facts of a profile, and what is noted beside it."""

from typing import Any, Final

import click
from msgspec import UNSET

from api.acting import Done, Operator, asks
from api.arguments import Entries, Text, user_argument
from api.operating import refuse

__all__ = ["FACTS"]

UNSETTABLE: Final = ("display-name", "locale", "time-zone", "picture-url")


@click.command()
@user_argument
@click.argument("name", type=Text())
@asks
async def rename(operator: Operator, user: str, name: str) -> Done:
    """Call USER by another NAME. Safe to repeat."""
    from commands.change_display_name import ChangeDisplayName

    user_id = await operator.user(user)
    return await operator.ask(ChangeDisplayName(user_id, name), user_id)


@click.command("set")
@user_argument
@click.option("--display-name", type=Text(), metavar="NAME", help="What to call the person.")
@click.option("--locale", type=Text(), metavar="TAG", help="A language tag (BCP 47), as en-GB.")
@click.option("--time-zone", type=Text(), metavar="ZONE", help="A time zone, as Europe/London.")
@click.option("--picture-url", type=Text(), metavar="URL", help="An https URL; it is never fetched.")
@click.option(
    "--unset", type=click.Choice(UNSETTABLE), multiple=True, help="Take this away; may be given several times."
)
@asks
async def set_facts(
    operator: Operator,
    user: str,
    display_name: str | None,
    locale: str | None,
    time_zone: str | None,
    picture_url: str | None,
    unset: tuple[str, ...],
) -> Done:
    """Change the profile of USER.

    What is given changes, what is not stays. Either all of it changes or nothing, and each fact that changes is an event
    of its own. Safe to repeat.
    """
    from commands.change_profile import ChangeProfile

    given = {"display_name": display_name, "locale": locale, "time_zone": time_zone, "picture_url": picture_url}
    facts: dict[str, Any] = {name: UNSET if value is None else value for name, value in given.items()}
    for option in unset:
        if facts[option.replace("-", "_")] is not UNSET:
            refuse(f"--{option} cannot be both given and unset.")
        facts[option.replace("-", "_")] = None
    if all(value is UNSET for value in facts.values()):
        refuse("Say what to change: see --help.")
    user_id = await operator.user(user)
    return await operator.ask(ChangeProfile(user_id, **facts), user_id)


@click.command()
@user_argument
@click.option(
    "--own", type=Entries(), metavar="JSON", help="Entries of the compartment that the user sees and changes."
)
@click.option(
    "--admin", type=Entries(), metavar="JSON", help="Entries of the compartment that only administrators see."
)
@click.option("--replace", is_flag=True, help="Put them in the place of all entries of the compartment.")
@asks
async def metadata(
    operator: Operator, user: str, own: dict[str, Any] | None, admin: dict[str, Any] | None, *, replace: bool
) -> Done:
    """Change what is noted about USER.

    JSON is an object, or - to read it from standard input. It is merged into what there is (RFC 7396): null removes an
    entry, objects are merged into objects. A compartment has at most 64 entries and 8 KiB. muster users show tells what is
    there. Safe to repeat.

    \b
    muster users metadata ada@example.com --admin '{"plan": "gold"}'
    """
    from commands.change_metadata import ChangeMetadata

    if own is None and admin is None:
        refuse("Say what to change, with --own or --admin.")
    user_id = await operator.user(user)
    entries = (UNSET if own is None else own, UNSET if admin is None else admin)
    return await operator.ask(ChangeMetadata(user_id, *entries, replace=replace), user_id)


FACTS: Final = (rename, set_facts, metadata)
