"""The library's `ProjectionRunner` in a process of its own, with the library's settings: prints its events a second."""

import sys
import time
from typing import Final

from eventsourcing.projection import ProjectionRunner

from tests.benchmarks.library_users import Users, UsersProjection, UsersView

PATIENCE: Final = 30.0


def main(warm_up: float, seconds: float) -> float:
    """Events a second of a window after the warm-up, which begins with the first event. Fails when the log ends in it."""
    with ProjectionRunner(application_class=Users, projection_class=UsersProjection, view_class=UsersView) as runner:
        head = runner.app.recorder.max_notification_id() or 0
        deadline = time.monotonic() + PATIENCE
        while not runner.view.max_tracking_id(Users.name):
            assert time.monotonic() < deadline, "the runner does not begin"
            time.sleep(0.01)
        time.sleep(warm_up)
        begun, first = time.perf_counter(), int(runner.view.max_tracking_id(Users.name) or 0)
        time.sleep(seconds)
        last, ended = int(runner.view.max_tracking_id(Users.name) or 0), time.perf_counter()
        assert not runner.is_interrupted.is_set(), "the runner has stopped"
        assert first < last < head, f"the runner went from {first} to {last} of {head}"
    return (last - first) / (ended - begun)


if __name__ == "__main__":
    sys.stdout.write(f"{main(float(sys.argv[1]), float(sys.argv[2]))}\n")
