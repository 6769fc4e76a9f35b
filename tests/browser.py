"""A page in a real browser: Debian's chromium, driven by Playwright. Where there is none, tests are skipped."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

in_a_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium here: apt-get install chromium")


@dataclass(frozen=True)
class Visit:
    """An open page, and what the browser reported of it."""

    page: Page
    said: list[str]
    asked: list[str]


def visit(
    browser: Browser, address: str | Path, *, width: int = 1280, dark: bool = False, scripts: bool = True
) -> Visit:
    """Open a page, and note all that it loads and complains of."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    page = context.new_page()
    found = Visit(page, [], [])

    def dismiss(dialog: Dialog) -> None:
        found.said.append(dialog.message)
        dialog.dismiss()

    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("dialog", dismiss)
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(address if isinstance(address, str) else address.as_uri())
    return found
