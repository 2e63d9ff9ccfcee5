# SPDX-License-Identifier: ISC
"""As cmd/relaypeer, on Python's websockets: relaypeer.py URL TOKEN"""

import asyncio
import json
import sys

import websockets


async def main(url, token):
    end = {"messages": 0, "pings": 0}
    async with websockets.connect(
            url, extra_headers={"Authorization": "Bearer " + token},
            max_size=None, compression=None) as ws:
        pong = await ws.ping(b"x")
        try:
            while True:
                data = await ws.recv()
                end["messages"] += 1
                await ws.send(data)
        except websockets.ConnectionClosed as e:
            end["code"], end["reason"] = e.rcvd.code, e.rcvd.reason
        end["pings"] += pong.done() and not pong.cancelled()
    print(json.dumps(end))

asyncio.run(main(*sys.argv[1:]))
