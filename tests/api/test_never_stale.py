"""An answer reflects what was demanded, whatever this process believes, and comes from the table that serves."""

from typing import Any

import pytest

from events.connections import connect
from projections.keeping import Store
from projections.models import BY_NAME
from projections.read_model import ReadModel
from projections.rebuilding import Rebuilding
from projections.user_days import USER_DAYS
from projections.user_names import USER_NAMES
from projections.users import USERS
from tests.api.site import Site
from tests.support import until

PATHS: dict[str, ReadModel[Any]] = {
    "/v1/me": USERS,
    "/v1/users": USERS,
    "/v1/users?sort=name": USER_NAMES,
    "/v1/statistics/registrations": USER_DAYS,
}


@pytest.mark.parametrize("path", PATHS)
async def test_a_position_that_was_only_announced_is_not_taken_for_reached(fresh: Site, path: str):
    position = await fresh.head()
    await fresh.seen(fresh.administrator)
    positions, view = fresh.app.process.positions, PATHS[path].view
    anyone = await connect(fresh.database.url("reader"), "anyone")
    for model in BY_NAME.values():
        for partition in range(2):
            await anyone.execute(f"NOTIFY projected, '{positions.serving(model.view)}:{partition}:{2**62}'")
    await anyone.close()

    async def believed() -> bool:
        return positions.position(view) == 2**62

    await until(believed)
    demand = {"Min-Position": str(position + 1_000), "Prefer": "wait=10"}
    answer = await fresh.get(path, fresh.administrator, headers=demand)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (503, "view-behind")
    assert answer.headers["retry-after"]
    demand = {"Min-Position": str(position), "Prefer": "wait=10"}
    answer = await fresh.get(path, fresh.administrator, headers=demand)
    assert answer.status_code == 200
    assert position <= int(answer.headers["event-position"]) < position + 1_000


@pytest.mark.parametrize("path", [path for path in PATHS if "statistics" not in path])
async def test_a_process_that_has_not_heard_of_a_swap_answers_from_what_serves_all_the_same(fresh: Site, path: str):
    """The table that it knows may stand still by now, and others have been answered from the one that serves."""
    model, database = PATHS[path], fresh.database
    positions = fresh.app.process.positions
    store = Store(database.url("projector"), database.role("reader"), [database.master_key])
    await fresh.seen(fresh.administrator)
    await fresh.get(path, fresh.administrator)
    positions._wakeups._heard.clear()  # deaf from now on
    rebuilt = await Rebuilding(store, model, 2).run(0)
    assert positions.serving(model.view) != rebuilt
    answer = await fresh.get(path, fresh.administrator)
    assert answer.status_code == 200, answer.text
    assert positions.serving(model.view) == rebuilt
