"""Payload templates: another JSON for a receiver that wants one, written in JMESPath.

JMESPath (https://jmespath.org/specification.html) selects and reshapes JSON; it has no loops, no assignments and no access to
anything but the event it is given, so a template can be stored by a customer and run by the hub. A template sees the standard payload
`{id, type, timestamp, seq, data}`, for example::

    {text: data.text, from: data.from, at: timestamp}
"""

from functools import lru_cache
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from hub.core.errors import HubError, invalid

LONGEST_TEMPLATE = 4096
LARGEST_RESULT = 64 * 1024
"""Bytes of the body a template may make; a small template can multiply its input."""


class BadTemplate(ValueError):
    """A template that cannot be used, or not with this event; its sentence may be shown to its author."""


def check_template(template: str, *, field: str = "template") -> None:
    """Raise `HubError("validation")` for a template that is no JMESPath expression."""
    try:
        _compiled(template)
    except BadTemplate as error:
        raise _refusal(field, error) from error


def render_template(template: str, payload: bytes) -> bytes:
    """The body: `template` applied to a JSON payload. Raises BadTemplate."""
    expression = _compiled(template)
    try:
        result = expression.search(msgspec.json.decode(payload))
        body = msgspec.json.encode(result)
    except (JMESPathError, RecursionError, TypeError, ValueError, OverflowError) as error:
        raise BadTemplate(f"The template does not fit this event: {_first_line(error)}") from error
    if len(body) > LARGEST_RESULT:
        raise BadTemplate(f"The template made more than {LARGEST_RESULT} bytes of this event.")
    return body


@lru_cache(maxsize=256)
def _compiled(template: str) -> Any:
    if not template.strip() or len(template) > LONGEST_TEMPLATE:
        raise BadTemplate(f"A template has 1 to {LONGEST_TEMPLATE} characters.")
    try:
        return jmespath.compile(template)
    except (JMESPathError, RecursionError, ValueError) as error:
        raise BadTemplate(f"This is not a JMESPath expression: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _refusal(field: str, error: BadTemplate) -> HubError:
    return invalid(field, "template", str(error))
