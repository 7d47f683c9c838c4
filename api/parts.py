"""What `muster up` runs: which servers, with which settings, in which order."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Mapping, Sequence

from api.datafolder import DataFolder
from api.embedded import Postgres, Server, Valkey
from api.own_servers import check_database, check_redis, check_smtp, without_user
from api.ports import LOOPBACK
from api.processes import Program, size
from api.supervisor import GaveUp, Part, Supervisor
from settings import load

__all__ = ["MUSTER", "STOPPING", "Parts"]

MUSTER = (sys.executable, "-P", "-m", "api.cli")
STOPPING = (("api", "worker"), ("mail",), ("valkey",), ("postgres",))


class Parts:
    """Everything that runs for one data folder, embedded or the user's own, and the settings that it gets."""

    def __init__(
        self, folder: DataFolder, environ: Mapping[str, str], host: str, port: int, muster: Sequence[str] = MUSTER
    ) -> None:
        """`muster` is how the command is called. Raises `CannotStart`, or `SettingsRefused` for settings that are wrong."""
        self.folder = folder
        self.api = f"http://{_reachable(host)}:{port}"
        self._muster = muster
        self._connects_to = (_reachable(host).strip("[]"), port)
        kept = folder.secrets()
        ports = folder.ports("database", "redis", "smtp")
        own = {name: value for name, value in environ.items() if value}
        self.postgres = (
            None
            if "MUSTER_DATABASE_URL" in own
            else Postgres(
                folder.path,
                port=ports["database"],
                owner_password=kept["owner_password"],
                superuser_password=kept["superuser_password"],
            )
        )
        self.valkey = (
            None
            if "MUSTER_REDIS_URL" in own
            else Valkey(folder.path, port=ports["redis"], password=kept["valkey_password"])
        )
        self._smtp_port = None if "MUSTER_SMTP_URL" in own else ports["smtp"]
        self.maildir = None if self._smtp_port is None else folder.mail
        chosen = {
            "MUSTER_ENVIRONMENT": "development",
            "MUSTER_BASE_URL": self.api,
            "MUSTER_MASTER_KEY": kept["MUSTER_MASTER_KEY"],
            "MUSTER_SECRET": kept["MUSTER_SECRET"],
            "MUSTER_DATABASE_URL": self.postgres.url if self.postgres else "",
            "MUSTER_REDIS_URL": self.valkey.url if self.valkey else "",
            "MUSTER_SMTP_URL": f"smtp://{LOOPBACK}:{self._smtp_port}",
        }
        self.chosen = {name: value for name, value in chosen.items() if name not in own}
        """What nobody but this data folder knows; what the user gave is the user's to keep."""
        self.environment = {
            **chosen,
            **own,
            "MUSTER_HOST": host,
            "MUSTER_PORT": str(port),
            "MUSTER_DATA": str(folder.path),
            "PYTHONUNBUFFERED": "1",
        }
        self.settings = load(self.environment)

    async def start(self, supervisor: Supervisor) -> str | None:
        """Come back when everything is ready, with the first administrator's sign-up link as long as it is wanted."""
        admin_signup, *_ = await asyncio.gather(
            self._database(supervisor),
            _keep(supervisor, self.valkey) if self.valkey else check_redis(self.settings.redis_url),
            self._mail(supervisor),
        )
        worker = self._program("worker", *self._muster, "worker")
        first_words = _FirstWords(worker)
        await asyncio.gather(
            supervisor.keep(Part(self._program("api", *self._muster, "api"), self._api_answers)),
            supervisor.keep(Part(worker, first_words.spoken, first_words.listen)),
        )
        return admin_signup

    async def _database(self, supervisor: Supervisor) -> str | None:
        url = self.settings.database_url
        await (_keep(supervisor, self.postgres) if self.postgres else check_database(url))
        migrate = self._program("migrate", *self._muster, "migrate", "--json")
        owner = {**self.environment, "MUSTER_DATABASE_URL": url}
        printed = await supervisor.once(migrate._replace(environment=owner))
        try:
            found: str | None = json.loads(printed.decode().splitlines()[-1])["admin_signup"]
        except (ValueError, LookupError, TypeError):
            raise GaveUp(f"The migration has ended without its result. Its log is {migrate.log}.") from None
        return found

    async def _mail(self, supervisor: Supervisor) -> None:
        if self._smtp_port is None:
            if problem := await check_smtp(self.settings.smtp_url):
                supervisor.tell(problem)
            return
        catcher = (sys.executable, "-P", "-m", "api.mailcatcher", "--port", str(self._smtp_port), str(self.folder.mail))
        program = self._program("mail", *catcher)
        no_secrets = {name: value for name, value in program.environment.items() if not name.startswith("MUSTER_")}
        await supervisor.keep(Part(program._replace(environment=no_secrets), self._mail_answers))

    def _program(self, name: str, *arguments: str) -> Program:
        return Program(
            name=name,
            arguments=arguments,
            environment={**self.environment, "MUSTER_DATABASE_URL": without_user(self.settings.database_url)},
            folder=self.folder.path,
            log=self.folder.logs / f"{name}.log",
            lock=self.folder.path / "run" / f"{name}.lock",
            grace=15,  # the API gives the requests that it has taken eight seconds
        )

    async def _api_answers(self) -> bool:
        host, port = self._connects_to
        answer = await _first_line(host, port, f"GET /readyz HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
        return answer.split(b" ")[1:2] == [b"200"]

    async def _mail_answers(self) -> bool:
        assert self._smtp_port
        return (await _first_line(LOOPBACK, self._smtp_port, b"")).startswith(b"220")


def _keep(supervisor: Supervisor, server: Server) -> Awaitable[None]:
    return supervisor.keep(Part(server.program, server.ready, server.prepare, patience=600))


class _FirstWords:
    """Whether a process that answers no questions is ready: it has said something in its log and not died of it."""

    LONGEST_SILENCE = 3.0
    """Seconds; one that is told to log little may say nothing."""

    def __init__(self, program: Program) -> None:
        self._log = program.log

    def listen(self) -> None:
        """Take note of what was there before it starts."""
        self._before = size(self._log)
        self._begun = time.monotonic()

    async def spoken(self) -> bool:
        """Whether it has said something and lived on, or has lived for long."""
        if size(self._log) > self._before:
            await asyncio.sleep(0.1)
            return True
        return time.monotonic() - self._begun > self.LONGEST_SILENCE


async def _first_line(host: str, port: int, question: bytes) -> bytes:
    """How the answer begins; empty when there is none within five seconds."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 5)
    except (OSError, TimeoutError):
        return b""
    try:
        writer.write(question)
        return await asyncio.wait_for(reader.readline(), 5)
    except (OSError, ValueError, TimeoutError):
        return b""
    finally:
        writer.close()


def _reachable(host: str) -> str:
    """The host as it stands in a URL; for every address of the machine, the loopback one."""
    host = {"0.0.0.0": LOOPBACK, "": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - not listening, looking
    return f"[{host}]" if ":" in host else host
