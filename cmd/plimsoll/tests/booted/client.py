"""Asks each place of its input (`tcp 65.52.0.1 80 [source]`, one a line), all at once, and prints what each answered."""
import socket
import sys
import threading

places = [line.split() for line in sys.stdin]
answers = [""] * len(places)


def ask(index, protocol, address, port, source=None):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    asking = socket.socket(family, kind)
    asking.settimeout(1)
    try:
        if source:
            asking.bind((source, 0))
        asking.connect((address, int(port)))
        if protocol == "udp":
            asking.send(b"?")
        answers[index] = asking.recv(64).decode().strip() or "closed"
    except socket.timeout:
        answers[index] = "lost"
    except OSError as error:
        answers[index] = "refused" if isinstance(error, ConnectionRefusedError) else f"error {error.errno}"


workers = [threading.Thread(target=ask, args=(i, *place)) for i, place in enumerate(places)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print("\n".join(answers))
