"""Dashboards of what keeps the promises: rehearsed recovery, and the orchestrator's own work."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from monitoring.dashboards.parts import WIDTH, curves, dashboard, number, rows

LATE = "(time() - orchestrator_drill_next_timestamp_seconds > 86400)"


def recovery() -> Dashboard:
    made = dashboard(
        "recovery", "Disaster recovery", "Backups, drills, and what they measured against what is promised."
    )
    return (
        made.with_panel(number("Protected services", "count(orchestrator_drill_rpo_objective_seconds)"))
        .with_panel(number("Drills that are late", f"count({LATE}) or vector(0)"))
        .with_panel(
            number(
                "Recoveries slower than promised",
                "count(orchestrator_drill_rto_seconds > orchestrator_drill_rto_objective_seconds) or vector(0)",
            )
        )
        .with_panel(
            number(
                "Backups older than promised",
                "count(time() - orchestrator_recovery_point_timestamp_seconds"
                " > orchestrator_drill_rpo_objective_seconds) or vector(0)",
            )
        )
        .with_panel(
            number("Oldest newest backup", "max(time() - orchestrator_recovery_point_timestamp_seconds)", unit="s")
        )
        .with_panel(
            number(
                "Longest without a drill", "max(time() - orchestrator_drill_last_success_timestamp_seconds)", unit="s"
            )
        )
        .with_row(Row("Drills"))
        .with_panel(curves("Drills that have ended", {"{{outcome}}": "sum by (outcome) (orchestrator_drills_total)"}))
        .with_panel(
            rows(
                "The next drills, seconds from now",
                "bottomk(20, orchestrator_drill_next_timestamp_seconds - time())",
                unit="s",
            )
        )
        .with_row(Row("What they measured"))
        .with_panel(
            rows(
                "Recovery time, share of what was promised",
                "topk(20, orchestrator_drill_rto_seconds / orchestrator_drill_rto_objective_seconds)",
                unit="percentunit",
            )
        )
        .with_panel(
            rows(
                "Recovery point, share of what was promised",
                "topk(20, orchestrator_drill_rpo_seconds / orchestrator_drill_rpo_objective_seconds)",
                unit="percentunit",
            )
        )
        .with_panel(
            curves(
                "Age of the newest backup, share of what may be lost, worst by component",
                {
                    "{{component}}": "max by (component) ((time() - orchestrator_recovery_point_timestamp_seconds)"
                    " / orchestrator_drill_rpo_objective_seconds)"
                },
                unit="percentunit",
                width=WIDTH,
            )
        )
    )


def operations() -> Dashboard:
    made = dashboard(
        "operations", "Operations", "The orchestrator's own work: runs, steps, the queue, and being scraped."
    )
    return (
        made.with_panel(number("Runs queued", 'orchestrator_runs_open{state="queued"}'))
        .with_panel(number("Runs under way", 'orchestrator_runs_open{state="running"}'))
        .with_panel(
            number(
                "Runs that failed, of those that ended",
                'sum(orchestrator_runs_total{outcome!="succeeded"}) / sum(orchestrator_runs_total)',
                unit="percentunit",
            )
        )
        .with_panel(number("Services not as recorded", "count(orchestrator_drift_changed > 0) or vector(0)"))
        .with_panel(rows("Version", "orchestrator_build_info", width=8))
        .with_row(Row("Runs"))
        .with_panel(curves("Open runs", {"{{state}}": "orchestrator_runs_open"}))
        .with_panel(
            curves(
                "Runs that ended",
                {"{{verb}} {{outcome}}": "increase(orchestrator_runs_total[$__rate_interval])"},
            )
        )
        .with_panel(
            curves(
                "How long runs take, 95 of 100",
                {
                    "{{verb}}": "histogram_quantile(0.95,"
                    " sum by (le, verb) (rate(orchestrator_run_duration_seconds_bucket[$__rate_interval])))"
                },
                unit="s",
            )
        )
        .with_panel(
            curves(
                "How long onboarding takes, half and 95 of 100, since the beginning",
                {
                    f"{{{{framework}}}} {share}": f"histogram_quantile({share},"
                    " sum by (le, framework) (orchestrator_onboarding_duration_seconds_bucket))"
                    for share in (0.5, 0.95)
                },
                unit="s",
            )
        )
        .with_row(Row("Steps"))
        .with_panel(
            curves(
                "How long steps take, 95 of 100",
                {
                    "{{component}} {{verb}}": "histogram_quantile(0.95, sum by (le, component, verb)"
                    " (rate(orchestrator_step_duration_seconds_bucket[$__rate_interval])))"
                },
                unit="s",
            )
        )
        .with_panel(
            curves(
                "Steps that ended",
                {
                    "{{component}} {{verb}} {{outcome}}": "sum by (component, verb, outcome)"
                    " (increase(orchestrator_step_duration_seconds_count[$__rate_interval]))"
                },
            )
        )
        .with_row(Row("People's work"))
        .with_panel(curves("Open work orders", {"{{state}}": "sum by (state) (orchestrator_work_orders)"}))
        .with_panel(rows("Late or at risk", 'topk(20, orchestrator_work_orders{state!="on_time"})'))
        .with_row(Row("Drift"))
        .with_panel(
            rows("What provisioning again would change", "topk(20, orchestrator_drift_changed > 0)", width=WIDTH)
        )
        .with_row(Row("Being scraped"))
        .with_panel(
            curves("How long a scrape takes", {"{{instance}}": 'scrape_duration_seconds{job="orchestrator"}'}, unit="s")
        )
        .with_panel(curves("Series", {"{{instance}}": 'scrape_samples_scraped{job="orchestrator"}'}))
    )
