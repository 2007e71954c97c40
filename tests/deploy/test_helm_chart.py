"""The Helm chart is what the code generates, has only known values, and renders what kustomize builds."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from deploy.helm.chart import FOLDER, KUBERNETES, generate_chart
from deploy.helm.values import VALUES
from sandbox import __version__
from tests.deploy.test_manifests import FOREIGN_KINDS, KUBERNETES_VERSION

Values = dict[str, Any]
EVERYTHING = {
    name: {**value, "enabled": True} if "enabled" in value else value
    for name, value in VALUES.items()
    if isinstance(value, dict)
}


def _look_up(values: Values, path: str) -> Any:
    found: Any = values
    for name in path.split("."):
        found = found[name]
    return found


def _render(text: str, values: Values) -> str:
    """Evaluate the few expressions that the chart uses. Raises AssertionError for any other."""

    def choose(found: re.Match[str]) -> str:
        negated, path, yes, no = found[1], found[2], found[3], found[4] or ""
        return yes if bool(_look_up(values, path)) is not bool(negated) else no

    def evaluate(found: re.Match[str]) -> str:
        expression = found[1]
        if literal := re.fullmatch(r'"(\{\{|\}\})"', expression):
            return literal[1]
        if path := re.fullmatch(r"toJson \.Values\.([\w.]+)", expression):
            return json.dumps(_look_up(values, path[1]))
        if path := re.fullmatch(r"toJson \(toJson \.Values\.([\w.]+) \| sha256sum\)", expression):
            return json.dumps(hashlib.sha256(json.dumps(_look_up(values, path[1])).encode()).hexdigest())
        image = re.fullmatch(
            r'toJson \(printf "%s:%s" \.Values\.(\w+)\.repository \(default \.Chart\.AppVersion \.Values\.\1\.tag\)\)',
            expression,
        )
        assert image, expression
        return json.dumps(f"{values[image[1]]['repository']}:{values[image[1]]['tag'] or __version__}")

    whole_file = r"\{\{- if (not )?\.Values\.([\w.]+) \}\}\n(.*)()\{\{- end \}\}"
    inline = r"\{\{ if (not )?\.Values\.([\w.]+) \}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}"
    text = re.sub(inline, choose, re.sub(whole_file, choose, text, flags=re.S))
    return re.sub(r"\{\{ (.*?) \}\}(?!\}\}\")", evaluate, text)


def _render_chart(values: Values) -> list[Values]:
    texts = [(path.name, path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "templates").iterdir())]
    return [each for _, text in texts for each in yaml.safe_load_all(_render(text, values)) if each]


def test_the_chart_is_what_the_code_generates() -> None:
    files = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*") if path.is_file()}
    assert files == generate_chart(), "out of date: run python -m deploy.helm"


@pytest.mark.parametrize("values", [VALUES, {**VALUES, **EVERYTHING}], ids=["defaults", "everything"])
def test_each_rendered_resource_is_what_kubernetes_takes(values: Values) -> None:
    resources = _render_chart(values)
    names = [(each["kind"], each["metadata"]["name"]) for each in resources]
    assert len(names) == len(set(names))
    assert ("Deployment", "api") in names
    assert (("Deployment", "gpu-worker") in names) is (values is not VALUES)
    for resource in resources:
        if resource["kind"] not in FOREIGN_KINDS:
            kubernetes_validate.validate(resource, KUBERNETES_VERSION, strict=True)  # raises


def test_with_default_values_the_pods_are_those_of_the_kustomize_base() -> None:
    rendered = {(each["kind"], each["metadata"]["name"]): each for each in _render_chart(VALUES)}
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
    [rule] = [each for each in _render_chart({**VALUES, **EVERYTHING}) if each["kind"] == "PrometheusRule"]
    source = KUBERNETES / "components" / "prometheus-operator" / "prometheus-rule.yaml"
    assert rule["spec"] == yaml.safe_load(source.read_text())["spec"]
    assert "{{ $labels.instance }}" in str(rule)


def test_an_external_redis_takes_the_place_of_the_charts_own() -> None:
    resources = _render_chart({**VALUES, "redis": {**VALUES["redis"], "external": True, "cidr": "192.0.2.0/24"}})
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


def test_helm_itself_accepts_the_chart() -> None:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("no helm here; the rendered resources are checked without it")
    for command in (["lint", "--strict"], ["template", "sandbox"]):
        done = subprocess.run([helm, *command, str(FOLDER)], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
