"""What goes out: targets, deliveries, attempts, breakers, the one switch."""

import apps.common.ids
import django.db.models.deletion
from django.db import migrations, models


TABLES = """
CALL guard_append_only('delivery_attempt');
ALTER TABLE delivery SET (autovacuum_vacuum_scale_factor = 0.02, fillfactor = 80);
ALTER TABLE delivery ALTER COLUMN "values" SET STATISTICS 0, ALTER COLUMN native SET STATISTICS 0;
ALTER TABLE plan_due SET (autovacuum_vacuum_scale_factor = 0.02);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0001_initial"),
        ("customers", "0003_links_outward"),
        ("events", "0003_feed_reader"),
    ]

    operations = [
        migrations.CreateModel(
            name="Circuit",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="circuit",
                        serialize=False,
                        to="connectors.connection",
                    ),
                ),
                (
                    "state",
                    models.TextField(
                        choices=[("closed", "Closed"), ("open", "Open"), ("half_open", "Half Open")], default="closed"
                    ),
                ),
                ("failures", models.IntegerField(default=0)),
                ("window_began", models.DateTimeField(null=True)),
                ("window_calls", models.IntegerField(default=0)),
                ("window_failures", models.IntegerField(default=0)),
                ("trips", models.IntegerField(default=0)),
                ("opened_at", models.DateTimeField(null=True)),
                ("probe_at", models.DateTimeField(null=True)),
                ("not_before", models.DateTimeField(null=True)),
                ("tokens", models.FloatField(default=0)),
                ("refilled_at", models.DateTimeField(null=True)),
                ("hour_began", models.DateTimeField(null=True)),
                ("hour_writes", models.IntegerField(default=0)),
                ("guard_lifted_until", models.DateTimeField(null=True)),
                ("last_success_at", models.DateTimeField(null=True)),
                ("last_failure_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True)),
            ],
            options={
                "db_table": "circuit",
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.common.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("op", models.TextField()),
                ("cause", models.TextField()),
                ("version", models.IntegerField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("planned", "Planned"),
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("uncertain", "Uncertain"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("superseded", "Superseded"),
                            ("discarded", "Discarded"),
                        ]
                    ),
                ),
                ("lane", models.SmallIntegerField(default=0)),
                ("values", models.JSONField()),
                ("native", models.JSONField()),
                ("losers", models.JSONField(default=list)),
                ("revision", models.SmallIntegerField(default=0)),
                ("due_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("burned", models.SmallIntegerField(default=0)),
                ("first_sent_at", models.DateTimeField(null=True)),
                ("trouble", models.TextField(blank=True)),
                ("code", models.TextField(blank=True)),
                ("detail", models.TextField(blank=True)),
                ("correlation_id", models.UUIDField()),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("actor", models.TextField(blank=True)),
                ("reason", models.TextField(blank=True)),
            ],
            options={
                "db_table": "delivery",
            },
        ),
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
                ("started_at", models.DateTimeField()),
                ("ms", models.IntegerField()),
                ("trouble", models.TextField(blank=True)),
                ("status", models.IntegerField(null=True)),
                ("code", models.TextField(blank=True)),
                ("detail", models.TextField(blank=True)),
                ("request", models.TextField(blank=True)),
                ("response", models.TextField(blank=True)),
            ],
            options={
                "db_table": "delivery_attempt",
            },
        ),
        migrations.CreateModel(
            name="GoLive",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.common.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.TextField(
                        choices=[("open", "Open"), ("approved", "Approved"), ("rejected", "Rejected")], default="open"
                    ),
                ),
                ("counts", models.JSONField(default=dict)),
                ("author", models.TextField()),
                ("reason", models.TextField()),
                ("opened_at", models.DateTimeField(auto_now_add=True)),
                ("approver", models.TextField(blank=True)),
                ("decision", models.TextField(blank=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("correlation_id", models.UUIDField()),
            ],
            options={
                "db_table": "go_live",
            },
        ),
        migrations.CreateModel(
            name="OutboundSwitch",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("stopped", models.BooleanField(default=False)),
                ("reason", models.TextField(blank=True)),
                ("actor", models.TextField(blank=True)),
                ("changed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "outbound_switch",
            },
        ),
        migrations.CreateModel(
            name="PlanDue",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="customers.customer",
                    ),
                ),
                ("cause", models.TextField()),
                ("lane", models.SmallIntegerField(default=1)),
                ("due_at", models.DateTimeField()),
                ("correlation_id", models.UUIDField()),
            ],
            options={
                "db_table": "plan_due",
            },
        ),
        migrations.AddField(
            model_name="connection",
            name="credentials",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="paused_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="paused_by",
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name="connection",
            name="paused_reason",
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name="connection",
            name="poll_due_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="sweep_due_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(
                condition=models.Q(("adapter", "webhook"), _negated=True),
                fields=("system",),
                name="connection_one_target_a_system",
            ),
        ),
        migrations.AddConstraint(
            model_name="circuit",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["closed", "open", "half_open"])), name="circuit_state"
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="connectors.connection",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="customer",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="customers.customer",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="link",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="customers.link",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="record",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.sourcerecord",
            ),
        ),
        migrations.AddField(
            model_name="deliveryattempt",
            name="delivery",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="tries",
                to="connectors.delivery",
            ),
        ),
        migrations.AddField(
            model_name="golive",
            name="connection",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="go_lives", to="connectors.connection"
            ),
        ),
        migrations.AddConstraint(
            model_name="outboundswitch",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="outbound_switch_single"),
        ),
        migrations.AddIndex(
            model_name="plandue",
            index=models.Index(fields=["lane", "due_at"], name="plan_due_order"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "sending", "uncertain"])),
                fields=["connection", "lane", "due_at"],
                name="delivery_due",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state", "failed")),
                fields=["connection", "trouble", "code"],
                include=["finished_at"],
                name="delivery_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["connection", "finished_at"], include=["state"], name="delivery_finished"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                fields=["record"], condition=models.Q(("state", "failed")), name="delivery_failed_record"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["correlation_id"], name="delivery_correlation"),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("op__in", ["create", "update", "deactivate", "reactivate", "merge"])),
                name="delivery_op",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["planned", "waiting", "sending", "uncertain", "done", "failed", "superseded", "discarded"],
                    )
                ),
                name="delivery_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "sending"), _negated=True), ("lease_until__isnull", False), _connector="OR"
                ),
                name="delivery_sending_has_a_lease",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("op", "create"), ("link__isnull", False), _connector="OR"),
                name="delivery_of_a_link_but_for_creates",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "discarded"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="delivery_discarded_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["sending", "uncertain"])),
                fields=("connection", "record"),
                name="delivery_one_under_way",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["waiting", "planned"])),
                fields=("connection", "record"),
                include=["state", "op", "changed_at"],
                name="delivery_one_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="deliveryattempt",
            constraint=models.UniqueConstraint(fields=("delivery", "number"), name="delivery_attempt_number"),
        ),
        migrations.AddConstraint(
            model_name="golive",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")), fields=("connection",), name="go_live_one_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="golive",
            constraint=models.CheckConstraint(
                condition=models.Q(("author", models.F("approver")), _negated=True), name="go_live_second_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="golive",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "approved", "rejected"])), name="go_live_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="golive",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approver", ""), ("decided_at__isnull", True), ("state", "open")),
                    models.Q(
                        models.Q(("state", "open"), _negated=True),
                        models.Q(("approver", ""), _negated=True),
                        ("decided_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="go_live_decided",
            ),
        ),
        migrations.RunSQL(TABLES, migrations.RunSQL.noop),
    ]
