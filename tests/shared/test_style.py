"""The stylesheet's colours can be read, in the light and in the dark: WCAG 2.2, contrast at level AA."""

import re
from pathlib import Path

import pytest

import shared

STYLE = (Path(shared.__file__).parent / "assets" / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", block)) for block in STYLE.split("prefers-color-scheme: dark")[:2]
)
SCHEMES = {"light": LIGHT, "dark": LIGHT | DARK}
TEXT = ("ink", "quiet", "accent", "up", "down", "fresh", *(f"hue-{number}" for number in range(8)))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours. Source: WCAG 2.2, "contrast ratio"."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_stands_out_of_what_is_behind_it(scheme: str) -> None:
    colours = SCHEMES[scheme]
    for behind in ("paper", "card"):
        for text in TEXT:
            assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
    for behind in ("hero", "hero-glow"):
        for text in ("#ffffff", colours["hero-quiet"]):
            assert contrast(text, colours[behind]) >= 4.5, (text, behind)


def test_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
