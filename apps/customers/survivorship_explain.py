"""Why a golden value is what it is: every candidate, what each strategy of the chain gave it, and where it fell out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apps.customers.survivorship import Deciding, newest_pins, sources_of, survive
from apps.customers.survivorship_decide import Stage, Trace
from apps.customers.survivorship_members import EXTRA, Member, value_of
from apps.customers.survivorship_policy import SurvivorshipPolicy
from apps.customers.survivorship_strategies import Step, told_score
from apps.customers.survivorship_trust import effective_trust, failed_codes, read_decay


def explain(
    members: Sequence[Member], policy: SurvivorshipPolicy, attribute: str, at: datetime | None = None
) -> dict[str, Any]:
    """The choice of one attribute (`extra.<name>` for a declared one) as plain data, told by the same code that decides.

    {attribute, value, rule, record, of: as the golden record and its lineage have them (`composed`: a name made of other values;
      `none`: nobody has a value),
     decided: what the chain came to, before a pin or the making of a name,
     pin: {record, at, value} | None, group: attributes that survive with it, condition: the one that held | None,
     chain: [{rule, strategy, …parameters}], ignored: [{record, value}],
     steps: [{rule, abstained, asked, kept}], one for each strategy that was asked, with numbers of candidates,
     candidates: [{record, system, external_id, value, trust, failed, scores, out, won}]}
    `scores` stand in the order of `steps`, None where a candidate was not asked any more or the strategy gives none; `out` is the rule
    of the step it fell out at, None for what was left, `tie` for what lost by system and external id alone. Values of a group are
    lists in its order. Raises ValueError as `survive` does."""
    golden = survive(members, policy, at)
    pins = newest_pins(members)
    sources = sources_of(members, policy)
    values: dict[str, Any] = {}
    deciding = Deciding(sources, policy, at, pins, values, {})
    deciding.traces = {}
    deciding.all()
    group = next((g for g in policy.groups if attribute in g), ())
    unit = group[0] if group else attribute
    trace = deciding.traces.get(unit) or Trace()
    told = golden.lineage.get(attribute) or (golden.lineage.get("extra") if attribute.startswith(EXTRA) else None) or {}
    value, decided = value_of(golden.values, attribute), value_of(values, attribute)
    composed = attribute == "name" and told.get("rule") != "pin" and value != decided
    return {
        "attribute": attribute,
        "value": value,
        "rule": "composed" if composed else told.get("rule", "none"),
        "record": told.get("record"),
        "of": told.get("of", 0),
        "decided": decided,
        "pin": _pin(pins, attribute),
        "group": list(group),
        "condition": trace.condition,
        "chain": [{"rule": step.rule, "strategy": step.strategy, **step.told} for step in trace.steps],
        "ignored": _ignored(members, attribute),
        "steps": [
            {"rule": s.rule, "abstained": _abstained(s.step, s.scores), "asked": len(s.asked), "kept": len(s.kept)}
            for s in trace.stages
        ],
        "candidates": _candidates(trace, unit, policy, at),
    }


def _pin(pins: Any, attribute: str) -> dict[str, Any] | None:
    if attribute not in pins:
        return None
    pin, anchor = pins[attribute]
    return {"record": anchor.id, "at": pin.at, "value": pin.value}


def _ignored(members: Sequence[Member], attribute: str) -> list[dict[str, Any]]:
    """What a steward said shall not count, where the record has it still."""
    said = {m.external_id: m.ignored[attribute] for m in members if attribute in m.ignored}
    found = [m for m in members if m.id in said and m.canonical.get(attribute) == said[m.id]]
    return [{"record": m.id, "value": said[m.id]} for m in sorted(found, key=lambda m: (m.system, m.external_id))]


def _abstained(step: Step | None, scores: Sequence[Any] | None) -> bool:
    return step is not None and step.score is not None and scores is None


def _candidates(trace: Trace, attribute: str, policy: SurvivorshipPolicy, at: datetime | None) -> list[dict[str, Any]]:
    """Who won first, then the others, those that fell out last before those that fell out first."""
    decay = next((read_decay(s.told["decay"]) for s in trace.steps if "decay" in s.told), None)
    asked = [
        (sum(m in stage.asked for stage in trace.stages), m, v) for m, v in zip(trace.holders, trace.said, strict=True)
    ]
    asked.sort(key=lambda one: (one[1] not in trace.winners, -one[0]))
    return [
        {
            "record": m.id,
            "system": m.system,
            "external_id": m.external_id,
            "value": list(value) if isinstance(value, tuple) else value,
            "trust": effective_trust(m, attribute, policy, at, decay),
            "failed": failed_codes(m, attribute, policy),
            "scores": [_score(stage, m) for stage in trace.stages],
            "out": _out(trace, m),
            "won": m in trace.winners,
        }
        for _, m, value in asked
    ]


def _score(stage: Stage, member: Member) -> Any:
    scored = zip(stage.asked, stage.scores or (), strict=False)
    return next((told_score(score) for asked, score in scored if asked is member), None)


def _out(trace: Trace, member: Member) -> str | None:
    """The rule of the step at which a candidate fell out."""
    if member in trace.winners:
        return None
    return next((s.rule for s in trace.stages if member in s.asked and member not in s.kept), "tie")
