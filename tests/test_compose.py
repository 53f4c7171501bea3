"""deploy/compose.yaml without a container engine: its files, and the queries of its dashboard."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests import needs
from tests.app.worker_group import eventually
from tests.redis_server import free_port, running_redis
from tests.test_topologies import config, serving

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "segue.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_every_service_has_limits_and_restarts_and_mounts_files_that_exist() -> None:
    assert set(SERVICES) == {"nginx", "recommender", "redis", "prometheus", "grafana"}
    for name, each in SERVICES.items():
        assert set(each["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert each["restart"] == "unless-stopped"
        assert re.fullmatch(r"segue|[\w/]+:v?\d+\.\d+(\.\d+)?(-alpine)?", each["image"])
        for volume in each["volumes"]:
            source, target, *mode = volume.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert (DEPLOY / source).is_file()
                assert mode == ["ro"]
            else:
                assert source in COMPOSE["volumes"]


def test_services_wait_until_those_they_need_are_healthy() -> None:
    for name, needed in [("nginx", "recommender"), ("recommender", "redis")]:
        assert SERVICES[name]["depends_on"][needed] == {"condition": "service_healthy"}
        assert SERVICES[needed]["healthcheck"]["test"][0] == "CMD"


def test_only_nginx_and_the_monitoring_profile_have_ports_and_on_this_machine_alone() -> None:
    ports = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert set(ports) == {"nginx", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for found in ports.values() for port in found)
    profiles = {name: each.get("profiles") for name, each in SERVICES.items()}
    assert {name for name, found in profiles.items() if found} == {"prometheus", "grafana"}


def test_the_recommenders_serve_the_default_config_with_state_on_redis() -> None:
    theirs = yaml.safe_load((DEPLOY / "recommender.yaml").read_text())
    assert theirs.pop("state") == {"backend": "redis", "url": "redis://redis:6379/0"}
    assert theirs == yaml.safe_load((ROOT / "config.yaml").read_text())


def test_nginx_and_prometheus_name_the_service_and_the_ports_of_the_image() -> None:
    (command,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    arguments = json.loads(command)
    assert arguments[arguments.index("--port") + 1] == "8000"
    assert arguments[arguments.index("--admin-address") + 1] == "0.0.0.0:8001"
    assert (
        "server recommender:8000 resolve;" in (DEPLOY / "nginx-upstream-compose.conf").read_text()
    )
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert (found["names"], found["type"], found["port"]) == (["recommender"], "A", 8001)
    (source,) = yaml.safe_load((DEPLOY / "grafana/datasources.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    assert used == {source["uid"]}


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[str]:
    """Run a real Prometheus that scrapes these addresses every 0.2 s; give its address."""
    job = {"job_name": "segue", "scrape_interval": "200ms", "scrape_timeout": "200ms"}
    job |= {"static_configs": [{"targets": targets}]}
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    program = shutil.which("prometheus")
    assert program is not None
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            program, f"--config.file={folder}/prometheus.yml", f"--web.listen-address={address}",
            f"--storage.tsdb.path={folder}/data",
        ],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GOMAXPROCS": "1"},
    )  # fmt: skip
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(60)


@needs.program("prometheus")
@needs.program("redis-server")
def test_every_query_of_the_dashboard_finds_the_metrics_that_are_served(tmp_path: Path) -> None:
    """Two recommenders, scraped by a real Prometheus, with turns of all the kinds that it shows."""
    with running_redis(tmp_path / "redis") as redis:
        path = config(tmp_path / "served", redis)
        content = yaml.safe_load(path.read_text())
        content["state"]["timeout_ms"] = 50
        content["modules"] = ["faulty"]
        content["strategies"]["liked"] = {"type": "faulty", "fallback": "popular"}
        (tmp_path / "served" / "faulty.py").write_text(FAULTY)
        path.write_text(yaml.safe_dump(content))
        admin = [f"127.0.0.1:{free_port() + each}" for each in (0, 1)]
        with (
            serving(path, options=("--admin-address", admin[0])) as [(_, one)],
            serving(path, options=("--admin-address", admin[1])) as [(_, two)],
            prometheus(tmp_path / "prometheus", admin) as address,
        ):
            found: dict[str, Any] = {}

            def all_found() -> bool:
                for port in (one, two):
                    for user in range(20):
                        _ask(port, {"user": user})
                    _ask(port, {"user": ""})
                for query in QUERIES:
                    if query not in found:
                        _note(address, query, found)
                if not found.keys() ^ set(QUERIES) - {DEGRADED}:
                    redis.kill()  # and turns are decided without it from now on
                return found.keys() == set(QUERIES)

            eventually(lambda: _is_ready(address))
            eventually(all_found)
    instances = {each["metric"]["instance"] for each in found[QUERIES[0]]}
    assert instances == set(admin)


DEGRADED = next(query for query in QUERIES if "degraded" in query)
FAULTY = '''
from segue import Candidates, Listener, Params, strategy

@strategy("faulty", Params)
class Faulty:
    """Raises always."""

    def __init__(self, params, artifacts):
        pass

    def propose(self, listener):
        raise ValueError("always")
'''


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def _ask(port: int, body: dict[str, Any]) -> None:
    httpx.post(f"http://127.0.0.1:{port}/recommend", json=body, timeout=60)


def _note(address: str, query: str, found: dict[str, Any]) -> None:
    """Keep the answer of a query once it has a value above 0."""
    answer = httpx.get(f"{address}/api/v1/query", params={"query": query}, timeout=60).json()
    assert answer["status"] == "success", (query, answer)
    rows = answer["data"]["result"]
    if any(float(row["value"][1]) > 0 for row in rows):
        found[query] = rows


@pytest.mark.skipif(
    subprocess.run(
        [shutil.which("docker") or sys.executable, "compose", "version"], capture_output=True
    ).returncode
    != 0,
    reason="not here: docker compose",
)
def test_docker_compose_takes_the_file() -> None:
    command = ["docker", "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    assert subprocess.run(command, capture_output=True).returncode == 0
