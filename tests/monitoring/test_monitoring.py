"""Dashboards and alerts match the code, and a Prometheus under load answers each of their queries."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.monitoring import colors, objectives
from deploy.monitoring.alert_rule import SERVICE_URL, Alert
from deploy.monitoring.alerts import ALERTS, build_rules
from deploy.monitoring.generated_files import DASHBOARDS, ROOT, generate_files
from deploy.monitoring.panels import Panel
from deploy.monitoring.queries import RATE, select_variables
from sandbox.telemetry.definitions import METRICS
from tests.conftest import skip_or_fail
from tests.monitoring.conftest import ObservedService
from tests.monitoring.observed_service import Load, Prometheus, run_receiver

pytestmark = pytest.mark.timeout(300)  # the first test waits for the observed service to start

WATCHED_S = 8.0
WINDOW = "20s"
SCRAPED_WITHIN_S = 20.0
PANELS = [pytest.param(panel, id=f"{board.title}: {panel.title}") for board in DASHBOARDS for panel in board.panels]


def _load_dashboard(uid: str) -> dict[str, Any]:
    drawn: dict[str, Any] = json.loads((ROOT / f"deploy/grafana/dashboards/{uid}.json").read_text())
    return drawn


@pytest.mark.parametrize("name", sorted(generate_files()))
def test_a_file_is_what_the_code_makes_of_it(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == generate_files()[name], (
        "out of date: run python -m deploy.monitoring"
    )


def test_every_metric_that_is_asked_for_is_declared() -> None:
    declared = {metric.name for metric in METRICS}
    asked = {query for board in DASHBOARDS for panel in board.panels for query, _ in panel.queries}
    named = {
        name for query in [*asked, *(alert.expr for alert in ALERTS)] for name in re.findall(r"sandbox_\w+", query)
    }
    histograms = {metric.name for metric in METRICS if metric.kind == "histogram"}
    exposed = declared | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    assert named <= exposed


def test_every_panel_of_a_dashboard_has_a_meaning_a_place_and_the_source_that_is_provisioned() -> None:
    source = re.search(r"uid: (\S+)", (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    assert source is not None
    for board in DASHBOARDS:
        drawn = _load_dashboard(board.uid)
        variables = {variable["name"]: variable for variable in drawn["templating"]["list"]}
        assert variables["datasource"]["current"]["value"] == source[1]
        panels = [panel for panel in drawn["panels"] if panel["type"] != "row"]
        assert [panel["title"] for panel in panels] == [panel.title for panel in board.panels]
        for panel in panels:
            assert panel["description"]
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_every_query_of_a_dashboard_is_limited_to_the_chosen_hosts_and_lanes() -> None:
    for board in DASHBOARDS:
        drawn = _load_dashboard(board.uid)
        assert {variable["name"] for variable in drawn["templating"]["list"]} >= {"datasource", "instance", "lane"}
        queries = [target["expr"] for panel in drawn["panels"] for target in panel.get("targets", [])]
        for query in queries:
            selectors = re.findall(r"\b(?:sandbox|process)_\w+(\{[^}]*\})?", query)
            assert selectors
            assert all('instance=~"$instance"' in selector for selector in selectors), query
            assert ("sandbox_verdicts_total" in query) <= ('lane=~"$lane"' in query), query
            assert not ('lane="rl"' in query and "$lane" in query), query


def test_the_dashboards_link_to_each_other_to_the_runbooks_and_to_the_page() -> None:
    for board in DASHBOARDS:
        drawn = _load_dashboard(board.uid)
        assert {"sandbox"} <= set(drawn["tags"])
        boards, runbooks, page = drawn["links"]
        assert (boards["type"], boards["tags"], boards["includeVars"]) == ("dashboards", ["sandbox"], True)
        assert (runbooks["url"], page["url"]) == ("${service}/guide/how-to/runbooks", "${service}/#live")
    names = {alert.name for alert in ALERTS}
    linked = {panel.alert for board in DASHBOARDS for panel in board.panels if panel.alert}
    assert len(linked) >= 8
    assert linked <= names


def test_panels_are_red_from_their_alerts_limit_and_name_states_in_words() -> None:
    limits = {alert.name: alert.condition for alert in ALERTS}
    checked = 0
    for board in DASHBOARDS:
        drawn = {
            panel["title"]: panel["fieldConfig"]["defaults"]
            for panel in _load_dashboard(board.uid)["panels"]
            if "fieldConfig" in panel
        }
        for panel in board.panels:
            steps = [
                (step["value"], step["color"]) for step in drawn[panel.title].get("thresholds", {}).get("steps", [])
            ]
            assert steps == [] or steps[0] == (None, colors.FILLS["good"])
            assert steps[1:] == [(value, colors.FILLS[tone]) for value, tone in panel.thresholds]
            words = {
                value: each["text"]
                for mapping in drawn[panel.title].get("mappings", [])
                for value, each in mapping["options"].items()
            }
            assert words == {value: text for value, text, _ in panel.words}
            limit = re.fullmatch(r"> ([\d.]+)", limits.get(panel.alert, ""))
            if steps and limit and float(limit[1]):
                assert (float(limit[1]), colors.FILLS["bad"]) in steps, panel.title
                checked += 1
    assert checked >= 7


def test_verdicts_have_the_same_colors_as_on_the_page() -> None:
    style = (ROOT / "sandbox/web/style.css").read_text().split("@media")[0]
    for tone, fill in colors.FILLS.items():
        assert f"--{tone}-fill: {fill};" in style
    table = re.findall(r'^  (\w+): \[".*", ".*", "(\w+)"\]', (ROOT / "sandbox/web/verdicts.js").read_text(), re.M)
    assert {verdict: tone for verdict, tone in table if verdict != "output_differs"} == colors.VERDICTS
    [panel] = [
        each for each in _load_dashboard("sandbox-throughput")["panels"] if each["title"] == "Verdicts by verdict"
    ]
    drawn = {
        override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
    }
    assert drawn == {verdict: colors.FILLS[tone] for verdict, tone in colors.VERDICTS.items()}


def test_every_alert_has_a_runbook_in_the_guide() -> None:
    page = (ROOT / "sandbox/docs/how-to/runbooks.md").read_text()
    for alert in ALERTS:
        assert f"## {alert.name}\n" in page
        assert alert.runbook in page


def test_every_alert_links_to_its_entry_of_a_page_that_is_served(observed: ObservedService) -> None:
    for alert in ALERTS:
        url = alert.rule["annotations"]["runbook_url"].replace(SERVICE_URL, observed.url)
        answer = httpx.get(url, timeout=30, trust_env=False)
        assert answer.status_code == 200, url
        assert f'id="{url.partition("#")[2]}"' in answer.text, url


@pytest.mark.parametrize(
    ("labels", "service"),
    [({}, "http://127.0.0.1:8080"), ({"sandbox_url": "https://sandbox.example"}, "https://sandbox.example")],
)
def test_prometheus_puts_the_services_address_into_the_link(
    labels: dict[str, str], service: str, tmp_path: Path
) -> None:
    [down] = [alert for alert in ALERTS if alert.name == "SandboxTargetDown"]
    annotations = down.rule["annotations"] | {
        "summary": down.summary.replace("{{ $labels.instance }}", "host:1"),
        "runbook_url": f"{service}/guide/how-to/runbooks#sandboxtargetdown",
    }
    expected = {
        "exp_labels": {"severity": "page", "job": "sandbox", "instance": "host:1"},
        "exp_annotations": annotations,
    }
    test = {
        "external_labels": labels,
        "input_series": [{"series": 'up{job="sandbox",instance="host:1"}', "values": "0x10"}],
        "alert_rule_test": [{"eval_time": "5m", "alertname": down.name, "exp_alerts": [expected]}],
    }
    _check_rules(tmp_path, test)


def _check_rules(folder: Path, test: dict[str, Any], **interval: str) -> None:
    """Run one of promtool's tests (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/)."""
    if shutil.which("promtool") is None:
        skip_or_fail("no promtool here: apt-get install prometheus")
    shutil.copy(ROOT / "deploy/prometheus/rules.yml", folder)
    (folder / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], **interval, "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


