"""Answers SNMP for addresses that are routed to it, each after 20 ms.

Usage: responder.py LIVE LISTENS
  LIVE: file with an address a line; behind it, where a printer lives there, the loopback address
  at which the simulator plays it (port 1161). One without answers that it has no object. All
  other addresses are silent.
  LISTENS: file that is made as soon as questions are heard
"""
import heapq, itertools, selectors, socket, struct, sys, time

IP_PKTINFO = 8
DELAY = 0.02
live = dict((line.split() + [None])[:2] for line in open(sys.argv[1]))
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
ear.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
ear.bind(("0.0.0.0", 161))
ears = selectors.DefaultSelector()
ears.register(ear, selectors.EVENT_READ)
relays, due, turn = {}, [], itertools.count()


def answer(asked, client, octets):
    heapq.heappush(due, (time.monotonic() + DELAY, next(turn), asked, client, octets))


def nothing(octets):
    """An answer that holds no object."""
    octets = bytearray(octets)
    head = 2 if octets[1] < 0x80 else 2 + (octets[1] & 0x7F)
    octets[head + 5 + octets[head + 4]] = 0xA2  # behind version and community: a response
    return octets


def relay(asked, client):
    """The way to a printer of the simulator, one for each who asks it."""
    if (asked, client) not in relays:
        way = relays[asked, client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        way.connect((live[asked], 1161))
        ears.register(way, selectors.EVENT_READ, (asked, client))
    return relays[asked, client]


def hear():
    octets, notes, _, client = ear.recvmsg(65535, 1024)
    asked = socket.inet_ntoa(notes[0][2][8:12])
    if asked in live:
        if live[asked]:
            relay(asked, client).send(octets)
        else:
            answer(asked, client, nothing(octets))


open(sys.argv[2], "w").close()
while True:
    for key, _ in ears.select(max(0, due[0][0] - time.monotonic()) if due else None):
        if key.data:
            answer(*key.data, key.fileobj.recv(65535))
        else:
            hear()
    while due and due[0][0] <= time.monotonic():
        _, _, asked, client, octets = heapq.heappop(due)
        # From the address that was asked.
        note = struct.pack("I4s4s", 0, socket.inet_aton(asked), bytes(4))
        ear.sendmsg([octets], [(socket.IPPROTO_IP, IP_PKTINFO, note)], 0, client)
