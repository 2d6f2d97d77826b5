"""Messages that are not read as a whole: too large for the RAM, and kept in flash, or too complex."""

import asyncio
import json

from micropython import const

from firmware.ocpp.errors import GENERIC_ERROR, CallError
from firmware.ocpp.large import STREAMED, ItemsOnFlash, envelope

_CALL = const(2)


class LargeCall:
    """A CALL with a long list, which is worked on item by item, beside the other calls that `rpc` answers."""

    def __init__(self, rpc, schema, message, message_id, action):
        self.message_id = message_id
        self._rpc = rpc
        self._schema = schema
        self._message = message
        self._action = action
        self._task = asyncio.create_task(self._answer())

    def cancel(self):
        self._task.cancel()
        self._message.discard()  # a task that has not begun cannot

    async def _answer(self):
        try:
            await self._rpc.answer(self.message_id, self._action, self._payload)
        except (OSError, MemoryError) as exc:
            self._rpc.unsent(exc)
        finally:
            self._message.discard()
            self._rpc.large = None

    async def _payload(self):
        """Returns the checked payload; the items of its list are checked when they are read."""
        name = STREAMED[self._action]
        payload = await self._message.payload(self._action)
        items = payload.get(name)
        if type(items) is not ItemsOnFlash:
            items = None
        else:
            payload[name] = []
        self._schema.accept(self._action, payload)
        if items is not None:
            items.accept = lambda item, index: self._schema.accept_item(self._action, name, item, index)
            payload[name] = items
        return payload


async def receive_large(rpc, schema, log, message):
    """Takes a LargeMessage that has arrived: as a whole if it fits into RAM after all, or beside all else."""
    message.finish()
    try:
        kind, message_id, action = envelope(message.head)
    except ValueError as exc:
        log.warning("rpc", "large message dropped: %s", exc)
        message.discard()
        return
    if not message.fault and kind == _CALL and action in STREAMED:
        if await rpc.admit([kind, message_id, action, None]):
            rpc.large = LargeCall(rpc, schema, message, message_id, action)
        else:
            message.discard()
        return
    text = None
    error = message.fault
    if not error:
        try:
            text = await message.text()
        except (OSError, MemoryError) as exc:
            error = "message cannot be read: %s" % exc
    message.discard()
    if text is None:
        await _refuse(rpc, kind, message_id, action, CallError(GENERIC_ERROR, error))
    else:
        await rpc.receive(text)


async def refuse(rpc, log, head, error):
    """Takes a message of which only the beginning can be read: a CALL is answered with `error`."""
    log.warning("rpc", "message not read: %s", error.description)
    try:
        kind, message_id, action = envelope(head)
    except ValueError:
        return
    await _refuse(rpc, kind, message_id, action, error)


async def _refuse(rpc, kind, message_id, action, error):
    if kind == _CALL:
        await rpc.admit([kind, message_id, action, None], error)
    else:
        await rpc.receive(json.dumps([kind, message_id]))  # an answer that cannot be read is one without its payload
