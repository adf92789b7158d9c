"""How the hub looks and behaves for one person in one browser: on top of time zone and theme, density and letters of their own."""

from collections.abc import Mapping
from typing import Any

from django import forms

from apps.stewardship import letters
from apps.stewardship.forms import PreferencesForm as Basics

DENSITIES = (("", "Comfortable"), ("compact", "Compact"))


def _field_name(group: str, own: str) -> str:
    """Of signs, too, a name that a form can have."""
    return f"letter-{group}-{ord(own)}"


class PreferencesForm(Basics):
    """The basics, density, and a letter for each shortcut; an empty one means the hub's own."""

    density = forms.ChoiceField(
        label="Density", choices=DENSITIES, required=False, help_text="How close together tables and cards stand."
    )

    def __init__(self, data: Any = None, *, user: Any, cookies: Mapping[str, str]) -> None:
        super().__init__(data, user=user, cookies=cookies)
        self.initial["density"] = cookies.get("density", "")
        self.order_fields(["time_zone", "theme", "density", "shortcuts"])
        kept = letters.chosen(cookies)
        for group in letters.GROUPS:
            for own, meaning in group.keys:
                name = _field_name(group.name, own)
                self.initial[name] = kept.get((group.name, own), "")
                self.fields[name] = forms.CharField(
                    label=meaning, required=False, max_length=1,
                    widget=forms.TextInput(attrs={"placeholder": own, "autocomplete": "off", "autocapitalize": "off"}),
                )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """No letter does two things on one page."""
        cleaned = super().clean() or self.cleaned_data
        given = self._letters(cleaned)
        for (group, own), letter in given.items():
            if not letters.is_letter(letter):
                self.add_error(
                    _field_name(group, own), "One letter or sign; digits, ? and / have a meaning of their own."
                )
        for (group, own), other in letters.clashes(given).items():
            letter = given.get((group, own), own)
            self.add_error(_field_name(group, own), f"{letter} is already used there: {other}.")
        return cleaned

    def _letters(self, cleaned: Mapping[str, Any]) -> dict[tuple[str, str], str]:
        told = {
            (g.name, own): str(cleaned.get(_field_name(g.name, own)) or "").lower()
            for g in letters.GROUPS
            for own, _ in g.keys
        }
        return {key: letter for key, letter in told.items() if letter and letter != key[1]}

    def cookies(self) -> dict[str, str]:
        return {
            **super().cookies(),
            "density": self.cleaned_data["density"],
            letters.COOKIE: letters.written(self._letters(self.cleaned_data)),
        }


def groups(form: PreferencesForm) -> list[tuple[letters.Group, list[Any]]]:
    """Each group of shortcuts with its fields."""
    return [(g, [form[_field_name(g.name, own)] for own, _ in g.keys]) for g in letters.GROUPS]
