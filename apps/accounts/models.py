"""People and machines that use the hub."""

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models


class User(AbstractUser):
    """A person, or the service user behind an OAuth2 client. What a user may do is decided by `roles` alone (apps.accounts.roles)."""

    roles = ArrayField(models.TextField(), default=list, blank=True)
    systems = ArrayField(
        models.TextField(), default=list, blank=True, help_text="Codes a service user may write; empty: all."
    )
    time_zone = models.TextField(default="UTC")

    class Meta(AbstractUser.Meta):
        db_table = "user"

    def __str__(self) -> str:
        return self.username
