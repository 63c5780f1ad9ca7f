"""The least a broadcast can cost: one process that does nothing but send(2) the same bytes to every connected socket, in one native loop.

`python -m loadtests.floor <connections>` prints its port, waits for that many connections, then obeys lines on stdin: `<bytes>` sends a
binary frame of that many bytes to everybody once, `cpu` prints the CPU seconds used so far.
"""

import resource
import socket
import sys
from array import array

from signaling.websocket import Opcode, frame
from tests.support.node import native, python_send_many


def main() -> None:
    """Serve until stdin ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    connections = []
    for _ in range(int(sys.argv[1])):
        connection, _address = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        connections.append(connection)
    descriptors = array("i", [connection.fileno() for connection in connections])
    send = native or python_send_many
    for line in sys.stdin:
        if line.strip() == "cpu":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            print(usage.ru_utime + usage.ru_stime, flush=True)
        else:
            short = send(descriptors, frame(Opcode.BINARY, bytes(int(line))))
            print(len(short), flush=True)


if __name__ == "__main__":
    main()
