"""Fetches an event's evidence from its node: the sound, and its picture where there is one."""

import asyncio

from leakear.dashboard.broker.commander import Commander
from leakear.dashboard.evidence.clips import Assembly, Clips
from leakear.dashboard.history import Row
from leakear.edge.errors import InputDataError
from leakear.edge.messages.reports import CommandResult


async def fetch_clip(commander: Commander, clips: Clips, event: Row) -> None:
    """Get the clip of an event into the folder of clips; InputDataError with the node's message when it refuses."""
    await _fetch(commander, clips, event, "audio")
    try:
        await _fetch(commander, clips, event, "picture")
    except InputDataError:
        return  # the picture is optional: the page can draw one from the sound


async def _fetch(commander: Commander, clips: Clips, event: Row, media: str) -> None:
    assembly = Assembly(event["id"])

    def part(answer: CommandResult) -> bool:
        if not answer.ok:
            raise InputDataError(answer.error or "The node refuses without a reason.")
        return assembly.add(answer.result)

    key = (event["site"], event["node"])
    await commander.ask_all(key, "clip", {"event_id": event["id"], "media": media}, part)
    await asyncio.to_thread(clips.store, event["id"], assembly.media_type, assembly.content)
