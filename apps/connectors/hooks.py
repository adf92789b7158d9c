"""Webhooks: signed messages of systems. Kept once, answered at once, worked off by the runner."""

import time
from typing import Any, ClassVar

from rest_framework import permissions, serializers
from rest_framework.response import Response

from apps.common.act import Act
from apps.common.api.endpoints import Endpoint
from apps.common.api.parsers import read_body
from apps.common.api.problems import Problem, correlation_id
from apps.common.api.views import HubView
from apps.common.strict_json import strict_json
from apps.connectors import doorbell, runs
from apps.connectors.api.records import MOST_KEYS, latest_mapping, listed
from apps.connectors.models import Connection
from apps.connectors.secrets import read_secrets
from apps.connectors.signatures import is_signed


class HookOut(serializers.Serializer[Any]):
    job_id = serializers.UUIDField(allow_null=True, help_text="Null when this message had come before.")
    replayed = serializers.BooleanField()


class HookIn(serializers.Serializer[Any]):
    """One record of the connection's system, or {"records": […]}, in the system's own words if it has a mapping."""

    records = serializers.ListField(child=serializers.DictField(), required=False)


class Signed(permissions.BasePermission):
    """The signature is the login: checked in the view, where the body is read byte for byte."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return isinstance(view, HookView)


class HookView(HubView):
    endpoints: ClassVar = {
        "POST": Endpoint("receive_webhook", "hooks.receive", {202: HookOut}, body=HookIn, tag="webhooks")
    }
    authentication_classes = []
    permission_classes = [Signed]

    def post(self, request: Any, name: str) -> Response:
        """A message of the system behind the connection `name`, signed by the Standard Webhooks rules with one of its
        secrets. The same message twice is taken once."""
        body = read_body(request._request, request.META.get("CONTENT_LENGTH"))
        connection = self._signed_connection(name, body)
        listed(strict_json(body, max_keys=MOST_KEYS))
        message_id = request.META["HTTP_WEBHOOK_ID"]
        act = Act(f"webhook:{name}", "webhook", correlation_id=correlation_id(request))
        run = runs.create_api_run(
            system=connection.system, body=body, act=act, keep_unknown=True, kind="webhook", message_id=message_id,
            mapping=latest_mapping(connection.system, connection.settings.get("mapping")),
        )  # fmt: skip
        if run is not None:
            doorbell.ring()
        return Response({"job_id": run.id if run else None, "replayed": run is None}, status=202)

    def _signed_connection(self, name: str, body: bytes) -> Connection:
        """The connection whose secret signed this; an unknown name answers as a wrong signature does."""
        meta = self.request.META
        connection = Connection.objects.select_related("system").filter(name=name).first()
        signed = is_signed(
            message_id=meta.get("HTTP_WEBHOOK_ID", ""), timestamp=meta.get("HTTP_WEBHOOK_TIMESTAMP", ""),
            signatures=meta.get("HTTP_WEBHOOK_SIGNATURE", ""), body=body, now=time.time(),
            secrets=read_secrets(connection) if connection is not None else ["whsec_AAAA"],
        )  # fmt: skip
        if connection is None or not signed:
            raise Problem("unauthenticated", "The signature is missing, wrong or too old.")
        return connection
