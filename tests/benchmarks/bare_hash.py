"""The bare hash function, half hashing and half verifying, on some threads: prints how often a second."""

import os
import sys
import threading
import time

from argon2 import PasswordHasher, Type

from commands.passwords import NICENESS
from tests.benchmarks.requests import PASSWORD


def main(threads: int, seconds: float) -> float:
    """Hashes and verifications a second, at Muster's cost and on threads that are niced as Muster's are."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        hashed = hasher.hash(PASSWORD)
        while time.perf_counter() < end:
            hashed = hasher.hash(PASSWORD)
            hasher.verify(hashed, PASSWORD)
            counts[number] += 2

    begun = time.perf_counter()
    working = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    return (sum(counts) + threads) / (time.perf_counter() - begun)


if __name__ == "__main__":
    sys.stdout.write(f"{main(int(sys.argv[1]), float(sys.argv[2]))}\n")
