"""The Helm chart is what the code generates. Helm accepts it, and renders from it what kustomize builds."""

from __future__ import annotations

import copy
import json
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from deploy.helm.chart import FOLDER, KUBERNETES, generate_chart
from deploy.helm.values import VALUES
from sandbox import __version__
from tests.deploy.helm_command import render_chart, run_helm
from tests.deploy.test_manifests import FOREIGN_KINDS, KUBERNETES_VERSION

Values = dict[str, Any]
EVERYTHING = {name: {"enabled": True} for name, value in VALUES.items() if "enabled" in value}


def test_the_chart_is_what_the_code_generates() -> None:
    files = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*") if path.is_file()}
    assert files == generate_chart(), "out of date: run python -m deploy.helm"


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_each_rendered_resource_is_what_kubernetes_takes(values: Values) -> None:
    resources = render_chart(values)
    names = [(each["kind"], each["metadata"]["name"]) for each in resources]
    assert len(names) == len(set(names))
    assert ("Deployment", "api") in names
    assert (("Deployment", "gpu-worker") in names) is bool(values)
    for resource in resources:
        if resource["kind"] not in FOREIGN_KINDS:
            kubernetes_validate.validate(resource, KUBERNETES_VERSION, strict=True)  # raises


def test_with_default_values_the_pods_are_those_of_the_kustomize_base() -> None:
    rendered = {(each["kind"], each["metadata"]["name"]): each for each in render_chart({})}
    for file in ("api.yaml", "worker.yaml", "redis.yaml", "network.yaml", "disruption.yaml"):
        for expected in yaml.safe_load_all((KUBERNETES / "base" / file).read_text()):
            found = copy.deepcopy(rendered[expected["kind"], expected["metadata"]["name"]]["spec"])
            if expected["kind"] == "Deployment":
                template = found["template"]
                assert template["metadata"]["annotations"].pop("checksum/settings")
                assert template["spec"].pop("imagePullSecrets") == []
                assert template["spec"].pop("runtimeClassName", "") == ""
                [container] = template["spec"]["containers"]
                container["image"] = container["image"].removesuffix(f":{__version__}")
            assert found == expected["spec"], file


def test_alerts_keep_their_own_templates() -> None:
    [rule] = [each for each in render_chart(EVERYTHING) if each["kind"] == "PrometheusRule"]
    source = KUBERNETES / "components" / "prometheus-operator" / "prometheus-rule.yaml"
    assert rule["spec"] == yaml.safe_load(source.read_text())["spec"]
    assert "{{ $labels.instance }}" in str(rule)


def test_an_external_redis_takes_the_place_of_the_charts_own() -> None:
    resources = render_chart({"redis": {"external": True, "cidr": "192.0.2.0/24"}})
    assert "StatefulSet" not in {each["kind"] for each in resources}
    assert "192.0.2.0/24" in str([each for each in resources if each["metadata"]["name"] == "external-redis"])
    [api] = [each for each in resources if each["kind"] == "Deployment" and each["metadata"]["name"] == "api"]
    variables = {each["name"]: each for each in api["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables["SANDBOX_REDIS_URL"]["valueFrom"] == {"secretKeyRef": {"name": "sandbox-redis", "key": "url"}}


def test_a_misspelled_value_is_an_error() -> None:
    schema = Draft202012Validator(json.loads((FOLDER / "values.schema.json").read_text()))
    schema.validate(yaml.safe_load((FOLDER / "values.yaml").read_text()))
    schema.validate({**VALUES, "settings": {"SANDBOX_MAX_QUEUED": "10"}, "global": {}})
    for wrong in ({"worker": {"replica": 3}}, {"gpu": {"enabled": "yes"}}, {"settings": {"SANDBOX_MAX_QUEUED": 10}}):
        with pytest.raises(ValidationError):
            schema.validate(wrong)


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_helm_lints_the_chart(values: Values) -> None:
    done = run_helm("lint", values, "--strict", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_image_has_the_charts_version_another_tag_or_a_digest() -> None:
    values = {"image": {"digest": "sha256:abc", "tag": "ignored"}, "localImage": {"repository": "a/b", "tag": "9"}}
    assert _collect_images({}) == {"api": f"sandbox:{__version__}", "worker": f"sandbox-local:{__version__}"}
    assert _collect_images(values) == {"api": "sandbox@sha256:abc", "worker": "a/b:9"}


def _collect_images(values: Values) -> dict[str, str]:
    deployments = [each for each in render_chart(values) if each["kind"] == "Deployment"]
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"] for each in deployments
    }
