"""Publication: the names under which a metric is also kept for other applications.

A group's key is its metric's template with each `{attribute}` replaced by the attribute's value. Two groups never share
a key, whatever stands in them:

- a string stands as it is if it is *plain*: not empty, no `~` in front, no control character or lone surrogate, and,
  where the template has several placeholders, no character of the text between them;
- everything else is `~` and its JSON: `~null`, `~true`, `~12`, `~""`, `~"~x"`;
- a string whose key would be the total's, or begin with `dynalens:`, is written in that second form too: `~"ALL"`.

The configuration refuses templates for which that would not be enough (`dynalens.config.rules`): those that leave out
an attribute, part two by letters, digits or nothing, or give a total a key of the second form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from dynalens.config import MetricConfig

OWN_PREFIX = "dynalens:"
"""Every key and channel of Dynalens itself begins with this."""

_ESCAPE = "~"
_LONGEST_KNOWN = 200
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_never_plain = re.compile(r"\A~|\A\Z|[\x00-\x1f\ud800-\udfff]").search


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """Names the published hash of each group.

    Attributes:
        literals: The text around the placeholders: one more than there are placeholders.
        order: For each placeholder, the place of its name in the metric's `members`.
        total_key: The total's key, which no group may have; empty when the total is not published.
    """

    literals: tuple[str, ...]
    order: tuple[int, ...]
    total_key: str

    def key(self, group: tuple[bytes, ...]) -> bytes:
        """Give the key of a group, whose values are JSON texts in the order of `members`."""
        # Long values are rare, and a cache full of them would be large.
        return _known_key(self, group) if sum(map(len, group)) <= _LONGEST_KNOWN else _key(self, group)


def key_template(metric: MetricConfig) -> KeyTemplate | None:
    """Give the names of a metric's groups; None when it is not published."""
    if metric.publish is None:
        return None
    parts = _PLACEHOLDER.split(metric.publish.key)
    order = tuple(metric.members.index(member) for member in parts[1::2])
    return KeyTemplate(tuple(parts[::2]), order, metric.publish.total_key or "")


def _key(template: KeyTemplate, group: tuple[bytes, ...]) -> bytes:
    values = [group[place] for place in template.order]
    separators = "".join(template.literals[1:-1])
    texts = [_text(value, separators) for value in values]
    key = _joined(template.literals, texts)
    if texts and (key == template.total_key or key.startswith(OWN_PREFIX)):
        key = _joined(template.literals, [_escaped(values[0]), *texts[1:]])
    return key.encode()


_known_key = lru_cache(maxsize=8192)(_key)


def _joined(literals: Sequence[str], texts: Sequence[str]) -> str:
    return literals[0] + "".join(text + literal for text, literal in zip(texts, literals[1:], strict=True))


def _text(value: bytes, separators: str) -> str:
    if value.startswith(b'"'):
        string: str = json.loads(value)
        if not _never_plain(string) and not any(character in separators for character in string):
            return string
    return _escaped(value)


def _escaped(value: bytes) -> str:
    return _ESCAPE + value.decode()
