"""The frame of every page: head, style, the name of the system."""

from html import escape
from typing import Final

TITLES: Final = {"crm": "CRM", "erp": "ERP", "billing": "Billing", "support": "Support desk"}
COLOURS: Final = {"crm": "#1b5fa8", "erp": "#7a4a12", "billing": "#5b3fa0", "support": "#17694a"}
STYLE: Final = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 90rem; padding: 0 1.5rem 3rem; font: 15px/1.5 system-ui, sans-serif; }
header { margin: 0 -1.5rem 1rem; padding: .6rem 1.5rem; background: COLOUR; color: #fff; }
header a { color: #fff; font-weight: 600; text-decoration: none; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid #8884; } th { font-size: .85rem; } td.values { font-size: .9rem; } td.values { overflow-wrap: anywhere; }
td { overflow-wrap: break-word; } td:first-child, td.writer { white-space: nowrap; } tr.gone td { text-decoration: line-through; }
tr.gone td:first-child { text-decoration: none; }
.mark { font-size: .8rem; border: 1px solid currentcolor; border-radius: .25rem; padding: 0 .35rem; }
dl { display: flex; flex-wrap: wrap; gap: .4rem 2rem; } dl div { min-width: 8rem; } dt { font-size: .85rem; } dd { margin: 0; font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .6rem 1rem; }
label { display: block; font-size: .85rem; } form[role=search] label { display: inline; }
input, select, button { font: inherit; padding: .3rem .5rem; min-height: 2rem; box-sizing: border-box; }
.grid input, .grid select { width: 100%; }
.danger { color: #b3261e; } .problem { border-left: 4px solid #b3261e; padding: .3rem .8rem; }
nav { margin: 1rem 0; } nav a { margin-left: 1rem; } :focus-visible { outline: 3px solid #1b5fa8; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { .danger { color: #f2b8b5; } :focus-visible { outline-color: #9cc8ff; } }
"""


def framed(kind: str, title: str, body: str) -> str:
    """A whole page; `body` is HTML."""
    style = STYLE.replace("COLOUR", COLOURS[kind])
    name = TITLES[kind]
    heading = name if title == name else f"{title} · {name}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"><title>{escape(heading)}</title><style>{style}</style></head>'
        f'<body><header><a href="/">{name}</a> (sandbox)</header><main>{body}</main></body></html>\n'
    )
