"""Render the dashboards with Grafana's SDK, which needs no running Grafana."""

from __future__ import annotations

import json

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.monitoring.panels import Dashboard, Panel

SOURCE = DataSourceRef(type_val="prometheus", uid="sandbox-prometheus")
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
    for heading, panels in board.rows:
        builder = builder.with_row(dashboard.Row(heading))
        width = COLUMNS // min(3, len(panels))
        for panel in panels:
            builder = builder.with_panel(_build_panel(panel).span(width).height(HEIGHT))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True, indent=2).encode(builder.build())), indent=2) + "\n"


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
    for place, (expr, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + place)).datasource(SOURCE)
        if panel.shape == "heatmap":
            query = query.format(PromQueryFormat.HEATMAP)
        drawn = drawn.with_target(query.instant() if panel.shape == "number" else query.range())
    return drawn
