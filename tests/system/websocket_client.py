"""A WebSocket client under test, in a process of its own: one job a line on standard input, one result a line out.

A job is JSON: `url`, `do` ("echo" until closed, "close", "flood"), and optional arguments of connect(). The result has
the messages received, `error` (class of the exception or null), `text`, `status`, `close_code` and `close_reason`.
Runs on CPython and MicroPython: `python websocket_client.py LIB...` with the directories to import from.
"""

import asyncio
import json
import sys

sys.path[:0] = sys.argv[1:]

import uwebsockets  # noqa: E402


def tls_context(ca):
    try:
        import tls
    except ImportError:
        import ssl as tls
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    with open(ca, "rb") as file:
        data = file.read()
    if hasattr(context, "check_hostname"):
        context.load_verify_locations(cadata=data)
    else:
        context.load_verify_locations(data)
    return context


async def resolve(host, port):
    """A look-up of names that lets other tasks run."""
    import socket

    await asyncio.sleep(0)
    assert host == "back-end.invalid"
    return socket.getaddrinfo("127.0.0.1", port, 0, socket.SOCK_STREAM)


async def echo(ws, job, result):
    while True:
        message = await ws.recv()
        if message is None:
            return
        result["received"].append(message if isinstance(message, str) else list(message))
        await ws.send(message)


async def close(ws, job, result):
    await ws.close(job["code"], job["reason"])
    result["after"] = await ws.recv()


async def send_one(ws, text, counts):
    await ws.send(text)
    counts[0] += 1


async def flood(ws, job, result):
    """Sends from many tasks at once; again and again the one whose turn it is gets cancelled."""
    sent = [0]
    tasks = [asyncio.create_task(send_one(ws, chr(97 + i % 26) * job["size"], sent)) for i in range(job["count"])]
    for _ in range(job["cancel"]):
        await asyncio.sleep(0.003)
        for task in tasks:
            if not task.done():
                task.cancel()
                break
    reader = asyncio.create_task(ws.recv())
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:
            pass
    result["sent"] = sent[0]
    await ws.send("end")
    await reader


async def run(job):
    result = {"received": [], "error": None, "close_code": None}
    arguments = {name: job[name] for name in ("subprotocols", "headers", "timeout_s", "max_size") if name in job}
    if "ca" in job:
        arguments["ssl"] = tls_context(job["ca"])
    if job.get("resolve"):
        arguments["resolve"] = resolve
    ws = None
    try:
        ws = await uwebsockets.connect(job["url"], **arguments)
        result["subprotocol"] = ws.subprotocol
        await {"echo": echo, "close": close, "flood": flood}[job["do"]](ws, job, result)
    except (OSError, ValueError) as exc:
        result["error"] = type(exc).__name__
        result["os_error"] = isinstance(exc, OSError)
        result["text"] = str(exc)
        result["status"] = getattr(exc, "status", None)
    if ws:
        result["close_code"] = ws.close_code
        result["close_reason"] = ws.close_reason
        result["closed"] = ws.closed
    return result


async def main():
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps(await run(json.loads(line))))
        if hasattr(sys.stdout, "flush"):
            sys.stdout.flush()


asyncio.run(main())
