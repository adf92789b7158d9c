"""The API's description (OpenAPI 3.1), made from what the views declare in `endpoints`."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.utils import OpenApiResponse

from apps.common.api import idempotency
from apps.common.api.endpoints import Endpoint
from apps.common.api.problems import MEDIA_TYPE
from apps.common.api.serializers import NoParameters, ProblemOut, Strict
from apps.common.api.views import HubView

SCOPE_OF: dict[str, str] = {}
"""Operation -> scope; filled by the room that knows the roles, so that this one needs no word of them."""


class HubSchema(AutoSchema):
    """Operation id, parameters, bodies, answers and scopes as declared; every error is a problem document."""

    @property
    def endpoint(self) -> Endpoint:
        assert isinstance(self.view, HubView)
        return self.view.endpoints[self.method]

    @property
    def takes_key(self) -> bool:
        return idempotency.is_idempotent(getattr(self.view, self.method.lower(), None))

    def is_excluded(self) -> bool:
        return not isinstance(self.view, HubView) or self.method not in self.view.endpoints

    def get_operation_id(self) -> str:
        return self.endpoint.name

    def get_tags(self) -> list[str]:
        return [self.endpoint.tag]

    def get_override_parameters(self) -> list[Any]:
        query = [] if self.endpoint.query is NoParameters else [self.endpoint.query]
        key = idempotency.PARAMETERS if self.takes_key else ()
        return [*query, *self.endpoint.headers, *key]

    def get_request_serializer(self) -> Any:
        return self.endpoint.body

    def get_response_serializers(self) -> Any:
        answers: dict[Any, Any] = {
            status: serializer if serializer is not None else OpenApiResponse(description="No body")
            for status, serializer in self.endpoint.answers.items()
        }
        answers |= idempotency.ANSWERS if self.takes_key else {}
        answers["default", MEDIA_TYPE] = OpenApiResponse(
            ProblemOut, description="What went wrong, and what to do about it."
        )
        return answers

    def _map_serializer(self, serializer: Any, direction: str, bypass_extensions: bool = False) -> Any:  # noqa: FBT001, FBT002
        mapped = super()._map_serializer(serializer, direction, bypass_extensions)
        if isinstance(force_instance(serializer), Strict) and direction == "request":
            mapped["additionalProperties"] = False
        return mapped

    def get_auth(self) -> list[dict[str, list[str]]]:
        if not self.view.authentication_classes:
            return [{"webhook_signature": []}]
        scope = SCOPE_OF.get(self.endpoint.operation, "")
        machine = [{"oauth2": [scope]}] if scope else []
        return [*machine, {"session": []}]


def describe_logins(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: where tokens come from, and what their scopes mean."""
    result["components"].setdefault("securitySchemes", {}).update(
        {
            "oauth2": {
                "type": "oauth2",
                "description": "Machines: client credentials, made with `manage.py client`.",
                "flows": {
                    "clientCredentials": {
                        "tokenUrl": "/identity/o/api/token",
                        "scopes": {scope: scope for scope in sorted(set(SCOPE_OF.values())) if scope},
                    }
                },
            },
            "webhook_signature": {
                "type": "apiKey",
                "in": "header",
                "name": "webhook-signature",
                "description": "Standard Webhooks: with webhook-id and webhook-timestamp.",
            },
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": "People: the login page.",
            },
        }
    )
    return result
