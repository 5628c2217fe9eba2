"""`report.html`: one file without a request to anybody, for people."""

from __future__ import annotations

import base64
import hashlib
import platform
from datetime import UTC, datetime
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

from vlmkit.errors import MissingExtraError
from vlmkit.evaluate.page.cases import MOST, cards, films
from vlmkit.evaluate.page.definitions import definitions
from vlmkit.evaluate.page.sections import sections
from vlmkit.markup import plain

if TYPE_CHECKING:
    from vlmkit.evaluate.report import Report

_TOLD = ("vlmkit", "torch", "transformers", "scikit-learn", "numpy")


def render(report: Report) -> str:
    """The whole page. Raises `MissingExtraError` without jinja2 or matplotlib."""
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("jinja2", "report") from error

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: plain(value) if type(value) is str else value,  # what is Markup is ours
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _own("toggle.js")
    found = [*sections(report), *filter(None, [films(report)])]
    page = environment.from_string(_own("template.html.jinja")).render(
        report=report,
        sections=found,
        cards=cards(report),
        most=MOST,
        definitions=definitions(report),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        versions=_versions(),
        style=Markup(_own("style.css")),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        safe=Markup,
    )
    return str(page)


def _own(name: str) -> str:
    return resources.files("vlmkit.evaluate.page").joinpath(name).read_text(encoding="utf-8")


def _versions() -> dict[str, str]:
    """Of what counts here, where it is installed; nothing is imported for it."""
    found: dict[str, Any] = {"Python": platform.python_version()}
    for name in _TOLD:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
