"""What all dashboards are put together from: one look, one data source, panels of one query or several."""

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models.common import BigValueColorMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
WIDTH = 24
"""Columns of a Grafana dashboard."""

Queries = dict[str, str]
"""Legend -> PromQL. A legend may name labels: {{component}}."""


def dashboard(uid: str, title: str, description: str) -> Dashboard:
    return (
        Dashboard(title)
        .uid(f"orchestrator-{uid}")
        .description(description)
        .tags(["orchestrator", "generated"])
        .readonly()
        .refresh("1m")
        .time("now-6h", "now")
        .with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
    )


def one_of(name: str, query: str) -> QueryVariable:
    """A variable that holds one value of a label."""
    variable = QueryVariable(name).label(name.capitalize()).query(query).datasource(SOURCE)
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)


def _queries(
    queries: Queries, *, instant: bool, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> list[Builder[AnyQuery]]:
    made: list[Builder[AnyQuery]] = []
    for number, (legend, expr) in enumerate(queries.items()):
        query = Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + number)).format(form)
        made.append(query.instant() if instant else query.range())
    return made


def number(title: str, expr: str, *, unit: str = "short", width: int = 4) -> stat.Panel:
    """One figure, as it is now."""
    panel = stat.Panel().title(title).datasource(SOURCE).unit(unit).span(width).height(4)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).color_mode(BigValueColorMode.NONE)
    return panel.targets(_queries({"": expr}, instant=True))


def curves(title: str, queries: Queries, *, unit: str = "short", width: int = 12) -> timeseries.Panel:
    """Figures over time."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel = timeseries.Panel().title(title).datasource(SOURCE).unit(unit).span(width).height(8)
    return panel.legend(legend).fill_opacity(8).targets(_queries(queries, instant=False))


def rows(title: str, expr: str, *, unit: str = "short", width: int = 12) -> table.Panel:
    """Labels and figures, as they are now."""
    panel = table.Panel().title(title).datasource(SOURCE).unit(unit).span(width).height(8)
    return panel.targets(_queries({"": expr}, instant=True, form=PromQueryFormat.TABLE))
