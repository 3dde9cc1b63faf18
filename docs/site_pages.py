"""What the documentation site has beside docs/: the README, the configuration, published results.

A hook of mkdocs (mkdocs.yml). Links out of docs/ go to a copy where the site has one, and else
become plain text, so that the site is whole offline.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from ganbench.config import METHODS, Suite

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "results" / "published"
COPIED = {".md", ".png", ".json", ".csv", ".gif"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds pages that are made here, and every published file that a page links to."""
    pages = {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8"),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "deviations.md": (ROOT / "DEVIATIONS.md").read_text(encoding="utf-8"),
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        "configuration.md": configuration(),
        "results.md": results(),
        "api.md": "# Python\n\n::: ganbench.api\n",
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for path in sorted(PUBLISHED.rglob("*")):
        if path.suffix in COPIED and (path.suffix != ".json" or path.parent.name != "report"):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Points links at the site's own copies."""
    here = page.file.src_uri
    folder = posixpath.dirname(here)
    # Pages of docs/ lie one folder deeper in the repository than on the site.
    deep = (ROOT / "docs" / here).exists()

    def target(match: re.Match[str]) -> str:
        mark, words, link = match.groups()
        if re.match(r"[a-z]+:|#", link):
            return match[0]
        path, _, anchor = link.partition("#")
        inside = posixpath.normpath(posixpath.join("docs" if deep else folder, path))
        name = {
            "README.md": "index.md",
            "CHANGELOG.md": "changelog.md",
            "DEVIATIONS.md": "deviations.md",
            "CONTRIBUTING.md": "contributing.md",
        }.get(inside, inside.removeprefix("docs/"))
        if files.get_file_from_path(name) is None:
            return words
        relative = posixpath.relpath(name, folder or ".")
        return f"{mark}[{words}]({relative}{'#' + anchor if anchor else ''})"

    return LINK.sub(target, markdown)


def configuration() -> str:
    """Returns the reference of experiment and suite files, from the models that read them."""
    lines = ["# Configuration", ""]
    seen: set[str] = set()
    for model in (*METHODS.values(), Suite):
        schema = model.model_json_schema()
        for title, one in ((model.__name__, schema), *schema.get("$defs", {}).items()):
            if title not in seen and "properties" in one:
                seen.add(title)
                lines += [f"## {title}", "", one.get("description", ""), "", *_keys(one), ""]
    return "\n".join(lines)


def _keys(schema: dict[str, Any]) -> Iterator[str]:
    yield "| Key | Type | Default | What |"
    yield "| --- | --- | --- | --- |"
    required = schema.get("required", [])
    for name, one in schema["properties"].items():
        default = "required" if name in required else f"`{one.get('default')}`"
        what = " ".join(one.get("description", "").split()).replace("|", "\\|")
        yield f"| `{name}` | {_type(one)} | {default} | {what} |"


def _type(one: dict[str, Any]) -> str:
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in one or "const" in one:
        return ", ".join(f"`{value}`" for value in one.get("enum", [one.get("const")]))
    choices = one.get("anyOf") or one.get("oneOf")
    if choices:
        return " or ".join(_type(choice) for choice in choices)
    if one.get("type") == "array":
        items = one.get("items") or next(iter(one.get("prefixItems", [{}])))
        return f"list of {_type(items)}"
    return str(one.get("type", "any"))


def results() -> str:
    """Returns the index of the published suites: each table, and the records behind it."""
    lines = ["# Results", "", "Tables, and the records that every number comes from.", ""]
    for folder in sorted(path for path in PUBLISHED.iterdir() if path.is_dir()):
        tables = sorted(folder.glob("report/*.md"))
        records = sorted(folder.glob("*/**/*.json"))
        records = [one for one in records if one.parent.name != "report"]
        lines += [f"## {folder.name}", ""]
        for kind, paths in (("Tables", tables), ("Records", records)):
            links = [f"[{p.relative_to(folder)}]({p.relative_to(ROOT)})" for p in paths]
            lines += [f"{kind}: {', '.join(links)}", ""] if links else []
    return "\n".join(lines)
