"""The systems customers are known in."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from apps.common.api.endpoints import Endpoint
from apps.common.api.views import HubView
from apps.customers.models import System


class SystemOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=[k.value for k in System.Kind])
    region = serializers.CharField(allow_blank=True)
    trust = serializers.IntegerField()
    is_active = serializers.BooleanField()


class SystemsOut(serializers.Serializer[Any]):
    items = SystemOut(many=True)


class SystemsView(HubView):
    endpoints: ClassVar = {"GET": Endpoint("list_systems", "systems.read", {200: SystemsOut}, tag="systems")}

    def get(self, request: Any) -> Response:
        """Every system with its code, which stands in all other calls."""
        fields = ("code", "name", "kind", "region", "trust", "is_active")
        return Response({"items": list(System.objects.values(*fields))})
