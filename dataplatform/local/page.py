"""The page: one file that shows a stack and its pipelines' runs, with nothing to load and nobody to ask.

`.dp/page.html` opens from disk. All text is escaped here; the script only filters and highlights what is there, so the
page says the same without it.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from importlib import resources
from pathlib import Path

from dataplatform.local import page_svg
from dataplatform.local.page_data import Node, PageData, collect
from dataplatform.local.trace import RunTrace

MANY = 6
"""Pipelines up to which all are shown open; of more only those that failed."""


def write(root: Path, stack: str) -> Path:
    """Write the page of a stack; returns its path."""
    from dataplatform.local.engine import project_name

    file = root / ".dp" / "page.html"
    file.parent.mkdir(exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(render(collect(root, stack, project_name(root))), "utf-8")
    temporary.replace(file)
    return file


def render(data: PageData) -> str:
    """The page's text."""
    assets = resources.files("dataplatform.local") / "assets"
    style, script = ((assets / name).read_text("utf-8") for name in ("page.css", "page.js"))
    leaves = [leaf for root in data.roots for leaf in root.leaves()]
    counts = Counter(leaf.status for leaf in leaves)
    did = " · ".join(f"{n} {status}" for status, n in counts.most_common()) or "no resources"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(data.stack)} · data platform</title>
<style>{style}</style>
</head>
<body>
<svg width="0" height="0" aria-hidden="true"><defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7"
 markerHeight="7" orient="auto"><path class="tip" d="M0,0 L8,4 L0,8 z"/></marker></defs></svg>
<header>
<h1>Stack <b>{escape(data.stack)}</b></h1>
<p>{len(leaves)} resources in {len(data.roots)} components · {escape(did)}</p>
<p class="quiet">Last command: {escape(data.command)}. This page was made at {escape(data.made)}.</p>
<nav aria-label="Sections"><a href="#runs">Pipeline runs</a>
{'<a href="#pipelines">Pipelines</a>' if data.pictures else ""}
<a href="#components">Components</a>
<a href="#resources">Resources</a><a href="#outputs">Outputs</a><a href="#files">Files</a></nav>
</header>
<main>
{_errors(data)}
<section id="runs" aria-labelledby="h-runs"><h2 id="h-runs">Pipeline runs</h2>
{_runs(data)}
</section>
{_pictures(data)}
<section id="components" aria-labelledby="h-components"><h2 id="h-components">Components</h2>
<p class="quiet">Each stands right of what it needs. Choose one to see only its resources below.</p>
<div class="scroll" tabindex="0">{page_svg.components(data.roots) if data.roots else _nothing(data.stack)}</div>
</section>
<section id="resources" aria-labelledby="h-resources"><h2 id="h-resources">Resources</h2>
<p class="tools"><label for="search">Search</label> <input id="search" type="search"
 placeholder="name, type or id" autocomplete="off"> <span id="found" role="status" aria-live="polite"></span></p>
