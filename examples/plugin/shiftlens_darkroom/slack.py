"""slack.json: the finding as a message for a Slack incoming webhook, in Block Kit's format."""

from __future__ import annotations

import json
from collections.abc import Callable

from pydantic import Field

from shiftlens import ComponentSettings, Report

LONGEST = 2900  # characters; Slack refuses a text block of more than 3000
SIGNS = {"harmful": ":red_circle:", "unclear": ":large_yellow_circle:", "harmless": ":large_green_circle:"}


class Settings(ComponentSettings):
    """Settings of the renderer."""

    link: str = Field("", description="address of the full report, put below the message")


def build(settings: Settings) -> Callable[[Report], dict[str, bytes]]:
    """The worker: ``render(report) -> {file name: content}``."""

    def render(report: Report) -> dict[str, bytes]:
        results = report.results
        causes = [
            f"{SIGNS[cause.verdict]} *{escaped(cause.factor)}*: {escaped(cause.sentence)}"
            for cause in results.causes
            if cause.verdict in SIGNS
        ]
        warnings = [f":warning: {escaped(warning)}" for warning in results.warnings]
        link = [f"<{escaped(settings.link)}|The full report>"] if settings.link else []
        text = "\n".join([*causes, *warnings, *link])[:LONGEST]
        blocks = [
            {"type": "header", "text": {"type": "plain_text", "text": results.name[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{escaped(results.headline)[:LONGEST]}*"}},
        ]
        if text:
            blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
        message = {"text": results.headline, "blocks": blocks}  # text is what notifications show
        return {"slack.json": (json.dumps(message, ensure_ascii=False, indent=2) + "\n").encode()}

    return render


def escaped(text: str) -> str:
    """Text with the three characters escaped that Slack reads as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
