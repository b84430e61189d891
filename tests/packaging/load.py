#!/usr/bin/env python3
"""load.py PORT: clients of an echo server until SIGTERM, then one line of JSON: connections made, messages answered, failures.
Half of the clients stay and talk, the other half connect, say a few words and leave. Every byte is compared.
"""
import asyncio
import json
import os
import signal
import sys

CLIENTS = 16
MESSAGE_BYTES = 600


class Load:
    def __init__(self, port: int):
        self.port = port
        self.going = True
        self.connections = self.messages = 0
        self.failures = []

    async def talk(self, messages: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.connections += 1
        while self.going and messages != 0:
            said = os.urandom(MESSAGE_BYTES)
            writer.write(said)
            if await asyncio.wait_for(reader.readexactly(MESSAGE_BYTES), 20) != said:
                raise ValueError("another answer than what was said")
            self.messages += 1
            messages -= 1
            await asyncio.sleep(0.002)
        writer.write_eof()
        if await asyncio.wait_for(reader.read(), 20) != b"":
            raise ValueError("more was answered than said")
        writer.close()

    async def client(self, messages: int) -> None:
        while self.going:
            try:
                await self.talk(messages)
            except (OSError, ValueError, EOFError, asyncio.TimeoutError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                return

    def stop(self) -> None:
        self.going = False


async def main(port: int) -> None:
    load = Load(port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.stop)
    print("going", flush=True)
    await asyncio.gather(*(load.client(-1 if number % 2 else 5) for number in range(CLIENTS)))
    print(json.dumps({"connections": load.connections, "messages": load.messages, "failures": load.failures}))


asyncio.run(main(int(sys.argv[1])))
