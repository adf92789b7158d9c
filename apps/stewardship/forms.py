"""What people type into the hub's pages, checked before any verb sees it."""

import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.customers.models import System

Choices = Sequence[tuple[str, str]]
_MOMENT = "%Y-%m-%dT%H:%M"
_THEMES = (("", "As my system"), ("light", "Light"), ("dark", "Dark"))


class PreferencesForm(forms.Form):
    """How the hub looks and behaves for one person."""

    time_zone = forms.ChoiceField(label="Time zone", help_text="All times are shown in this zone.")
    theme = forms.ChoiceField(label="Theme", choices=_THEMES, required=False)
    shortcuts = forms.BooleanField(
        label="Keyboard shortcuts",
        required=False,
        help_text="Single letters such as / and j, never while you type in a field.",
    )

    def __init__(self, data: Any = None, *, user: Any, cookies: Mapping[str, str]) -> None:
        super().__init__(
            data,
            initial={
                "time_zone": user.time_zone,
                "theme": cookies.get("theme", ""),
                "shortcuts": cookies.get("shortcuts") != "off",
            },
        )
        self.user = user
        names = sorted(
            n
            for n in zoneinfo.available_timezones()
            if "/" in n and not n.startswith(("Etc/", "SystemV/", "posix", "right"))
        )
        zones: Any = self.fields["time_zone"]
        zones.choices = [(n, n.replace("_", " ")) for n in ("UTC", *names)]

    def save(self) -> None:
        self.user.time_zone = self.cleaned_data["time_zone"]
        self.user.save(update_fields=("time_zone",))

    def cookies(self) -> dict[str, str]:
        """What this browser keeps; an empty value: nothing, so the default holds."""
        return {"theme": self.cleaned_data["theme"], "shortcuts": "" if self.cleaned_data["shortcuts"] else "off"}


class BulkUnmergeForm(forms.Form):
    """What a bulk unmerge is of: one of a run, a model and a stretch of time, or several that have to hold together."""

    run = forms.ChoiceField(label="Run", required=False, help_text="What this file, call or webhook joined.")
    model = forms.ChoiceField(label="Model", required=False, help_text="What this version of the model joined.")
    since = forms.DateTimeField(
        label="From", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
        help_text="What was joined from then on, in your time zone.",
    )  # fmt: skip
    until = forms.DateTimeField(
        label="Until", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
    )
    people = forms.BooleanField(label="Also what people said, not only what the machine did", required=False)
    again = forms.BooleanField(
        label="Keep nothing apart: let the machine decide again, by the model and policy of today", required=False
    )
    reason = forms.CharField(label="Why", max_length=500, help_text="It stands in the history of each customer.")

    def __init__(self, data: Any = None, *, runs: Choices, models: Choices, initial: Mapping[str, Any]) -> None:
        super().__init__(data, initial=dict(initial))
        for name, choices in (("run", runs), ("model", models)):
            field: Any = self.fields[name]
            field.choices = [("", "—"), *choices]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not self.errors and not (found.get("run") or found.get("model") or found.get("since")):
            raise forms.ValidationError("Say what is to be undone: a run, a model, or since when.")
        return found


class SystemChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.code})"


class UploadForm(forms.Form):
    """Step one of an import: which system speaks, and its file."""

    system = SystemChoice(
        queryset=System.objects.exclude(kind="steward").filter(is_active=True).order_by("name"),
        label="Which system do these records come from?",
        empty_label="Choose a system",
        help_text="A record id is unique within its system; sending the same file again changes nothing.",
    )
    file = forms.FileField(label="File", help_text="CSV, TSV, NDJSON, JSON or Parquet.", allow_empty_file=True)

    def __init__(self, *args: Any, user: Any, refusal: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if refusal:  # the file came, and was not taken
            self.fields["file"].error_messages["required"] = refusal
        if user.systems:
            systems: Any = self.fields["system"]
            systems.queryset = systems.queryset.filter(code__in=user.systems)


class DiscardForm(forms.Form):
    """Why a quarantined record is not wanted."""

    reason = forms.CharField(
        label="Reason", max_length=500, strip=True, error_messages={"required": "Say why this record is not wanted."}
    )
