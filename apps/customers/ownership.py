"""Ownership: which systems own an attribute, and what each target is told of the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from apps.common.errors import FieldError, Rejected
from apps.common.pointers import shown
from apps.customers.canonical_fields import SINGLE
from apps.customers.canonical_identifiers import TELLING as IDENTIFIERS
from apps.customers.canonical_lists import ADDRESS_PARTS, CONTACT_KINDS
from apps.customers.survivorship import ATTRIBUTES

FIELDS: Final = (*SINGLE, *CONTACT_KINDS, *IDENTIFIERS, *(flat for flat, _ in ADDRESS_PARTS.values()))
"""What a target can be told, one by one."""
MERGE_ACTIONS: Final = ("update_both", "deactivate", "merge", "cross_reference")
KINDS: Final = ("person", "organization")
_TARGET_KEYS: Final = ("attributes", "creates", "on_merge", "recreate")


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What one target is told. `attributes`: attributes or single fields, None for all it can hold; `creates`: kinds of customers that
    are created where the target lacks them; `on_merge`: what becomes of two records there of one customer; `recreate`: whether
    what the target itself deleted is made again."""

    attributes: tuple[str, ...] | None = None
    creates: tuple[str, ...] = ()
    on_merge: str = "update_both"
    recreate: bool = False


@dataclass(frozen=True, slots=True)
class OwnershipPolicy:
    """`owners`: attribute or field -> kinds or codes of the systems that own it; `targets`: kind or code of a system -> what it is
    told. A code outranks a kind; a target that is not named is told everything it can hold, and nothing is created there."""

    owners: Mapping[str, tuple[str, ...]]
    targets: Mapping[str, TargetPolicy] = field(default_factory=dict)

    def owns(self, *, system: str, kind: str, attribute: str) -> bool:
        """True when `system` (a code) or its kind is named as an owner of `attribute`."""
        named = self.owners.get(attribute, ())
        return system in named or kind in named

    def target(self, *, system: str, kind: str) -> TargetPolicy:
        return self.targets.get(system) or self.targets.get(kind) or TargetPolicy()


def parse_ownership(body: Mapping[str, Any]) -> OwnershipPolicy:
    """Raises Rejected with every entry that makes no sense."""
    owners, targets = body.get("owners", {}), body.get("targets", {})
    wrong = [FieldError(f"/{k}", "unknown_field", f"{shown(k)} is no part of it; known are owners and targets.")
             for k in body if k not in ("owners", "targets")]  # fmt: skip
    wrong += [FieldError(f"/{name}", "wrong_type", f"{name} is a table.")
              for name, part in (("owners", owners), ("targets", targets)) if not isinstance(part, Mapping)]  # fmt: skip
    if wrong:
        raise Rejected("The ownership policy cannot be used.", wrong)
    wrong = [_unknown(f"/owners/{name}", name) for name in owners if name not in (*ATTRIBUTES, *FIELDS)]
    wrong += [FieldError(f"/owners/{name}", "wrong_type", "Owners are a list of kinds or codes of systems.")
              for name, systems in owners.items() if not _are_names(systems)]  # fmt: skip
    wrong += [error for name, target in targets.items() for error in _target_errors(f"/targets/{name}", target)]
    if wrong:
        raise Rejected("The ownership policy cannot be used.", wrong)
    return OwnershipPolicy(
        {name: tuple(systems) for name, systems in owners.items()},
        {name: _target(target) for name, target in targets.items()},
    )


def _target(body: Mapping[str, Any]) -> TargetPolicy:
    told = body.get("attributes", "all")
    return TargetPolicy(
        None if told == "all" else tuple(told), tuple(body.get("creates", ())), body.get("on_merge", "update_both"),
        bool(body.get("recreate", False)),
    )  # fmt: skip


def _target_errors(place: str, body: Any) -> list[FieldError]:
    if not isinstance(body, Mapping):
        return [FieldError(place, "wrong_type", "A target is a table.")]
    wrong = [FieldError(f"{place}/{k}", "unknown_field", f"{shown(k)} is no part of a target; known are {', '.join(_TARGET_KEYS)}.")
             for k in body if k not in _TARGET_KEYS]  # fmt: skip
    told = body.get("attributes", "all")
    if told != "all":
        if not isinstance(told, list | tuple):
            wrong.append(FieldError(f"{place}/attributes", "wrong_type", 'attributes is "all" or a list of names.'))
        else:
            wrong += [_unknown(f"{place}/attributes", n) for n in told if n not in (*ATTRIBUTES, *FIELDS)]
    creates = body.get("creates", ())
    if not isinstance(creates, list | tuple) or any(kind not in KINDS for kind in creates):
        wrong.append(FieldError(f"{place}/creates", "unknown_value", f"creates lists kinds: {' and '.join(KINDS)}."))
    action = body.get("on_merge", "update_both")
    if action not in MERGE_ACTIONS:
        wrong.append(
            FieldError(f"{place}/on_merge", "unknown_value", f"on_merge is one of {', '.join(MERGE_ACTIONS)}.")
        )
    if not isinstance(body.get("recreate", False), bool):
        wrong.append(FieldError(f"{place}/recreate", "wrong_type", "recreate is true or false."))
    return wrong


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _unknown(place: str, name: Any) -> FieldError:
    near = get_close_matches(str(name), (*ATTRIBUTES, *FIELDS), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return FieldError(place, "unknown_value", f"{shown(name)} is no attribute or field of a customer.{hint}")
