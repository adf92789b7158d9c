"""The four kinds of server, by name."""

from typing import Final

from apps.connectors.sandbox.kind import Kind
from apps.connectors.sandbox.kinds.billing import Billing
from apps.connectors.sandbox.kinds.crm import Crm
from apps.connectors.sandbox.kinds.erp import Erp
from apps.connectors.sandbox.kinds.support import Support

KINDS: Final[dict[str, type[Kind]]] = {kind.name: kind for kind in (Crm, Erp, Billing, Support)}
