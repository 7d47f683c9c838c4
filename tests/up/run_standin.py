"""`muster up --json` with the stand-in for Muster's own commands."""

import os
import sys
from pathlib import Path

import click

from api.running import run


@click.command
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--port", type=int)
@click.option("--host", default="127.0.0.1")
def main(data: Path, port: int, host: str) -> None:
    standin = Path(__file__).with_name("standin.py")
    sys.exit(run(data, host, port, os.environ, as_json=True, muster=(sys.executable, str(standin))))


if __name__ == "__main__":
    main()
