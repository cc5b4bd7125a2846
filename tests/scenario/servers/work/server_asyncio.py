# SPDX-License-Identifier: MIT
# servers/work/server_asyncio.py - the server of work/README with asyncio
import asyncio
import json
import os
import signal
import sys


def number(name):
    return int(os.environ.get(name) or 0)


def burn():
    value = 1
    for _ in range(15000):
        value = (value * 1664525 + 1013904223) & 0xFFFFFFFF
    return value


async def answer(reader, writer):
    request = await reader.readline()
    while (await reader.readline()).strip():
        pass
    path = request.split()[1] if request else b""
    if path == b"/busy":
        burn()
    if path == b"/slow":
        await asyncio.sleep(0.3)
    text = json.dumps({
        "server": "asyncio", "pid": os.getpid(), "worker": number("BERTH_WORKER"),
        "instance": number("BERTH_INSTANCE"), "port": writer.get_extra_info("sockname")[1],
        "say": sys.argv[1] if len(sys.argv) > 1 else "",
    }, separators=(",", ":"))
    writer.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                 f"Content-Length: {len(text)}\r\n\r\n{text}".encode())
    await writer.drain()
    writer.close()


async def main():
    await asyncio.sleep(number("START_DELAY_MS") / 1000)
    running = set()

    async def keep(reader, writer):
        running.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        except ConnectionError:
            writer.close()
        finally:
            running.discard(asyncio.current_task())

    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    server = await asyncio.start_server(keep, host="0.0.0.0", port=number("PORT") or 5000)
    await told.wait()
    # What was accepted just now has no task yet, and until it has one close() would lose it (cpython issue 109564).
    for sock in server.sockets:
        asyncio.get_running_loop().remove_reader(sock.fileno())
    for _ in range(10):
        await asyncio.sleep(0)
    server.close()
    while running:
        await asyncio.wait(set(running))


asyncio.run(main())
