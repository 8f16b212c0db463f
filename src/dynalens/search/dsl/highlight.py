"""How hits show where they matched: `highlight`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from dynalens.search.dsl.clause import EXACT, one_member, require
from dynalens.search.dsl.limits import FIELDS, FRAGMENT_CHARACTERS, FRAGMENTS, TAG_CHARACTERS
from dynalens.search.dsl.reading import Part
from dynalens.search.request import Highlight


def read_highlight(part: Part | None) -> Highlight | None:
    """Read `{"fields": {"title": {}, "*": {}}, …}`.

    Settings may stand beside `fields` or in each field, as long as they come to the same for all fields.
    """
    if part is None:
        return None
    options = part.options((*_SETTINGS, "fields", "encoder", *_FIXED), _REFUSED)
    if "fields" not in options:
        raise part.wrong("lacks fields.", 'Write {"fields": {"title": {}}}, or "*" for all fields.')
    shared = _settings(options, _encoding(options))
    fields = _fields(options["fields"])
    each = [replace(_settings(_field_options(inner), shared), fields=tuple(fields)) for inner in fields.values()]
    if any(one != each[0] for one in each):
        raise options["fields"].wrong("have different settings.", "Write one setting for all, beside fields.")
    return each[0]


def _encoding(options: Mapping[str, Part]) -> Highlight:
    encoder = options.get("encoder")
    return Highlight(escape=encoder.choice({"default": False, "html": True}) if encoder else False)


def _fields(part: Part) -> dict[str, Part]:
    """Read an object of fields, or a list of such objects where their order counts."""
    hint = 'Write {"title": {}}, or {"*": {}} for all fields.'
    fields = {name: inner for entry in part.one_or_more() for name, inner in entry.members(hint).items()}
    if not fields:
        one_member(Part(part.path, {}), hint)
    if len(fields) > FIELDS:
        raise part.beyond("fields", FIELDS, 'Write "*" for all fields.')
    for name, inner in fields.items():
        if Part(inner.path, name).field().endswith(EXACT):
            raise inner.wrong("asks for marks in whole values.", "Write the field without .keyword.")
    return fields


def _field_options(part: Part) -> dict[str, Part]:
    return part.options((*_SETTINGS, *_FIXED), _REFUSED)


def _settings(options: Mapping[str, Part], onto: Highlight) -> Highlight:
    require(options, type=("unified", "plain", "fvh"), order=("none",), no_match_size=(0,))
    for name, setting in _SETTINGS.items():
        if name in options:
            onto = setting(onto, options[name])
    return onto


def _tag(part: Part) -> str:
    """Take the first of several, as Elasticsearch's default highlighter does."""
    tags = part.one_or_more()
    if not tags:
        raise part.wrong("is an empty list.", 'Write ["<em>"].')
    return tags[0].text(TAG_CHARACTERS)


_SETTINGS: Mapping[str, Callable[[Highlight, Part], Highlight]] = {
    "pre_tags": lambda highlight, part: replace(highlight, before=_tag(part)),
    "post_tags": lambda highlight, part: replace(highlight, after=_tag(part)),
    "fragment_size": lambda highlight, part: replace(highlight, fragment_characters=part.whole(1, FRAGMENT_CHARACTERS)),
    "number_of_fragments": lambda highlight, part: replace(highlight, fragments=part.whole(0, FRAGMENTS)),
    "require_field_match": lambda highlight, part: replace(highlight, matched_only=part.flag()),
}

_FIXED = ("type", "order", "no_match_size")

_BOUNDARIES = "Leave it out: fragments begin and end between words."

_REFUSED: Mapping[str, str] = {
    "boundary_chars": _BOUNDARIES,
    "boundary_max_scan": _BOUNDARIES,
    "boundary_scanner": _BOUNDARIES,
    "boundary_scanner_locale": _BOUNDARIES,
    "fragmenter": _BOUNDARIES,
    "highlight_query": "Leave it out: the words of the query are marked.",
    "matched_fields": "Leave it out, and name the fields themselves.",
    "tags_schema": "Write pre_tags and post_tags.",
}
