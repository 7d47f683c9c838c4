"""Not there for processes that tests start, as it is not where Muster runs: only the benchmarks' peer needs it.

A library that a worker uses imports it wherever it is, which takes each of these processes a tenth of a second.
"""

raise ImportError("Only benchmarks have this.")
