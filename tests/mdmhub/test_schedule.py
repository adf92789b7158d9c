"""mdmhub.schedule and mdmhub.celery: every periodic task exists, has a lane and a reason."""

from django.conf import settings

from mdmhub.celery import LANES, app
from mdmhub.schedule import SCHEDULE, beat_schedule


def test_every_periodic_task_is_registered() -> None:
    app.loader.import_default_modules()
    assert {entry.task for entry in SCHEDULE} <= set(app.tasks)


def test_every_entry_has_a_lane_an_interval_and_a_reason() -> None:
    for entry in SCHEDULE:
        assert entry.queue in LANES
        assert entry.every >= 1
        assert len(entry.reason.split()) >= 4, f"why does {entry.task} run every {entry.every} s?"


def test_a_beat_that_nobody_took_is_dropped() -> None:
    assert all(entry["options"]["expires"] >= 1 for entry in beat_schedule().values())


def test_a_message_comes_back_only_after_its_task_must_have_ended() -> None:
    assert settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] > settings.CELERY_TASK_TIME_LIMIT
    assert settings.CELERY_TASK_TIME_LIMIT > settings.CELERY_TASK_SOFT_TIME_LIMIT > settings.DRAIN_SECONDS


def test_messages_are_json_and_acknowledged_late() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
