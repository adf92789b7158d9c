"""Who is made by createsuperuser may enter the admin pages."""

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.accounts.roles import may

pytestmark = pytest.mark.django_db


def test_createsuperuser_makes_an_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long enough pass phrase")
    call_command("createsuperuser", username="root", email="root@example.org", interactive=False)
    user = User.objects.get(username="root")
    assert user.roles == ["admin"]
    assert user.is_staff
    assert may(user, "sources.write")
