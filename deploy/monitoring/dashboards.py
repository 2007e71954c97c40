"""Render the dashboards with Grafana's SDK, which needs no running Grafana."""

from __future__ import annotations

import json

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.monitoring.colors import FILLS, SERIES
from deploy.monitoring.panels import Dashboard, Panel
from deploy.monitoring.queries import select_variables

PROVISIONED_SOURCE = "sandbox-prometheus"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
SERVICE = "${service}"
LOCAL_SERVICE = "http://127.0.0.1:8080"
RUNBOOKS = f"{SERVICE}/guide/how-to/runbooks"
COLUMNS = 24
HEIGHT = 8

AnyPanel = timeseries.Panel | heatmap.Panel | stat.Panel


def render_dashboard(board: Dashboard) -> str:
    """Return the dashboard as JSON for Grafana's provisioning."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["sandbox"])
        .time("now-1h", "now")
        .refresh("10s")
        .timezone("browser")
        .readonly()
    )
    builder = _add_links(_add_variables(builder))
    for heading, panels in board.rows:
        builder = builder.with_row(dashboard.Row(heading))
        width = COLUMNS // min(3, len(panels))
        for panel in panels:
            builder = builder.with_panel(_build_panel(panel).span(width).height(HEIGHT))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True, indent=2).encode(builder.build())), indent=2) + "\n"


def _add_variables(builder: dashboard.Dashboard) -> dashboard.Dashboard:
    """Add the data source, the hosts, the lanes, and the address at which people reach the service."""
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    every = VariableOption(selected=True, text="All", value="$__all")
    instance = _query_values("instance", "Host", "label_values(sandbox_build_info, instance)").current(every)
    lane = _query_values("lane", "Lane", "label_values(sandbox_queue_submissions, lane)").current(every).all_value(".*")
    service = dashboard.TextBoxVariable("service").label("Service").default_value(LOCAL_SERVICE)
    return (
        builder.with_variable(source.current(VariableOption(text="Prometheus", value=PROVISIONED_SOURCE)))
        .with_variable(instance)
        .with_variable(lane)
        .with_variable(service.current(VariableOption(text=LOCAL_SERVICE, value=LOCAL_SERVICE)))
    )


def _query_values(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
    )


def _add_links(builder: dashboard.Dashboard) -> dashboard.Dashboard:
    """Link to the other dashboards, the runbooks, and the page."""
    boards = dashboard.DashboardLink("Sandbox").type(DashboardLinkType.DASHBOARDS).tags(["sandbox"])
    builder = builder.link(boards.include_vars(True).keep_time(True))
    for title, url in (("Runbooks", RUNBOOKS), ("Live view", f"{SERVICE}/#live")):
        builder = builder.link(
            dashboard.DashboardLink(title)
            .type(DashboardLinkType.LINK)
            .url(url)
            .target_blank(True)
            .icon("external link")
        )
    return builder


def _build_panel(panel: Panel) -> AnyPanel:
    if panel.shape == "number":
        return _describe_panel(stat.Panel(), panel)
    if panel.shape == "heatmap":
        options = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
        return _describe_panel(heatmap.Panel().color(options), panel)
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    lines = (
        timeseries.Panel()
        .draw_style(GraphDrawStyle.LINE)
        .show_points(VisibilityMode.NEVER)
        .axis_soft_min(0.0)
        .legend(legend)
    )
    if panel.shape == "stacked":
        lines = lines.fill_opacity(30).stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    return _describe_panel(lines, panel)


def _describe_panel(drawn: AnyPanel, panel: Panel) -> AnyPanel:
    drawn = drawn.title(panel.title).description(panel.meaning).unit(panel.unit).datasource(SOURCE)
    drawn = _color_panel(drawn, panel)
    if panel.alert:
        link = dashboard.DashboardLink(f"Runbook of {panel.alert}").type(DashboardLinkType.LINK)
        drawn = drawn.links([link.url(f"{RUNBOOKS}#{panel.alert.lower()}").target_blank(True)])
    for place, (expr, legend) in enumerate(panel.queries):
        query = (
            prometheus.Dataquery()
            .expr(select_variables(expr))
            .legend_format(legend)
            .ref_id(chr(ord("A") + place))
            .datasource(SOURCE)
        )
        if panel.shape == "heatmap":
            query = query.format(PromQueryFormat.HEATMAP)
        drawn = drawn.with_target(query.instant() if panel.shape == "number" else query.range())
    return drawn


def _color_panel(drawn: AnyPanel, panel: Panel) -> AnyPanel:
    """Add thresholds and words for values, and give each series of a known label the page's color of its value."""
    if panel.thresholds:
        steps = [Threshold(None, FILLS["good"]), *(Threshold(value, FILLS[tone]) for value, tone in panel.thresholds)]
        drawn = drawn.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        if isinstance(drawn, timeseries.Panel):
            style = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
            drawn = drawn.thresholds_style(style)
    if panel.words:
        results = {value: ValueMappingResult(text, FILLS[tone]) for value, text, tone in panel.words}
        drawn = drawn.mappings([ValueMap(results)])
    for label in dict.fromkeys(legend.strip("{}") for _, legend in panel.queries):
        for value, tone in SERIES.get(label, {}).items():
            color = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": FILLS[tone]})
            drawn = drawn.override_by_name(value, [color])
    return drawn
