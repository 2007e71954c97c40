"""Compose, Kubernetes and systemd files: valid for their own tools, and consistent with the settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from sandbox import config
from sandbox.processes.process_tree import ALLOCATOR_VARIABLES
from sandbox.telemetry.definitions import METRICS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
KUSTOMIZATIONS = sorted(KUBERNETES.rglob("kustomization.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
KUBERNETES_VERSION = "1.32"
FOREIGN_KINDS = {"ScaledObject", "Kustomization", "Component"}  # not part of Kubernetes' schemas
SETTINGS = {
    f"SANDBOX_{name.upper()}"
    for kind in (config.UpSettings, config.GpuSettings, config.ClientSettings)
    for name in kind.model_fields
}
Resource = dict[str, Any]


def _run_compose(*files: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `docker compose config` with the plugin or docker-compose. Skips the test if neither is installed."""
    plugin = ["docker", "compose"] if shutil.which("docker") else []
    if plugin and subprocess.run([*plugin, "version"], check=False, capture_output=True).returncode:
        plugin = []
    command = plugin or [shutil.which("docker-compose") or ""]
    if not command[0]:
        pytest.skip("no docker compose here: apt-get install docker-compose")
    named = [part for file in files for part in ("-f", str(DEPLOY / file))]
    return subprocess.run(
        [*command, *named, "config"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )


def _load_services(*files: str, **environment: str) -> Resource:
    done = _run_compose(*files, **environment)
    assert done.returncode == 0, done.stderr
    services: Resource = yaml.safe_load(done.stdout)["services"]
    return services


def _load_documents(path: Path) -> list[Resource]:
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


def _build_overlay(overlay: Path) -> list[Resource]:
    """Return the resources that kustomize builds from an overlay."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl here; the files alone are checked")
    done = subprocess.run([kubectl, "kustomize", str(overlay)], check=False, capture_output=True, text=True)
    if "unknown field" in done.stderr or "unknown command" in done.stderr:
        pytest.skip(f"this kubectl's kustomize is too old: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def _iterate_pods(resources: list[Resource]) -> Iterator[tuple[str, Resource]]:
    for each in resources:
        if each["kind"] in {"Deployment", "StatefulSet", "DaemonSet"}:
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def _collect_names(resources: list[Resource], kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in resources if each["kind"] == kind}


def test_compose_has_every_part_and_publishes_to_this_machine_alone() -> None:
    services = _load_services("compose.yaml", REDIS_PASSWORD="secret")
    assert {"redis", "api", "worker"} <= services.keys()
    declared = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert declared["gpu-worker"]["profiles"] == ["gpu"]
    assert declared["deliver"]["profiles"] == ["webhooks"]
    assert declared["session-host"]["profiles"] == ["sessions"]
    assert declared["session-host"]["environment"]["SANDBOX_HOME"] == declared["worker"]["environment"]["SANDBOX_HOME"]
    assert {"prometheus", "grafana"} <= declared.keys()
    for name, service in declared.items():
        for port in service.get("ports", []):
            assert str(port).startswith(("${SANDBOX_LISTEN:-127.0.0.1}:", "127.0.0.1:")), name


def test_compose_refuses_to_start_a_redis_without_a_password() -> None:
    done = _run_compose("compose.yaml")
    assert done.returncode != 0
    assert "REDIS_PASSWORD" in done.stderr + done.stdout or "deploy/.env" in done.stderr


def test_with_the_rootless_engine_the_worker_is_not_root_and_has_no_socket_of_roots_engine() -> None:
    files = ("compose.yaml", "compose.rootless.yaml")
    worker = _load_services(*files, REDIS_PASSWORD="secret", SANDBOX_ENGINE_UID="1001")["worker"]
    assert worker["user"] == "1001:1001"
    assert "/var/run/docker.sock:/var/run" not in str(worker["volumes"])
    assert worker["environment"]["DOCKER_HOST"] == "unix:///run/engine/docker.sock"


def test_every_file_that_compose_mounts_or_builds_from_is_there() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    named = re.findall(r"(?:- |:-)(\./[\w./-]+)", text) + re.findall(r"dockerfile: (\S+)", text)
    assert len(named) >= 6
    for name in named:
        assert (DEPLOY / name).exists() or (ROOT / name).exists(), name


def test_every_setting_in_these_files_is_one() -> None:
    """A setting that is never read is a mistake, in compose, in pods and in units."""
    found = set()
    for service in yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"].values():
        found |= set(service.get("environment", {}))
    for path in KUBERNETES.rglob("*.yaml"):
        found |= set(re.findall(r"(?:name: |- |key: )(SANDBOX_\w+)", path.read_text(encoding="utf-8")))
    for path in [*UNITS, DEPLOY / "systemd" / "sandbox.env.example"]:
        found |= set(re.findall(r"^(?:#|Environment=)?(SANDBOX_\w+)=", path.read_text(encoding="utf-8"), re.M))
    sandbox_settings = {name for name in found if name.startswith("SANDBOX_")}
    assert len(sandbox_settings) >= 10
    assert sandbox_settings <= SETTINGS


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_names_files_that_are_there_and_no_file_is_left_out(path: Path) -> None:
    (kustomization,) = _load_documents(path)
    named = [*kustomization.get("resources", []), *kustomization.get("components", [])]
    for name in named:
        target = path.parent / name
        assert target.is_file() or (target / "kustomization.yaml").is_file(), name
    assert {each.name for each in path.parent.glob("*.yaml")} == {
        "kustomization.yaml", *(name for name in named if name.endswith(".yaml"))
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(KUBERNETES.rglob("*.yaml")) if path.name != "kustomization.yaml"],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_a_resource_is_what_kubernetes_takes(path: Path) -> None:
    resources = _load_documents(path)
    assert resources, f"{path} has no resource"
    for resource in resources:
        assert {"apiVersion", "kind"} <= resource.keys()
        if resource["kind"] not in FOREIGN_KINDS:
            kubernetes_validate.validate(resource, KUBERNETES_VERSION, strict=True)  # raises


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_an_overlay_builds_and_is_what_kubernetes_takes(overlay: Path) -> None:
    resources = _build_overlay(overlay)
    for resource in resources:
        if resource["kind"] in {"Deployment", "DaemonSet"}:  # patched resources; the rest is checked as files
            kubernetes_validate.validate(resource, KUBERNETES_VERSION, strict=True)
    assert {"api", "worker"} <= {name.removesuffix("-on-node") for name, _ in _iterate_pods(resources)}
    assert "deny-all" in _collect_names(resources, "NetworkPolicy")
    assert "api" in _collect_names(resources, "PodDisruptionBudget")
    everywhere = {"Namespace", "RuntimeClass"}
    assert all(each["metadata"]["namespace"] == "sandbox" for each in resources if each["kind"] not in everywhere)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_programs_run_on_nodes_of_their_own_without_the_clusters_token(overlay: Path) -> None:
    for name, pod in _iterate_pods(_build_overlay(overlay)):
        assert pod["automountServiceAccountToken"] is False, name
        if name.startswith("worker"):
            assert any(each["key"] == "sandbox.io/untrusted" for each in pod["tolerations"])
            assert overlay.name == "laptop" or pod["nodeSelector"] == {"sandbox.io/pool": "untrusted"}
        if name not in {"gpu-worker", "deliver"}:  # these have no HTTP endpoint
            probed = [container for container in pod["containers"] if container["name"] != "session-host"]
            assert all({"livenessProbe"} <= container.keys() for container in probed), name


def test_each_docker_node_has_a_session_host_that_shares_the_workers_home_and_engine() -> None:
    pods = dict(_iterate_pods(_build_overlay(KUBERNETES / "overlays" / "docker-nodes")))
    containers = {each["name"]: each for each in pods["worker-on-node"]["containers"]}
    assert containers["session-host"]["args"] == ["session-host"]
    assert containers["session-host"]["volumeMounts"] == containers["worker"]["volumeMounts"]
    names = {each["name"] for each in containers["session-host"]["env"]}
    assert {"SANDBOX_SESSIONS", "SANDBOX_HOME", "SANDBOX_REDIS_URL"} <= names


def test_in_production_nothing_runs_programs_but_under_another_kernel_and_redis_is_elsewhere() -> None:
    resources = _build_overlay(KUBERNETES / "overlays" / "production")
    pods = dict(_iterate_pods(resources))
    assert pods["worker"]["runtimeClassName"] in _collect_names(resources, "RuntimeClass")
    assert "redis" not in pods
    for name in ("api", "worker", "gpu-worker", "deliver"):
        variables = {each["name"]: each for each in pods[name]["containers"][0]["env"]}
        assert variables["SANDBOX_REDIS_URL"]["valueFrom"]["secretKeyRef"]["key"] == "url"


def test_what_scales_the_workers_is_a_metric_that_there_is() -> None:
    (scaled,) = _load_documents(KUBERNETES / "components" / "keda" / "scaled-object.yaml")
    (trigger,) = scaled["spec"]["triggers"]
    named = re.findall(r"sandbox_\w+", trigger["metadata"]["query"])
    assert named
    assert set(named) <= {metric.name for metric in METRICS}
    workers = [each for each in _load_documents(KUBERNETES / "base" / "worker.yaml") if each["kind"] == "Deployment"]
    assert scaled["spec"]["scaleTargetRef"]["name"] in {each["metadata"]["name"] for each in workers}


@pytest.mark.parametrize("name", ["api", "worker"])
def test_prometheus_may_scrape_every_pod_and_needs_no_key(name: str) -> None:
    """The annotation, the container and the network policy agree on the port of the metrics."""
    [pod] = [each for each in _load_documents(KUBERNETES / "base" / f"{name}.yaml") if each["kind"] == "Deployment"]
    template = pod["spec"]["template"]
    port = template["metadata"]["annotations"]["prometheus.io/port"]
    [container] = template["spec"]["containers"]
    assert {"name": "metrics", "containerPort": int(port)} in container["ports"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert port in {variables.get("SANDBOX_METRICS_PORT"), variables.get("SANDBOX_WORKER_METRICS_PORT")}
    policies = {
        each["metadata"]["name"]: each["spec"] for each in _load_documents(KUBERNETES / "base" / "network.yaml")
    }
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert {"from": [monitoring], "ports": [{"port": int(port)}]} in policies[name]["ingress"]


@pytest.mark.parametrize("path", ["Dockerfile", "systemd/sandbox-api.service"])
def test_an_api_without_a_process_tree_has_the_same_allocator_variables(path: str) -> None:
    text = (DEPLOY / path).read_text(encoding="utf-8")
    assert dict(re.findall(r"(MALLOC_\w+_)=(\d+)", text)) == ALLOCATOR_VARIABLES


def test_systemd_reads_every_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    copies = []
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/sandbox/bin/sandbox", "/bin/true")
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(re.sub(r"docker\.service", "", text), encoding="utf-8")  # not installed everywhere
    done = subprocess.run([analyze, "verify", *map(str, copies)], check=False, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "sandbox" in line]
    assert not said
    assert len(UNITS) == 6
