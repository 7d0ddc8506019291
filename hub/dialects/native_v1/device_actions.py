"""What is done with a phone: a test text, moving its queue, new credentials."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub import devices
from hub.accounts.scopes import Scope
from hub.core.commands import HIGH, ByDevice, SendRequest
from hub.core.errors import Code
from hub.dialects.native_v1.enrolments import NewEnrolment, make_code
from hub.dialects.native_v1.fields import Address, Count, LineId, Model, Request, bare_or_none
from hub.dialects.native_v1.operation import Answer, AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.sending import DOOR, Taken, answered
from hub.messages.accept import take_in
from hub.messages.limits import send_limits
from hub.messages.move import MoveQueue, move_queue
from hub.messages.prepare import prepare

TEST_TEXT = "This is a test from Handset Hub. It works."
TEST_TTL_SECONDS = 600


class TestText(Request):
    """A text to try a phone with."""

    to: Address
    text: Annotated[str, Meta(min_length=1, max_length=1600)] = TEST_TEXT
    slot: Annotated[int, Meta(ge=0, le=7, description="Which SIM, from 0.")] | None = None


class QueueMove(Request):
    """Where to."""

    to_line_id: Annotated[
        LineId | None,
        Meta(
            description="Everything to this line, pinned texts too. null: each text to the best line that is ready; pinned ones stay."
        ),
    ] = None


class QueueMoved(Model):
    """How it went."""

    moved: Count
    waiting: Annotated[Count, Meta(description="Still waiting for this phone: ask again while `moved` is not 0.")]
    on_phone: Annotated[Count, Meta(description="On the phone or being offered to it: never moved.")]


async def send_test_text(call: Call[NoQuery, TestText]) -> Answer[Taken]:
    """Send a test text.

    It goes before everything else, from this phone only, and expires after ten minutes.
    """
    device_id, body = call.path["device_id"], call.body
    found(await call.read(devices.find_device, call.account_id, device_id, now=call.now))
    settings = await call.services.credentials.settings_of(call.account_id)
    request = SendRequest(
        account_id=call.account_id,
        door=DOOR,
        recipients=(),
        text=body.text,
        sender=ByDevice(device_id, body.slot),
        priority=HIGH,
        ttl_seconds=TEST_TTL_SECONDS,
        trace_id=call.trace_id,
    )
    limits = send_limits(call.services.config, settings)
    prepared = prepare(request, [body.to], limits, now=call.now, new_id=call.new_id)
    return answered(await take_in(call.services.db.writer, prepared))


async def move_device_queue(call: Call[NoQuery, QueueMove | None]) -> QueueMoved:
    """Move a phone's queue.

    The texts that wait for it go to other lines. Only texts that are still in the hub move. Those on the phone stay: moving
    them could send them twice.
    """
    asked = None if call.body is None else call.body.to_line_id
    command = MoveQueue(
        account_id=call.account_id,
        device_id=call.path["device_id"],
        to_line_id=bare_or_none("line", asked, "to_line_id"),
    )
    done = await call.write(move_queue, command)
    return QueueMoved(moved=done.moved, waiting=done.waiting, on_phone=done.on_phone)


async def rotate_device(call: Call[NoQuery, None]) -> NewEnrolment:
    """Rotate a phone's credentials.

    The old ones are void, and a code is made to enrol it anew. Its connection closes at once. With the code it comes back as
    the same phone, with its lines and conversations.
    """
    device_id = call.path["device_id"]
    view = await call.write(
        devices.rotate_credentials, devices.RotateCredentials(account_id=call.account_id, device_id=device_id)
    )
    return await make_code(call, None, device_id, view.transport)


_ONE = "/v1/devices/{device_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST", path=_ONE + "/test", run=send_test_text, scope=Scope.MESSAGES_SEND, query=NoQuery, body=TestText,
        returns=Taken, status=202, errors=(Code.BAD_RECIPIENT, Code.UNKNOWN_SENDER, Code.OPTED_OUT, Code.TEXT_TOO_LONG),
        example={"to": "+491701234567"},
    ),
    Operation(
        method="POST", path=_ONE + "/move", run=move_device_queue, scope=Scope.DEVICES_WRITE, query=NoQuery, body=QueueMove,
        is_body_optional=True, returns=QueueMoved,
    ),
    Operation(
        method="POST", path=_ONE + "/rotate", run=rotate_device, scope=Scope.DEVICES_WRITE, query=NoQuery, body=NoBody,
        returns=NewEnrolment, status=201, errors=(Code.CONFLICT, Code.DEVICE_REVOKED),
    ),
)  # fmt: skip
