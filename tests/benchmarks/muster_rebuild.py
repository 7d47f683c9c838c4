"""One rebuild of the view of users, all of it in this process: prints how many seconds it took until the new table served."""

import sys
import time
from urllib.parse import urlsplit

import uvloop

from events.connections import connect
from events.migrations.roles import role_names, role_url
from projections.dropping import drop_kept
from projections.keeping import Store
from projections.rebuilding import Rebuilding
from projections.users import USERS
from settings import Settings, key_bytes, load, master_keys


async def main(settings: Settings) -> float:
    """Seconds. What served before is dropped afterwards, so that nothing else is projected on."""
    database = urlsplit(settings.database_url).path.lstrip("/")
    url = role_url(settings.database_url, "projector", key_bytes(settings.secret))
    store = Store(url, role_names(database)["reader"], master_keys(settings))
    begun = time.perf_counter()
    await Rebuilding(store, USERS, settings.partitions).run(0)
    seconds = time.perf_counter() - begun
    connection = await connect(url, "dropping")
    await drop_kept(connection, USERS)
    await connection.close()
    return seconds


if __name__ == "__main__":
    sys.stdout.write(f"{uvloop.run(main(load()))}\n")
