# SPDX-License-Identifier: MIT
# servers/asyncio_server.py - an asyncio server with a hard-coded port
import asyncio
import json
import sys


async def answer(reader, writer):
    while (await reader.readline()).strip():
        pass
    port = writer.get_extra_info("sockname")[1]
    say = sys.argv[1] if len(sys.argv) > 1 else ""
    text = json.dumps({"server": "asyncio", "port": port, "say": say})
    writer.write(f"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{text}".encode())
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, port=5000)
    async with server:
        await server.serve_forever()


asyncio.run(main())