BURN_ALERTS = {alert.name: alert for alert in objectives.ALERTS}


@pytest.mark.parametrize(
    ("slow_percent", "hours", "firing"),
    [
        (0.5, 40, set[str]()),  # within the objective
        (30, 1, {"SandboxRlVerdictsVerySlow"}),
        (8, 7, {"SandboxRlVerdictsSlow"}),
        (4, 30, {"SandboxRlVerdictsSlowToday", "SandboxRlVerdictsSlowThisWeek"}),
        (2, 40, {"SandboxRlVerdictsSlowThisWeek"}),
    ],
)
def test_the_objectives_alerts_fire_by_how_fast_the_error_budget_is_used(
    slow_percent: float, hours: int, firing: set[str], tmp_path: Path
) -> None:
    """Verdicts arrive steadily. For three days, none is slow; then, for some hours, a share of them is."""
    calm, steps = 72 * 6, hours * 6  # of ten minutes
    every, within = 10_000, round(10_000 * (1 - slow_percent / 100))
    series = 'sandbox_end_to_end_seconds_{}{{kind="verify",lane="rl",instance="host:1"{}}}'
    test = {
        "interval": "2m",
        "input_series": [
            {"series": series.format("count", ""), "values": f"0+{every}x{5 * (calm + steps)}"},
            {
                "series": series.format("bucket", ',le="5.0"'),
                "values": f"0+{every}x{5 * calm} {every * 5 * calm + within}+{within}x{5 * steps - 1}",
            },
        ],
        "alert_rule_test": [
            {
                "eval_time": f"{10 * (calm + steps)}m",
                "alertname": name,
                "exp_alerts": [
                    {
                        "exp_labels": {"severity": alert.severity},
                        "exp_annotations": alert.rule["annotations"]
                        | {"runbook_url": f"http://127.0.0.1:8080/guide/how-to/runbooks#{name.lower()}"},
                    }
                ]
                if name in firing
                else [],
            }
            for name, alert in BURN_ALERTS.items()
        ],
    }
    _check_rules(tmp_path, test, evaluation_interval="1h")  # more often takes minutes