<ul class="tree">{"".join(_node(root) for root in data.roots)}</ul>
</section>
<section id="outputs" aria-labelledby="h-outputs"><h2 id="h-outputs">Stack outputs</h2>{_outputs(data)}</section>
<section id="files" aria-labelledby="h-files"><h2 id="h-files">Where things are</h2>
<table>{"".join(f"<tr><th scope=row>{escape(w)}<td><code>{escape(p)}</code>" for w, p in data.places)}</table>
<p class="quiet">The embedded cloud is a stand-in for development: it keeps what it is told in one database and checks
inputs as the providers do. It is not Google Cloud.</p></section>
</main>
<script>{script}</script>
</body>
</html>
"""


def _nothing(stack: str) -> str:
    return f'<p class="quiet">Nothing is deployed: dp up {escape(stack)} --local</p>'


def _errors(data: PageData) -> str:
    if not data.errors:
        return ""
    items = "".join(
        f"<li><b>{escape(e['resource'] or 'the program')}</b> {escape(e['type'])}<pre>{escape(e['message'])}</pre>"
        for e in data.errors
    )
    return f'<section class="errors" role="alert"><h2>{len(data.errors)} failed</h2><ul>{items}</ul></section>'


def _runs(data: PageData) -> str:
    if not data.runs:
        return '<p class="quiet">None has run here yet: dp run PIPELINE --local</p>'
    counts = Counter(run.state for run in data.runs)
    did = ", ".join(f"{n} {state}" for state, n in counts.most_common())
    few = len(data.runs) <= MANY
    shown = "".join(_run(run, opened=few or run.state != "succeeded") for run in data.runs)
    return (f'<p class="quiet">{len(data.runs)} last runs: {escape(did)}</p>' if not few else "") + shown


def _pictures(data: PageData) -> str:
    if not data.pictures:
        return ""
    few = len(data.pictures) <= MANY
    items = "".join(
        f'<details class="run"{" open" if few else ""}><summary><h3>{escape(one.name)} <small>{escape(one.what)}'
        f'</small></h3></summary><p class="quiet">from <code>{escape(one.source)}</code></p>'
        f'<div class="scroll" tabindex="0">{one.svg}</div></details>'
        for one in data.pictures
    )
    return (
        '<section id="pipelines" aria-labelledby="h-pipelines"><h2 id="h-pipelines">Pipelines that have not run here'
        f'</h2><p class="quiet">As the files say now. Data Fusion and Data Factory run theirs on their own.</p>{items}'
        "</section>"
    )


def _run(run: RunTrace, *, opened: bool) -> str:
    engine = "Airflow" if run.engine == "airflow" else "Cloud Workflows"
    done = sum(step.state == "succeeded" for step in run.steps)
    error = f"<pre>{escape(run.error)}</pre>" if run.error else ""
    return (
        f'<details class="run"{" open" if opened else ""}><summary><h3>'
        f'<span class="badge {escape(run.state)}">{escape(run.state)}</span> '
        f"{escape(run.pipeline)} <small>on {engine}</small></h3></summary>"
        f'<p class="quiet">{done} of {len(run.steps)} steps · {run.seconds:.1f} s, waits at {run.time_scale:g} of '
        f"their length · from <code>{escape(run.source)}</code></p>{error}"
        f'<div class="scroll" tabindex="0">{page_svg.pipeline(run)}</div></details>'
    )


def _node(node: Node) -> str:
    protect = ' <span class="badge protect">protected</span>' if node.protect else ""
    words = escape(f"{node.name} {node.type} {node.id}".lower(), quote=True)
    if not node.custom:
        inside = "".join(_node(child) for child in node.children)
        return (
            f'<li data-words="{words}" data-urn="{escape(node.urn, quote=True)}"><details open><summary>'
            f"<b>{escape(node.name)}</b> <code>{escape(node.type)}</code> "
            f'<span class="quiet">{len(node.leaves())}</span></summary><ul>{inside}</ul></details>'
        )
    kind = "failed" if "failed" in node.status else node.status
    sign = "x" if kind == "failed" else page_svg.SIGNS.get(node.status, "?")
    took = f" {node.seconds:.1f} s" if node.seconds >= 0.05 else ""
    inside = f"<ul>{''.join(_node(child) for child in node.children)}</ul>" if node.children else ""
    return (
        f'<li class="leaf" data-words="{words}"><div>'
        f'<span class="sign {escape(kind)}" title="{escape(node.status)}">{sign}</span>'
        f"<b>{escape(node.name)}</b> <code>{escape(node.type)}</code>{protect} "
        f'<span class="quiet">{escape(node.status)}{took}</span><span class="id">{escape(node.id)}</span></div>{inside}'
    )


def _outputs(data: PageData) -> str:
    if not data.outputs:
        return '<p class="quiet">None.</p>'
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}<td>"
        + (f'<span class="badge protect">secret</span> {escape(text)}' if secret else f"<code>{escape(text)}</code>")
        for name, text, secret in data.outputs
    )
    return f"<table>{rows}</table>"
