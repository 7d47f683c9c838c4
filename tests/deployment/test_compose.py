"""compose.yaml, as far as it can be checked without an engine: settings, secrets, images, and what each service may do."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import SettingsRefused, described, load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text("utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = ("migrate", "api", "worker")

ENVIRONMENT = {
    "MUSTER_DOMAIN": "users.example.com",
    "MUSTER_MAIL_FROM": "Muster <no-reply@example.com>",
    "MUSTER_MASTER_KEY": "mF7kzJv3Yx1nq8Tt0bWc5RdLhA2sUeOg9PiQwZyXK4E",
    "MUSTER_SECRET": "Q0rN5tVx8zA1cE3gI6kM9oP2sU4wY7bD0fH5jL8nR1U",
    "POSTGRES_PASSWORD": "superuser",
    "OWNER_PASSWORD": "owner",
    "VALKEY_PASSWORD": "valkey",
}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[?-])(?P<default>[^}]*))?\}")


def interpolated(text: str, environ: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, how, default = found["name"], found["how"], found["default"]
        if environ.get(name):
            return environ[name]
        assert how == "-", f"{name} is required"
        return default

    return VARIABLE.sub(value, text).replace("$$", "$")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(interpolated(TEXT, ENVIRONMENT))["services"]
    return found


@pytest.mark.parametrize("name", OURS)
def test_what_it_sets_is_a_setting(services, name) -> None:
    known = {variable for variable, _, _ in described()}
    given = {variable for variable in services[name]["environment"] if variable.startswith("MUSTER_")}
    assert given <= known


@pytest.mark.parametrize("name", OURS)
def test_every_process_of_ours_starts_in_production_with_what_it_is_given(services, name) -> None:
    settings = load(services[name]["environment"])
    assert settings.environment == "production"
    assert settings.base_url == "https://users.example.com"


@pytest.mark.parametrize("name", OURS)
def test_every_setting_that_is_required_is_given(services, name) -> None:
    for variable, default, _ in described():
        if default == "required":
            kept = {key: value for key, value in services[name]["environment"].items() if key != variable}
            with pytest.raises(SettingsRefused, match=variable):
                load(kept)


def test_only_the_migration_knows_the_owner(services) -> None:
    assert "owner@" in services["migrate"]["environment"]["MUSTER_DATABASE_URL"]
    for name in ("api", "worker"):
        assert "@" not in services[name]["environment"]["MUSTER_DATABASE_URL"]


def test_no_secret_has_a_default() -> None:
    for found in VARIABLE.finditer(TEXT):
        if re.search("PASSWORD|SECRET|KEY", found["name"]):
            assert found["how"] == "?" or found[0] == "${MUSTER_PREVIOUS_MASTER_KEYS:-}", found["name"]


@pytest.mark.parametrize("missing", sorted(ENVIRONMENT))
def test_it_does_not_start_without(missing) -> None:
    with pytest.raises(AssertionError, match=missing):
        interpolated(TEXT, {**ENVIRONMENT, missing: ""})


def test_what_it_wants_is_told_at_its_top() -> None:
    told = set(re.findall(r"\b(?:MUSTER|POSTGRES|OWNER|VALKEY)_[A-Z_]+\b", TEXT.split("\nname:")[0]))
    assert told == {found["name"] for found in VARIABLE.finditer(TEXT)}


@pytest.mark.parametrize("name", SERVICES)
def test_its_image_is_pinned_to_a_version(name) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert re.match(r"\d", tag), SERVICES[name]["image"]


def test_our_image_carries_our_version_and_is_asked_of_no_registry() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    for name in (*OURS, "mail"):
        assert SERVICES[name]["image"] == f"muster:{version}"
        assert SERVICES[name]["pull_policy"] == "build"


@pytest.mark.parametrize("name", SERVICES)
def test_it_may_do_little(name) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    if not service["image"].startswith("muster:") and name != "caddy":
        assert service["user"] != "root"


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_watched_or_says_that_it_is_not(name) -> None:
    assert SERVICES[name].get("healthcheck") or name == "worker"


def test_only_the_proxy_publishes_ports() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]


def test_what_scales_has_no_name_or_port_of_its_own() -> None:
    for name in ("api", "worker"):
        assert not {"container_name", "ports", "hostname"} & SERVICES[name].keys()


def test_data_are_in_a_network_without_a_way_out(services) -> None:
    networks = yaml.safe_load(TEXT)["networks"]
    assert services["postgres"]["networks"] == services["valkey"]["networks"] == ["data"]
    assert networks["data"]["internal"] is True
    assert networks["proxy"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "proxy" in service["networks"]} == {"api", "caddy"}


def test_the_api_believes_the_proxys_network_and_no_other(services) -> None:
    (network,) = yaml.safe_load(interpolated(TEXT, ENVIRONMENT))["networks"]["proxy"]["ipam"]["config"]
    assert services["api"]["environment"]["MUSTER_TRUSTED_PROXIES"] == network["subnet"]


def test_files_that_it_mounts_are_there() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [ROOT / file for file in mounted if file.startswith("./")]
    assert len(files) == 2
    assert all(file.is_file() for file in files)


def test_named_volumes_are_declared() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {name for name in mounted if not name.startswith(".")} == yaml.safe_load(TEXT)["volumes"].keys()


def test_docker_compose_takes_it(tmp_path) -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("`docker compose` is not installed")
    told = subprocess.run(
        [docker, "compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"],
        env={"PATH": str(Path(docker).parent), "HOME": str(tmp_path), **ENVIRONMENT},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr


def test_caddy_takes_its_file() -> None:
    caddy = shutil.which("caddy")
    if not caddy:
        pytest.skip("`caddy` is not installed")
    told = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", str(ROOT / "docs/compose/Caddyfile")],
        env={"MUSTER_DOMAIN": "users.example.com", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
