"""The base of every API view: what a method asks for is declared once, for guard, checks and description alike."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.common.act import Act
from apps.common.api.endpoints import Caller, Endpoint, SerializerType
from apps.common.api.problems import Fault, Problem, correlation_id, flatten


class HubView(APIView):
    """Declares `endpoints` by method; a method without one is refused. `self.params`: the checked query parameters."""

    endpoints: ClassVar[Mapping[str, Endpoint]] = {}
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    params: dict[str, Any]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        method = str(request.method).lower()
        if method not in self.http_method_names or getattr(self, method, None) is None:
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)
        self.params = self._checked_query(self.endpoint.query)
        if any("\x00" in str(value) for value in kwargs.values()):
            raise Problem("not-found", "There is nothing at this address.")

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """What is answered is about people: no cache between keeps it, unless a view says otherwise."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    @property
    def endpoint(self) -> Endpoint:
        """What this request's method declares."""
        return self.endpoints["GET" if self.request.method == "HEAD" else str(self.request.method)]

    def _checked_query(self, serializer: SerializerType) -> dict[str, Any]:
        given = self.request.query_params
        twice = [name for name, values in given.lists() if len(values) > 1]
        faults = [Fault("given_twice", "Give this parameter once.", parameter=name) for name in twice]
        faults += [
            Fault("unstorable_text", "The value holds a NUL; send it without.", parameter=name)
            for name, value in given.items()
            if "\x00" in name or "\x00" in value
        ]
        checked = serializer(data=given.dict())
        if not faults and not checked.is_valid():
            found = flatten(checked.errors, _codes(checked))
            faults = [Fault(code, detail, parameter=place.strip("/").split("/")[0]) for place, code, detail in found]
        if faults:
            raise Problem("bad-request", "A query parameter is not right.", faults)
        values: dict[str, Any] = dict(checked.validated_data)
        return values

    def body(self) -> dict[str, Any]:
        """The request's body, checked by the endpoint's serializer."""
        assert self.endpoint.body is not None
        checked = self.endpoint.body(data=self.request.data)
        checked.is_valid(raise_exception=True)
        values: dict[str, Any] = checked.validated_data
        return values

    @property
    def caller(self) -> Caller:
        auth = self.request.auth
        return auth if isinstance(auth, Caller) else Caller(f"user:{self.request.user.get_username()}")

    def act(self, reason: str = "", *, quiet: bool = False) -> Act:
        """Who does this and why, for the verb that is called."""
        return Act(
            self.caller.label,
            reason,
            user_id=self.request.user.pk,
            correlation_id=correlation_id(self.request),
            quiet=quiet,
        )

    def page(self, items: list[Any], following: str | None) -> Response:
        """A page of a list; the next one's address stands in the header Link too."""
        response = Response({"items": items, "next": following})
        if following is not None:
            query = {**self.request.query_params.dict(), "cursor": following}
            response["Link"] = f'<{self.request.path}?{urlencode(query)}>; rel="next"'
        return response


def _codes(serializer: serializers.BaseSerializer[Any]) -> Any:
    """The codes of a serializer's errors, in the shape of the errors."""
    return serializers.ValidationError(dict(serializer.errors)).get_codes()
