"""Answers SNMP for addresses that are routed to it, and counts what reached it, as a capture would.

Usage: responder.py ANSWERING COUNTS
  ANSWERING: file with an address a line; each answers after 50 ms, all others are silent
  COUNTS: file that is kept up to date: packets, the most in any second, the most that one device
  had open at once, the shortest time between two packets to one silent address in seconds
"""
import collections, heapq, json, os, socket, struct, sys, time

IP_PKTINFO, SO_TIMESTAMPNS = 8, 35
DELAY = 0.05
answering = set(open(sys.argv[1]).read().split())
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
ear.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
ear.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
ear.bind(("0.0.0.0", 161))
packets = most = open_most = 0
shortest = 1e9
window, due, opened, last = collections.deque(), [], collections.Counter(), {}
told = None
while True:
    ear.settimeout(max(0.001, min(0.1, due[0][0] - time.time())) if due else 0.1)
    try:
        octets, notes, _, client = ear.recvmsg(65535, 1024)
        for _, kind, data in notes:
            if kind == SO_TIMESTAMPNS:
                at = (lambda s, n: s + n / 1e9)(*struct.unpack("qq", data))
            elif kind == IP_PKTINFO:
                asked = socket.inet_ntoa(data[8:12])
        packets += 1
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
        if asked in answering:
            opened[asked] += 1
            open_most = max(open_most, opened[asked])
            heapq.heappush(due, (at + DELAY, asked, octets, client))
        else:
            shortest = min(shortest, at - last.get(asked, -1e9))
            last[asked] = at
    except socket.timeout:
        pass
    while due and due[0][0] <= time.time():
        _, asked, octets, client = heapq.heappop(due)
        opened[asked] -= 1
        # An answer that holds no object, from the address that was asked.
        note = struct.pack("I4s4s", 0, socket.inet_aton(asked), bytes(4))
        answer = bytearray(octets)
        head = 2 if octets[1] < 0x80 else 2 + (octets[1] & 0x7F)
        answer[head + 5 + octets[head + 4]] = 0xA2  # behind version and community: a response
        ear.sendmsg([answer], [(socket.IPPROTO_IP, IP_PKTINFO, note)], 0, client)
    counts = dict(packets=packets, most=most, open_most=open_most, shortest=shortest)
    if counts != told and (packets % 200 == 1 or not due):
        with open(sys.argv[2] + ".new", "w") as file:
            json.dump(counts, file)
        os.rename(sys.argv[2] + ".new", sys.argv[2])
        told = counts
