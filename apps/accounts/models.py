"""People and machines that use the hub."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models


class HubUserManager(UserManager["User"]):
    """`manage.py createsuperuser` makes an administrator in the hub's own terms too: the role, not the flag, opens doors."""

    use_in_migrations = True

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: Any
    ) -> "User":
        fields.setdefault("roles", ["admin"])
        return super().create_superuser(username, email, password, **fields)


class User(AbstractUser):
    """A person, or the service user behind an OAuth2 client. What a user may do is decided by `roles` alone (apps.accounts.roles)."""

    roles = ArrayField(models.TextField(), default=list, blank=True)
    systems = ArrayField(
        models.TextField(), default=list, blank=True, help_text="Codes a service user may write; empty: all."
    )
    time_zone = models.TextField(default="UTC")

    objects: ClassVar[HubUserManager] = HubUserManager()

    class Meta(AbstractUser.Meta):
        db_table = "user"

    def __str__(self) -> str:
        return self.username
