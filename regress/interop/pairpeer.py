# SPDX-License-Identifier: ISC
"""As cmd/pairpeer, on Python's websockets: pairpeer.py URL"""

import asyncio
import json
import sys

import websockets


def say(**what):
    print(json.dumps(what), flush=True)


async def lines(ws):
    loop = asyncio.get_running_loop()
    while True:
        line = (await loop.run_in_executor(None, sys.stdin.readline)).strip()
        if line in ("", "close"):
            await ws.close()
            return
        await ws.send(line)


async def main(url):
    # It offers permessage-deflate, as it does when nobody says anything.
    async with websockets.connect(url) as ws:
        say(open=True)
        task = asyncio.ensure_future(lines(ws))
        try:
            while True:
                say(text=await ws.recv())
        except websockets.ConnectionClosed as e:
            say(code=e.rcvd.code if e.rcvd else 1006,
                reason=e.rcvd.reason if e.rcvd else "")
        task.cancel()

asyncio.run(main(sys.argv[1]))
