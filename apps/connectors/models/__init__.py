"""The tables of this room: connections, what comes in, what goes out."""

from apps.connectors.models.connection import Circuit, Connection, GoLive, OutboundSwitch
from apps.connectors.models.delivery import Delivery, DeliveryAttempt, PlanDue
from apps.connectors.models.intake import FieldDrift, IdempotencyKey, InboundMessage, Mapping, Run

__all__ = [
    "Circuit",
    "Connection",
    "Delivery",
    "DeliveryAttempt",
    "FieldDrift",
    "GoLive",
    "IdempotencyKey",
    "InboundMessage",
    "Mapping",
    "OutboundSwitch",
    "PlanDue",
    "Run",
]
