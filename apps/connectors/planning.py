"""What a target has to be told of a customer: a pure function of the golden values, the records it has there, and the policy.

Values are compared and sent under the flat names of a record (email, address_line1, …): a target that holds one e-mail address is
told the golden record's best one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from apps.customers.canonical_fields import SINGLE
from apps.customers.canonical_identifiers import KINDS as IDENTIFIERS
from apps.customers.canonical_lists import ADDRESS_PARTS, CONTACT_KINDS

ADDRESS: Final = tuple(flat for flat, _ in ADDRESS_PARTS.values())
_PARTS_OF_A_NAME: Final = {"person": ("given_name", "family_name"), "organization": ("organization_name",)}
_NAMES: Final = frozenset({"name", "given_name", "family_name", "organization_name"})
_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(ADDRESS, "addresses"),
    **dict.fromkeys(CONTACT_KINDS, "contact_points"),
    **dict.fromkeys(IDENTIFIERS, "identifiers"),
}


def attribute_of(name: str) -> str:
    """The customer's attribute that a flat name belongs to."""
    return "extra" if name.startswith("extra.") else _OF.get(name, name)


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Canonical or golden values under flat names; of a list the best entry of each kind; what is empty is left out, an e-mail address or
    number that is known to be none, and what has ended or not begun."""
    found = {name: values[name] for name in ("kind", *SINGLE) if values.get(name) not in (None, "")}
    for point in values.get("contact_points", ()):
        if point.get("value") and point.get("valid") is not False and _holds(point):
            found.setdefault(point["type"], point["value"])
    for entry in values.get("identifiers", ()):
        if entry.get("value") and _holds(entry):
            found.setdefault(entry["type"], entry["value"])
    addresses = [a for a in values.get("addresses", ()) if _holds(a)]
    postal: Mapping[str, Any] = next((a for a in addresses if a.get("type") == "postal"), next(iter(addresses), {}))
    found.update((name, postal[part]) for part, (name, _) in ADDRESS_PARTS.items() if postal.get(part))
    found.update((f"extra.{name}", value) for name, value in values.get("extra", {}).items())
    return found


def _holds(part: Mapping[str, Any]) -> bool:
    """Whether an entry of a list counts today: a golden one (it names its records) that is dated has a rank only while it holds; a record's own
    that has an end counts no more."""
    return "rank" in part or not ("valid_to" in part or ("valid_from" in part and "from" in part))


@dataclass(frozen=True, slots=True)
class Rule:
    """What one target is told: `names` it subscribes to, can hold and does not own; whether customers it lacks are created there
    (`creates`: kinds), and what becomes of two records there of one customer (`on_merge`)."""

    names: frozenset[str]
    creates: frozenset[str] = frozenset()
    on_merge: str = "update_both"
    recreate: bool = False


@dataclass(frozen=True, slots=True)
class Far:
    """A record that the target has. `own`: flat values it says by itself; `sent`: those it holds because the hub told it."""

    link: UUID
    record: UUID
    external_id: str
    state: str
    disposition: str
    own: Mapping[str, Any]
    sent: Mapping[str, Any]

    @property
    def believed(self) -> dict[str, Any]:
        return {**self.own, **self.sent}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to tell: `values` under flat names, None where the target shall have nothing; `losers`: external ids to fold in."""

    op: str
    record: UUID
    link: UUID | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    losers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps` need a call; `relabel`: links that get another state without one."""

    steps: tuple[Step, ...] = ()
    relabel: tuple[tuple[UUID, str], ...] = ()


def with_parts(image: Mapping[str, Any]) -> Mapping[str, Any]:
    """The image with the parts of a name that is known in one piece only, for targets that keep nothing but parts.

    "Family, Given" is read as such; otherwise the last word is the family name, and so is a name of one word."""
    if not image.get("name"):
        return image
    if image.get("kind") == "organization":
        return image if image.get("organization_name") else {**image, "organization_name": image["name"]}
    if image.get("given_name") or image.get("family_name"):
        return image
    family, comma, given = (part.strip() for part in str(image["name"]).partition(","))
    if not comma:
        given, _, family = str(image["name"]).rpartition(" ")
    return {**image, "family_name": family, **({"given_name": given} if given else {})}


def plan(image: Mapping[str, Any], fars: Sequence[Far], rule: Rule, *, oldest: UUID) -> Plan:
    """Every step that brings the target to `image` (flat golden values); none when it holds all of it."""
    if "name" not in rule.names:
        image = with_parts(image)
    live = sorted(
        (f for f in fars if f.disposition in ("there", "deactivated")),
        key=lambda f: (f.state != "active", f.disposition != "there", f.record),
    )
    if not live:
        return _missing(image, fars, rule, oldest)
    first, others = live[0], live[1:]
    relabel = [(f.link, "active") for f in _to_wake(first, others, rule) if f.state != "active"]
    if others and rule.on_merge == "merge":
        fold = tuple(f.external_id for f in others)
        return Plan((Step("merge", first.record, first.link, {}, fold),), tuple(relabel))
    steps = list(_bring(first, image, rule))
    for far in others:
        if rule.on_merge == "update_both":
            steps += _bring(far, image, rule)
        elif rule.on_merge == "deactivate" and far.disposition == "there":
            steps.append(Step("deactivate", far.record, far.link))
        elif rule.on_merge == "cross_reference" and far.state != "duplicate":
            relabel.append((far.link, "duplicate"))
    return Plan(tuple(steps), tuple(relabel))


def _to_wake(first: Far, others: Iterable[Far], rule: Rule) -> list[Far]:
    """Records that are written to from now on, whatever they were while their customer was part of another."""
    return [first, *others] if rule.on_merge == "update_both" else [first]


def _missing(image: Mapping[str, Any], fars: Sequence[Far], rule: Rule, oldest: UUID) -> Plan:
    """The target has no record of the customer. What the far side itself took away is not made again, unless the policy says so;
    what the hub folded into another customer's record is."""
    gone = any(f.disposition == "gone" for f in fars)
    folded = [f for f in fars if f.disposition == "merged"]
    wanted = bool(folded) or image.get("kind") in rule.creates
    if (gone and not rule.recreate) or not wanted:
        return Plan()
    names = _names(image, rule.names, {})
    values = {n: image[n] for n in sorted(names) if image.get(n) is not None}
    relabel = tuple((f.link, "retired") for f in folded if f.state != "retired")
    return Plan((Step("create", folded[0].record if folded else oldest, None, values),), relabel)


def _bring(far: Far, image: Mapping[str, Any], rule: Rule) -> list[Step]:
    """The step that brings one record to the image, if any field differs."""
    believed = far.believed
    values = changes(image, believed, _names(image, rule.names, believed), told=far.sent)
    if far.disposition == "deactivated":
        status = image.get("status") if "status" in rule.names else far.own.get("status")
        return [Step("reactivate", far.record, far.link, {**values, **({"status": status} if status else {})})]
    return [Step("update", far.record, far.link, values)] if values else []


def changes(
    image: Mapping[str, Any], believed: Mapping[str, Any], names: Iterable[str], *, told: Mapping[str, Any]
) -> dict[str, Any]:
    """Fields whose golden value the target does not hold. An address is told whole; a value is taken away (None) only where the
    hub itself had put one (`told`)."""
    differs = {
        n
        for n in names
        if image.get(n) != believed.get(n) and (image.get(n) is not None or told.get(n) is not None or _moves(n, image))
    }
    if differs & set(ADDRESS):
        differs |= {n for n in ADDRESS if n in names and (image.get(n) is not None or believed.get(n) is not None)}
    return {n: image.get(n) for n in sorted(differs)}


def _moves(name: str, image: Mapping[str, Any]) -> bool:
    """Whether a part of an address is empty because another address took its place."""
    return name in ADDRESS and any(image.get(n) is not None for n in ADDRESS)


def _names(image: Mapping[str, Any], names: frozenset[str], believed: Mapping[str, Any]) -> frozenset[str]:
    """`names` with one way of writing the name: in parts where the target keeps parts, else as one piece.

    As one piece never where the customer has only parts: the name would be taken away, and nothing told in its place."""
    parts = [n for n in _PARTS_OF_A_NAME.get(image.get("kind", ""), ()) if n in names]
    kept_whole = bool(image.get("name") and believed.get("name")) and not any(believed.get(n) for n in parts)
    one_piece = "name" in names and (not parts or kept_whole)
    if not one_piece and not any(image.get(n) for n in parts):
        one_piece = "name" in names
    return (names - _NAMES) | ({"name"} if one_piece else set(parts))
