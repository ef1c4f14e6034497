"""Lets scapy read or build a STAMP packet. The input is a question in JSON, the
output the answer to it:

    {"role": "sender" or "reflector", "packet": HEX}    its fields
    {"role": …, "fields": FIELDS}                       the packet that has them

Fields are named as in scapy.contrib.stamp, and timestamps are as on the wire.
"""

import fractions
import json
import sys

from scapy.contrib import stamp

ROLES = {
    "sender": stamp.STAMPSessionSenderTestUnauthenticated,
    "reflector": stamp.STAMPSessionReflectorTestUnauthenticated,
}
TIMESTAMPS = {"ts": "err_estimate", "ts_rx": "err_estimate", "ts_sender": "err_estimate_sender"}
ESTIMATES = set(TIMESTAMPS.values())


def read(role, octets):
    packet = ROLES[role](octets)
    fields = dict(packet.fields)
    for name in ESTIMATES & fields.keys():
        fields[name] = dict(fields[name].fields)
    fields["tlv_objects"] = [
        {"flags": int(t.flags), "type": t.type, "len": t.len, "value": bytes(t.value).hex()} for t in packet.tlv_objects
    ]
    return {"fields": fields, "beyond": bytes(packet.payload).hex()}


def build(role, fields):
    packet = ROLES[role]()
    # The Error Estimates come first: scapy asks them what the timestamps are.
    for name in sorted(fields, key=lambda name: name in TIMESTAMPS):
        setattr(packet, name, value(packet, name, fields[name]))
    return {"packet": bytes(packet).hex()}


def value(packet, name, given):
    if name in ESTIMATES:
        return stamp.ErrorEstimate(**given)
    if name in TIMESTAMPS and getattr(packet, TIMESTAMPS[name]).Z == 0:
        return fractions.Fraction(given, 1 << 32)  # scapy builds NTP's from seconds
    if name == "tlv_objects":
        return [stamp.STAMPTestTLV(**{**t, "value": bytes.fromhex(t["value"])}) for t in given]
    return given


def answer(question):
    if "packet" in question:
        return read(question["role"], bytes.fromhex(question["packet"]))
    return build(question["role"], question["fields"])


print(json.dumps(answer(json.load(sys.stdin))))
