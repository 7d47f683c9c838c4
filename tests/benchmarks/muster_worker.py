"""`muster worker` as benchmarks need it: one that keeps some read models alone. The product has no such switch."""

import click

import projections.worker
from settings import load


@click.command()
@click.argument("names", nargs=-1, required=True)
def main(names: tuple[str, ...]) -> None:
    """Work as `muster worker` does, with the settings of the environment, on these read models and nothing else."""
    worker = vars(projections.worker)
    worker["MODELS"] = tuple(model for model in worker["MODELS"] if model.name in names)
    worker["REACTIONS"] = ()
    assert len(worker["MODELS"]) == len(names)
    projections.worker.main(load())


if __name__ == "__main__":
    main()
