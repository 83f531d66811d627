"""The API, described as OpenAPI 3.1: the endpoints say their own parts, the replies stand here."""

from collections.abc import Iterable
from typing import Any

from howto import __version__
from howto.serve.endpoints import Endpoint, described

__all__ = ["SCHEMAS", "description"]

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer", "minimum": 0}
_SECONDS = {"type": "number", "minimum": 0, "description": "seconds"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_FLAG = {"type": "boolean"}
_COUNTS = {"type": "object", "additionalProperties": _COUNT}


def _object(**properties: Any) -> dict[str, Any]:
    """A JSON object that has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(of: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}}


SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": _object(error={**_object(message=_TEXT), "description": "reason: where it has one"}),
    "Hit": _object(
        video_id=_TEXT,
        video={"type": "string", "description": "path relative to the folder"},
        start=_SECONDS,
        end=_SECONDS,
        at={"type": "number", "minimum": 0, "description": "the second that shows it best"},
        score=_SHARE,
        caption=_TEXT,
        ranks=_COUNTS,
        matched=_TEXTS,
        address={"type": "string", "description": "on the web, for a collected video"},
        has_media=_FLAG,
    ),
    "Answer": _object(
        query=_TEXT,
        terms=_TEXTS,
        signals=_TEXTS,
        model=_TEXT,
        why={"type": "string", "description": "why these signals, where they were not named"},
        confident={"type": "boolean", "description": "false: the nearest there is, no match"},
        videos=_COUNT,
        hits=_list("Hit"),
        notes=_TEXTS,
    ),
    "Ways": _object(signals=_TEXTS, models=_TEXTS),
    "StepList": _object(steps=_TEXTS),
    "Step": _object(
        number=_COUNT,
        text=_TEXT,
        second=_COUNT,
        score={"type": "number"},
        share_below=_SHARE,
        note=_TEXT,
        strip={"type": "array", "items": _SHARE},
    ),
    "Steps": _object(
        model=_TEXT, ordered=_FLAG, was_trained_on=_FLAG, seconds=_COUNT, steps=_list("Step")
    ),
    "Moment": _object(start=_SECONDS, end=_SECONDS, caption=_TEXT),
    "Moments": _object(moments=_list("Moment")),
    "Chapter": _object(start=_SECONDS, end=_SECONDS, title=_TEXT),
    "Video": _object(
        video_id=_TEXT,
        name=_TEXT,
        title=_TEXT,
        duration=_SECONDS,
        start_time={
            "type": "number",
            "minimum": 0,
            "description": "what a browser's clock shows at second 0",
        },
        address=_TEXT,
        has_media=_FLAG,
        plays={"type": "boolean", "description": "whether it makes sense that a browser tries"},
        container=_TEXT,
        codec=_TEXT,
        width=_COUNT,
        height=_COUNT,
        language=_TEXT,
        num_lines=_COUNT,
        chapters=_list("Chapter"),
    ),
    "ListedVideo": _object(
        video_id=_TEXT,
        name=_TEXT,
        title=_TEXT,
        duration=_SECONDS,
        readable=_FLAG,
        narrated=_FLAG,
    ),
    "Videos": _object(total=_COUNT, readable=_COUNT, videos=_list("ListedVideo")),
    "Piece": _object(address=_TEXT, start=_SECONDS, end=_SECONDS),
    "Building": _object(run=_COUNT, done=_COUNT, total=_COUNT, item=_TEXT),
    "Indexing": _object(
        building={"$ref": "#/components/schemas/Building"},
        state={"type": "string", "enum": ["looking", "ready", "failed"]},
        run=_COUNT,
        done=_COUNT,
        total=_COUNT,
        item=_TEXT,
        message=_TEXT,
        new=_COUNT,
        changed=_COUNT,
        renamed=_COUNT,
        removed=_COUNT,
    ),
    "Stage": _object(stage=_TEXT, ok=_COUNT, skipped=_COUNT, failed=_COUNT),
    "Named": _object(video_id=_TEXT, name=_TEXT, detail=_TEXT),
    "Reason": _object(
        stage=_TEXT, reason=_TEXT, meaning=_TEXT, total=_COUNT, videos=_list("Named")
    ),
    "Features": _object(backbone=_TEXT, set=_TEXT, tally=_COUNTS),
    "CaptionProblem": _object(source=_TEXT, line={"type": ["integer", "null"]}, what=_TEXT),
    "CaptionProblems": _object(total=_COUNT, listed=_list("CaptionProblem")),
    "Library": _object(
        folder=_TEXT,
        counts={"type": "object", "additionalProperties": {"type": "number"}},
        stages=_list("Stage"),
        failures=_list("Reason"),
        skipped=_list("Reason"),
        features=_list("Features"),
        collecting=_COUNTS,
        caption_problems={"$ref": "#/components/schemas/CaptionProblems"},
    ),
}
"""The JSON replies by name."""


def description(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = described(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "howto",
            "version": __version__,
            "description": "Moments in the videos of one folder. Times are in seconds.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }
