"""Answers on each place of its file (`tcp 65.52.0.1 80`, one a line) with the place that the client meant."""
import socket
import sys
import threading


def tcp(listener):
    while True:
        connection, _ = listener.accept()
        place = connection.getsockname()
        connection.sendall(f"{place[0]} {place[1]}\n".encode())
        connection.close()


def udp(listener, place):
    while True:
        _, client = listener.recvfrom(64)
        listener.sendto(place, client)


for line in open(sys.argv[1]):
    protocol, address, port = line.split()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, int(port)))
    if protocol == "tcp":
        listener.listen(64)
        worker = threading.Thread(target=tcp, args=(listener,), daemon=True)
    else:
        place = f"{address} {port}\n".encode()
        worker = threading.Thread(target=udp, args=(listener, place), daemon=True)
    worker.start()
while True:
    threading.Event().wait()
