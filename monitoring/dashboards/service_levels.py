"""Dashboards of what is promised: everybody's, and one agency's."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from monitoring.dashboards.parts import curves, dashboard, number, one_of, rows

BUDGET_LEFT = "1 - (1 - orchestrator_sla_availability_ratio{0}) / (1 - orchestrator_sla_target_ratio{0})"
"""Share of the running month's budget of downtime that is left; below 0 when the promise is missed."""


def fleet() -> Dashboard:
    made = dashboard("fleet", "Fleet overview", "All agencies: who is served, what works, what was promised.")
    return (
        made.with_panel(number("Agencies", "count(orchestrator_agency_info)"))
        .with_panel(number("Services in service", 'sum(orchestrator_service_state{state="in_service"})'))
        .with_panel(number("Services that work", "avg(orchestrator_service_up)", unit="percentunit"))
        .with_panel(
            number(
                "Promises missed this month",
                "count(orchestrator_sla_availability_ratio < orchestrator_sla_target_ratio) or vector(0)",
            )
        )
        .with_panel(number("Least measured", "min(orchestrator_sla_coverage_ratio)", unit="percentunit"))
        .with_panel(number("Alerts", 'count(ALERTS{alertstate="firing"}) or vector(0)'))
        .with_row(Row("What is promised"))
        .with_panel(
            curves(
                "Availability this month",
                {"{{component}}": "avg by (component) (orchestrator_sla_availability_ratio)"},
                unit="percentunit",
            )
        )
        .with_panel(
            curves(
                "Budgets that burn fastest, share of the month's in the last hour",
                {"{{agency}} {{component}}": "topk(10, orchestrator:sla_budget_burnt:ratio_1h)"},
                unit="percentunit",
            )
        )
        .with_panel(
            rows(
                "Least budget of downtime left",
                f"bottomk(20, {BUDGET_LEFT.format('')})",
                unit="percentunit",
            )
        )
        .with_panel(rows("Services that do not work", "orchestrator_service_up == 0"))
        .with_row(Row("Who is served"))
        .with_panel(curves("Services by state", {"{{state}}": "sum by (state) (orchestrator_service_state)"}))
        .with_panel(
            rows("Agencies by framework agreement and site", "count by (framework, site) (orchestrator_agency_info)")
        )
    )


def agency() -> Dashboard:
    mine = '{agency="$agency"}'
    made = dashboard("agency", "One agency", "What one agency has, how it works, and whether it could be recovered.")
    return (
        made.with_variable(one_of("agency", "label_values(orchestrator_agency_info, agency)"))
        .with_panel(
            number(
                "Worst availability this month", f"min(orchestrator_sla_availability_ratio{mine})", unit="percentunit"
            )
        )
        .with_panel(number("Least budget left", f"min({BUDGET_LEFT.format(mine)})", unit="percentunit"))
        .with_panel(number("Least measured", f"min(orchestrator_sla_coverage_ratio{mine})", unit="percentunit"))
        .with_panel(number("Services that work", f"avg(orchestrator_service_up{mine})", unit="percentunit"))
        .with_panel(rows("State of its services", f"orchestrator_service_state{mine} == 1", width=8))
        .with_row(Row("Service levels"))
        .with_panel(
            curves(
                "Availability this month, and what was promised",
                {
                    "{{component}}": f"orchestrator_sla_availability_ratio{mine}",
                    "{{component}} promised": f"orchestrator_sla_target_ratio{mine}",
                },
                unit="percentunit",
            )
        )
        .with_panel(curves("Works", {"{{component}}": f"orchestrator_service_up{mine}"}))
        .with_panel(
            curves(
                "Share of the month's budget of downtime burnt in an hour",
                {"{{component}}": f"orchestrator:sla_budget_burnt:ratio_1h{mine}"},
                unit="percentunit",
            )
        )
        .with_panel(
            curves(
                "Downtime in service hours",
                {"{{component}}": f"increase(orchestrator_sla_bad_seconds_total{mine}[$__rate_interval])"},
                unit="s",
            )
        )
        .with_row(Row("Recovery"))
        .with_panel(
            curves(
                "Age of the newest backup, and what may be lost",
                {
                    "{{component}}": f"time() - orchestrator_recovery_point_timestamp_seconds{mine}",
                    "{{component}} promised": f"orchestrator_drill_rpo_objective_seconds{mine}",
                },
                unit="s",
            )
        )
        .with_panel(
            curves(
                "Recovery time of the last drill, and what was promised",
                {
                    "{{component}}": f"orchestrator_drill_rto_seconds{mine}",
                    "{{component}} promised": f"orchestrator_drill_rto_objective_seconds{mine}",
                },
                unit="s",
            )
        )
        .with_panel(rows("Drills by outcome", f"sum by (component, outcome) (orchestrator_drills_total{mine})"))
    )
