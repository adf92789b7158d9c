"""Pages for people: what the system holds, one record with its history, and a form with which "somebody there" changes or deletes it.

No login and no script: the pages are for a demo on this machine, and a form is taken only from the server's own pages."""

from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from apps.connectors.sandbox import fields
from apps.connectors.sandbox.fields import Field, number_of
from apps.connectors.sandbox.kind import Answer, Refused, Request
from apps.connectors.sandbox.moments import iso
from apps.connectors.sandbox.page_frame import TITLES, framed
from apps.connectors.sandbox.service import Service
from apps.connectors.sandbox.store import Change, Row, Writer

PAGE: Final = 50
HISTORY: Final = 200
"""Changes of one record that its page shows, the latest ones."""
VISITOR: Final = Writer("somebody")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Pages:
    """`/?q=&page=` and `/records/{id}`, which takes the form too."""

    def __init__(self, service: Service) -> None:
        self.service, self.kind, self.store = service, service.kind, service.store

    def answer(self, request: Request) -> Answer:
        if request.path == "/" and request.method == "GET":
            return self._list(request)
        if not request.path.startswith("/records/") or request.method not in ("GET", "POST"):
            return self._page(405, "Not so", "<p>This page does not take that.</p>")
        row = self.store.get(_decoded(request.path.removeprefix("/records/")))
        if row is None:
            return self._page(404, "Not found", "<p>There is no such record.</p>")
        if request.method == "GET":
            return self._record(row)
        origin = request.headers.get("origin", "")
        if urlsplit(origin).netloc != request.headers.get("host"):
            return self._page(403, "Not from here", "<p>The form was not sent from this page.</p>")
        return self._change(row, dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)))

    # ── the list ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _list(self, request: Request) -> Answer:
        text = request.query.get("q", "")
        count = self.store.count(text)
        pages = max(-(-count // PAGE), 1)
        wanted = request.query.get("page", "1")
        number = min(max(int(wanted), 1), pages) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 1
        rows = self.store.holding(text, offset=(number - 1) * PAGE, limit=PAGE)
        title = TITLES[self.kind.name]
        found = f"{count:,} record{'' if count == 1 else 's'}" + (f" with “{escape(text)}”" if text else "")
        lines = "".join(self._line(row) for row in rows)
        table = f"<table><thead><tr><th>Id<th>Name<th>Fields<th>Key<th>Last writer<th>Changed</tr></thead><tbody>{lines}</tbody></table>"
        links = [
            f'<a href="/?{escape(urlencode({"q": text, "page": to}))}">{word}</a>'
            for word, to, there in (("Newer", number - 1, number > 1), ("Older", number + 1, number < pages))
            if there
        ]
        search = (
            '<form role="search"><label for="q">Search</label> '
            f'<input id="q" name="q" type="search" value="{escape(text)}"> <button>Search</button></form>'
        )
        foot = f"<nav>Page {number} of {pages} {' '.join(links)}</nav>"
        return self._page(200, title, f"<h1>{title}</h1>{search}<p>{found}</p>{table if rows else ''}{foot}")

    def _line(self, row: Row) -> str:
        shown = [escape(_written(value)) for _, value in _flat(row.fields) if value not in (None, "", [])]
        values = " · ".join(text for text in shown if text != escape(self.kind.title(row.fields)))
        return (
            f'<tr{" class=gone" if row.deleted else ""}><td><a href="/records/{quote(row.id, safe="")}">{escape(row.id)}</a>{_marks(row)}'
            f'<td>{escape(self.kind.title(row.fields))}<td class="values">{values}<td>{escape(row.key or "")}'
            f'<td class="writer">{escape(row.writer)}<td>{_when(row.modified)}</tr>'
        )

    # ── one record ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _record(self, row: Row, problem: str = "", status: int = 200) -> Answer:
        title = self.kind.title(row.fields) or row.id
        facts = [
            ("Id", escape(row.id)), ("Key", escape(row.key or "none")), ("Version", str(row.version)),
            ("Created", _when(row.created)), ("Changed", f"{_when(row.modified)} by {escape(row.writer)}"),
        ]  # fmt: skip
        head = "".join(f"<div><dt>{name}<dd>{value}</div>" for name, value in facts)
        values = dict(_flat(row.fields))
        inputs = "".join(
            self._input(name, known, values.get(name)) for name, known in _places(self.kind.declared, row.fields)
        )
        note = f'<p role="alert" class="problem">{escape(problem)}</p>' if problem else ""
        form = (
            f'<form method="post" class="fields">{note}<div class="grid">{inputs}</div>'
            '<p><button name="do" value="save">Save</button> <button name="do" value="delete" class="danger">Delete</button></p></form>'
        )
        lines = "".join(_history_line(change) for change in self.store.changes(record_id=row.id)[: -HISTORY - 1 : -1])
        history = (
            "<h2>History</h2><table><thead><tr><th>When<th>What<th>Who<th>Correlation id<th>Hub version<th>Fields</tr></thead>"
            f"<tbody>{lines}</tbody></table>"
        )
        body = f'<p><a href="/">All records</a></p><h1>{escape(title)} {_marks(row)}</h1><dl>{head}</dl>'
        return self._page(status, title, body + (_frozen(values) if row.deleted else form) + history)

    def _input(self, name: str, known: Field, value: Any) -> str:
        where = f'id="{escape(name)}" name="{escape(name)}"'
        text = escape(_written(value))
        if known.choices or known.type == "boolean":
            words = [*(known.choices or ("true", "false"))]
            words = [""] + words + ([_written(value)] if value is not None and _written(value) not in words else [])
            options = "".join(
                f"<option{' selected' if word == _written(value) else ''}>{escape(word)}</option>" for word in words
            )
            field = f"<select {where}>{options}</select>"
        else:
            field = f'<input {where} value="{text}">'
        return f'<div><label for="{escape(name)}">{escape(name)}</label>{field}</div>'

    def _change(self, row: Row, form: dict[str, str]) -> Answer:
        """Only what differs from the record is written, so that two people do not undo each other's fields."""
        try:
            if form.get("do") == "delete":
                self.kind.remove(row.id, VISITOR)
            else:
                before = dict(_flat(row.fields))
                places = dict(_places(self.kind.declared, row.fields))
                changed = {
                    name: _read(form[name], known)
                    for name, known in places.items()
                    if name in form and form[name] != _written(before.get(name))
                }
                if changed:
                    self.kind.change(row.id, self.kind.checked(fields.unfolded(changed)), VISITOR)
        except Refused as refused:
            return self._record(row, f"Not saved: {_sentences(refused.answer.body)}", 400)
        return Answer(303, None, {**HEADERS, "Location": f"/records/{quote(row.id, safe='')}"})

    def _page(self, status: int, title: str, body: str) -> Answer:
        text = framed(self.kind.name, title, body)
        return Answer(status, text.encode(), dict(HEADERS), media="text/html; charset=utf-8")


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


def _places(declared: fields.Declared, values: dict[str, Any]) -> list[tuple[str, Field]]:
    """The fields a person can write, parts of objects by their dotted names."""
    found: list[tuple[str, Field]] = []
    for name, known in declared.items():
        if known.read_only:
            continue
        parts = dict.fromkeys(values.get(name) or (), Field(longest=known.longest)) if known.free else known.parts
        found += (
            [(f"{name}.{part}", inner) for part, inner in parts.items()] if known.type == "object" else [(name, known)]
        )
    return found


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _read(text: str, known: Field) -> Any:
    """What a person typed, as the field's type has it; what cannot be read is left for the check to name."""
    if text == "":
        return None
    if known.type == "boolean":
        return text == "true"
    if known.type == "list":
        return [part.strip() for part in text.split(",") if part.strip()]
    return number_of(text) if known.type == "number" else text


def _marks(row: Row) -> str:
    if row.merged_into is not None:
        target = f'<a href="/records/{quote(row.merged_into, safe="")}">{escape(row.merged_into)}</a>'
        return f' <span class="mark">merged into {target}</span>'
    return ' <span class="mark">deleted</span>' if row.deleted else ""


def _frozen(values: dict[str, Any]) -> str:
    return "<dl>" + "".join(f"<div><dt>{escape(n)}<dd>{escape(_written(v))}</div>" for n, v in values.items()) + "</dl>"


def _history_line(change: Change) -> str:
    parts = "<br>".join(
        f"<b>{escape(name)}</b> {escape(_written(old)) or '<i>empty</i>'} → {escape(_written(new)) or '<i>empty</i>'}"
        for name, (old, new) in change.changed.items()
    )
    what = "no difference" if change.op == "update" and not change.changed else change.op
    return (
        f"<tr><td>{_when(change.at)}<td>{what}<td>{escape(change.who)}<td><code>{escape(change.correlation)}</code>"
        f"<td>{escape(change.hub_version or '')}<td>{parts}</tr>"
    )


def _when(at: int) -> str:
    return f'<time datetime="{iso(at)}">{iso(at)[:19].replace("T", " ")}</time>'


def _decoded(text: str) -> str:
    return dict(parse_qsl(f"id={text.replace('+', '%2B').replace('&', '%26')}")).get("id", "")


def _sentences(body: Any) -> str:
    """The sentences of an error body, whatever its shape."""
    if isinstance(body, dict):
        own = [body[name] for name in ("message", "description") if isinstance(body.get(name), str)]
        inner = [_sentences(value) for value in body.values() if isinstance(value, dict | list)]
        return " ".join(text for text in (*inner, *own) if text)
    return " ".join(_sentences(part) for part in body) if isinstance(body, list) else ""
