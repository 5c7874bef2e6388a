"""Captures SNMP on eth0, and counts.

Usage: capture.py COUNTS
  COUNTS: file that is kept up to date, as JSON:
    packets: questions that came over the wire
    most: the most of them in any second, wherever it begins
    open_most: the most that one address owed at once. What waits for GIVEN_UP is owed no more.
    shortest: seconds after which an address was asked again that had not answered, the fewest
    read: addresses that answered more than ten times
    lost: what the capture missed
    quiet_at: when it was last seen that nothing waits to be counted, in Unix seconds
"""
import collections, json, os, socket, struct, sys, time

SO_TIMESTAMPNS, ETH_P_ALL, PACKET_OUTGOING = 35, 3, 4
SOL_PACKET, PACKET_STATISTICS = 263, 6
SECOND = 10**9
GIVEN_UP = 199 * SECOND // 100  # the default timeout is 2 s
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
tap.bind(("eth0", ETH_P_ALL))
tap.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
tap.settimeout(0.1)
counts = dict(packets=0, most=0, open_most=0, shortest=1e9, read=0, lost=0, quiet_at=0)
window, owed = collections.deque(), collections.defaultdict(collections.deque)
answers = collections.Counter()


def asked(address, at):
    counts["packets"] += 1
    window.append(at)
    while window[0] <= at - SECOND:
        window.popleft()
    counts["most"] = max(counts["most"], len(window))
    owes = owed[address]
    if owes:
        counts["shortest"] = min(counts["shortest"], (at - owes[-1]) / SECOND)
    while owes and owes[0] <= at - GIVEN_UP:
        owes.popleft()
    owes.append(at)
    counts["open_most"] = max(counts["open_most"], len(owes))


def answered(address):
    answers[address] += 1
    counts["read"] += answers[address] == 11
    if owed[address]:
        owed[address].popleft()


def take(packet, notes, way):
    head = (packet[0] & 0x0F) * 4
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
        return
    source, target = struct.unpack_from("!HH", packet, head)
    if way != PACKET_OUTGOING and target == 161:
        seconds, nanos = struct.unpack("qq", notes[0][2])
        asked(socket.inet_ntoa(packet[16:20]), seconds * SECOND + nanos)
    elif way == PACKET_OUTGOING and source == 161:
        answered(socket.inet_ntoa(packet[12:16]))


def write():
    statistics = tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
    counts["lost"] += struct.unpack("II", statistics)[1]  # since it was last asked
    with open(sys.argv[1] + ".new", "w") as file:
        json.dump(counts, file)
    os.rename(sys.argv[1] + ".new", sys.argv[1])


written = 0
while True:
    try:
        packet, notes, _, sender = tap.recvmsg(65535, 1024)
        take(packet, notes, sender[2])
    except socket.timeout:
        counts["quiet_at"] = time.time()
        write()
    if time.monotonic() > written + 0.2:
        written = time.monotonic()
        write()