@pytest.fixture(scope="module")
def watched(observed: ObservedService) -> Iterator[Prometheus]:
    """A Prometheus that has observed a busy service for a while."""
    if shutil.which("prometheus") is None:
        skip_or_fail("no prometheus here: apt-get install prometheus")
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-prometheus-") as folder,
        run_receiver() as receiver_url,
        closing(Load(observed.url, observed.home, receiver_url)) as load,
        Prometheus(Path(folder), observed.url.removeprefix("http://")).run() as prometheus,
    ):
        load.run_round()
        load.break_box()
        deadline = time.monotonic() + WATCHED_S
        while time.monotonic() < deadline:
            load.run_round()
        yield prometheus


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_shows_something(watched: Prometheus, panel: Panel) -> None:
    for declared, _ in panel.queries:
        query = select_variables(declared).replace("$instance", ".+").replace("$lane", ".*")
        values = watched.query_values(query.replace(RATE, WINDOW))
        assert values, f"nothing comes back: {query}"
        assert not all(map(math.isnan, values)), f"no number comes back: {query}"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_something_to_go_by(watched: Prometheus, alert: Alert) -> None:
    values = watched.query_values(alert.expr)
    assert values, f"nothing comes back: {alert.expr}"
    assert not all(map(math.isnan, values))


def test_prometheus_evaluates_every_rule_without_an_error(watched: Prometheus) -> None:
    rules: dict[str, Any] = {rule["name"]: rule for rule in watched.fetch_rules()}
    declared = [rule for group in build_rules()["groups"] for rule in group["rules"]]
    assert set(rules) == {rule.get("alert") or rule["record"] for rule in declared}
    assert {name: rule["lastError"] for name, rule in rules.items() if rule["health"] != "ok"} == {}


MADE_TO_HAPPEN = [
    'sandbox_infrastructure_failures_total{reason="BoxError"}',
    'sandbox_boxes_destroyed_total{reason="broken"}',
    'sandbox_boxes_recycled_total{reason="run_count"}',
    'sandbox_submissions_refused_total{reason="QueueFull"}',
    'sandbox_webhooks_total{outcome="dead"}',
    'sandbox_webhooks_total{outcome="delivered"}',
]


@pytest.mark.parametrize("counter", MADE_TO_HAPPEN)
def test_what_was_made_to_happen_is_counted(watched: Prometheus, counter: str) -> None:
    query = f"sum(max_over_time({counter}[5m]))"  # a scrape may have been missed under load
    deadline = time.monotonic() + SCRAPED_WITHIN_S
    while not watched.query_values(query):
        assert time.monotonic() < deadline, query
        time.sleep(0.5)
    assert watched.query_values(query)[0] >= 1


def test_slots_and_verdicts_are_as_many_as_there_are(watched: Prometheus) -> None:
    assert watched.query_values('sum(sandbox_slots{role="slot",state!="dead"})') == [2.0]
    assert (
        watched.query_values("sum(sandbox_verdicts_total)")[0] <= watched.query_values("sum(sandbox_programs_total)")[0]
    )
