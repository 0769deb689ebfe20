#!/usr/bin/env python3
"""A second implementation of protocol/README.md, written from its text, that judges the golden vectors beside it.

Prints `N checks passed`, or what differs, with exit code 1. Needs Python 3.9 and the package `blake3`.
"""

import base64
import bisect
import hashlib
import json
import math
import re
import sys
import unicodedata
from pathlib import Path

from blake3 import blake3

HERE = Path(__file__).resolve().parent
SPECIFICATION = (HERE / "../../protocol/README.md").resolve().read_text(encoding="utf-8")


# ---- Checks ----

passed = 0
failures = []


def check(what, found, expected):
    global passed
    if found == expected:
        passed += 1
    else:
        failures.append(f"{what}\n    found    {shorten(found)}\n    expected {shorten(expected)}")


def shorten(value):
    text = repr(value)
    return text if len(text) <= 400 else text[:400] + "..."


def load(name):
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def unhex(text):
    return bytes.fromhex(text)


# ---- Section 9: limits, read from the document itself ----

LIMITS = {name: int(value) for name, value in re.findall(r"^\| `([a-z_]+)` \| (\d+) \|", SPECIFICATION, re.MULTILINE)}


# ---- Section 1: conventions ----


class Malformed(Exception):
    pass


class Reader:
    """Bytes that are read from the first on: `compact` in the encoding of section 15, else in that of section 1."""

    def __init__(self, data, compact=False):
        self.data, self.at, self.compact = data, 0, compact

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Malformed("the bytes end early")
        self.at += count
        return self.data[self.at - count : self.at]


class Integer:
    def __init__(self, size, signed=False):
        self.size, self.signed = size, signed

    def read(self, reader):
        if reader.compact and self.size > 1:
            return self.read_compact(reader)
        return int.from_bytes(reader.take(self.size), "little", signed=self.signed)

    def read_compact(self, reader):
        first = reader.take(1)[0]
        if first < 251:
            return first
        size = {251: 2, 252: 4, 253: 8}.get(first, 99)
        if size > self.size:
            raise Malformed("no form of this integer")
        value = int.from_bytes(reader.take(size), "little")
        if len(self.write(value, True)) != 1 + size:
            raise Malformed("not the shortest form")
        return value

    def write(self, value, compact=False):
        if compact and self.size > 1:
            if value < 251:
                return bytes([value])
            mark, size = next((mark, size) for mark, size in ((251, 2), (252, 4), (253, 8)) if value < 256**size)
            return bytes([mark]) + value.to_bytes(size, "little")
        return value.to_bytes(self.size, "little", signed=self.signed)


U8, U16, U32, U64, I8 = Integer(1), Integer(2), Integer(4), Integer(8), Integer(1, signed=True)


class Bool:
    def read(self, reader):
        byte = U8.read(reader)
        if byte > 1:
            raise Malformed("a bool is 0 or 1")
        return byte == 1

    def write(self, value, compact=False):
        return bytes([value])


class Raw:
    """N raw bytes, held as hex."""

    def __init__(self, size):
        self.size = size

    def read(self, reader):
        return reader.take(self.size).hex()

    def write(self, value, compact=False):
        data = unhex(value)
        assert len(data) == self.size
        return data


class Bytes:
    """Bytes behind a length, held as hex."""

    def read(self, reader):
        return reader.take(U64.read(reader)).hex()

    def write(self, value, compact=False):
        return U64.write(len(value) // 2, compact) + unhex(value)


class String:
    def read(self, reader):
        try:
            return reader.take(U64.read(reader)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a string is UTF-8") from error

    def write(self, value, compact=False):
        data = value.encode("utf-8")
        return U64.write(len(data), compact) + data


class List:
    def __init__(self, element):
        self.element = element

    def read(self, reader):
        count = U64.read(reader)
        if count > len(reader.data):
            raise Malformed("more elements than bytes")
        return [self.element.read(reader) for _ in range(count)]

    def write(self, value, compact=False):
        return U64.write(len(value), compact) + b"".join(self.element.write(each, compact) for each in value)


class Option:
    def __init__(self, element):
        self.element = element

    def read(self, reader):
        return self.element.read(reader) if Bool().read(reader) else None

    def write(self, value, compact=False):
        return b"\0" if value is None else b"\1" + self.element.write(value, compact)


class Struct:
    def __init__(self, **fields):
        self.fields = fields

    def read(self, reader):
        return {name: kind.read(reader) for name, kind in self.fields.items()}

    def write(self, value, compact=False):
        return b"".join(kind.write(value[name], compact) for name, kind in self.fields.items())


class Tuple:
    def __init__(self, *elements):
        self.elements = elements

    def read(self, reader):
        return [kind.read(reader) for kind in self.elements]

    def write(self, value, compact=False):
        return b"".join(kind.write(each, compact) for kind, each in zip(self.elements, value))


class Enum:
    """A variant without fields is its name; one with fields is {name: fields}."""

    def __init__(self, **variants):
        self.variants = list(variants.items())

    def read(self, reader):
        number = U32.read(reader)
        if number >= len(self.variants):
            raise Malformed("no such variant")
        name, fields = self.variants[number]
        return name if fields is None else {name: fields.read(reader)}

    def write(self, value, compact=False):
        name = value if isinstance(value, str) else next(iter(value))
        number = [variant for variant, _ in self.variants].index(name)
        fields = self.variants[number][1]
        return U32.write(number, compact) + (b"" if fields is None else fields.write(value[name], compact))


def decode(kind, data, compact=False):
    reader = Reader(data, compact)
    value = kind.read(reader)
    if reader.at != len(data):
        raise Malformed("bytes follow the value")
    return value


def ascends(values):
    return all(a < b for a, b in zip(values, values[1:]))


def derive(context, data):
    return blake3(data, derive_key_context=context).digest()


ID = Raw(32)
ZERO = "00" * 32


# ---- Section 2: names of things ----


def network_id(name):
    return blake3(name.encode("utf-8")).digest()


def event_id(network, header):
    return derive("roda/1/event-id", network + header).hex()


def author_space(author):
    return derive("roda/1/author-space", unhex(author)).hex()


def open_board(normalised):
    return derive("roda/1/open-board", normalised.encode("utf-8")).hex()


def author_text(author):
    return "@" + base64.b32encode(unhex(author)).decode().rstrip("=").lower()


# ---- Section 8: names that people choose ----

NAMES = load("names.json")


def in_table(table, character):
    ranges, code = NAMES[table], ord(character)
    at = bisect.bisect_right(ranges, [code, 0x110000]) - 1
    return at >= 0 and ranges[at][0] <= code <= ranges[at][1]


def is_clean_name(name, chars_max):
    if not 1 <= len(name) <= chars_max or any(in_table("hidden", character) for character in name):
        return False
    if name[0] == " " or name[-1] == " " or "  " in name:
        return False
    marks, previous = 0, " "
    for character in name:
        marks = marks + 1 if in_table("marks", character) else 0
        if marks > 4 or (marks == 1 and previous == " "):
            return False
        previous = character
    return True


def normalised_board_name(name):
    text = unicodedata.normalize("NFKC", name)
    text = "".join(character.lower() for character in text).replace("ς", "σ")
    text = "-".join(unicodedata.normalize("NFKC", text).split())
    if not is_clean_name(text, 32):
        return None
    bases = ""
    for character in text:
        if in_table("marks", character):
            if bases == "" or bases[-1] in "-_.":
                return None
            continue
        if not (character.isalnum() or character in "-_."):
            return None
        bases += character
    return text if bases[0] not in "-_." and bases[-1] not in "-_." else None


# ---- Section 5: signatures ----

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def negate(point):
    x, y, z, t = point
    return (P - x, y, z, P - t)


def encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode_point(data):
    number = int.from_bytes(data, "little")
    y, sign = (number & (2**255 - 1)) % P, number >> 255
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    square = u * pow(v, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square:
        return None
    if x & 1 != sign:
        x = (P - x) % P
    return (x, y, 1, x * y % P)


def is_small(point):
    for _ in range(3):
        point = add(point, point)
    x, y, z, _ = point
    return x % P == 0 and (y - z) % P == 0


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def challenge(r, key, message):
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


def is_signed(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    point_a, point_r = decode_point(key), decode_point(r)
    if point_a is None or point_r is None or is_small(point_a) or is_small(point_r):
        return False
    k = challenge(r, key, message)
    return encode_point(add(multiply(s, BASE), multiply(k, negate(point_a)))) == r


def expand(seed):
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return secret, digest[32:]


def public_key(seed):
    return encode_point(multiply(expand(seed)[0], BASE))


def sign(seed, message):
    secret, prefix = expand(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    r = encode_point(multiply(nonce, BASE))
    s = (nonce + challenge(r, public_key(seed), message) * secret) % L
    return r + s.to_bytes(32, "little")


def preimage(domain, network, message):
    return domain.encode() + b"\0" + network + message


def device_message(device, expires_ms):
    return unhex(device) + U64.write(expires_ms)


# ---- Section 6: work ----


def work_bits(name):
    return min(255, 256 - int.from_bytes(derive("roda/1/work", unhex(name)), "big").bit_length())


# ---- Sections 3 and 4: events ----

HEADER = Struct(
    version=U8,
    space=ID,
    author=ID,
    signer=Enum(root=None, device=Struct(device=ID, expires_ms=U64, certificate=Raw(64))),
    created_ms=U64,
    refs=List(ID),
    tag=U16,
    fields=Bytes(),
    body_len=U32,
    commitment=ID,
    work=U64,
)

KINDS = {
    1: ("charter", Struct(name=String(), language=String(), stewards=List(ID), threshold=U8, work_bits=U8, body_bytes_max=U32, forked_from=Option(ID))),
    2: ("post", Struct(tags=List(String()))),
    3: ("comment", Struct(root=ID, parent=ID)),
    4: ("edit", Struct(target=ID)),
    5: ("retract", Struct(targets=List(ID))),
    6: ("vote", Struct(target=ID, value=I8)),
    7: ("label", Struct(targets=List(Enum(event=ID, author=ID)), value=String(), rule=Option(U8), expires_ms=U64)),
    8: ("steward", Struct(subject=ID, rank=Option(U8))),
    9: ("checkpoint", Struct(heads=List(ID))),
    10: ("vouch", Struct(subject=ID, board=ID, weight=U8)),
    11: ("profile", Struct(next_root=ID, revocation=ID)),
    12: ("revoke", Struct(root=ID, subject=Enum(device=ID, root=None), heads=List(ID))),
    13: ("succeed", Struct(old=ID)),
}

BODIES = {
    "charter": Struct(title=String(), description=String(), rules=List(String())),
    "post": Struct(title=String(), text=String(), link=Option(String())),
    "comment": Struct(text=String()),
    "edit": Struct(title=Option(String()), text=String(), link=Option(String())),
    "label": Struct(reason=String()),
    "profile": Struct(name=String(), about=String(), links=List(String())),
}


def fits(text, least, most):
    return least <= len(text.encode("utf-8")) <= LIMITS[most]


def keeps_rules(word, fields):
    """The rules of a kind's fields, but for the life of a label."""
    if word == "charter":
        stewards = fields["stewards"]
        return (
            is_clean_name(fields["name"], LIMITS["name_chars_max"])
            and fits(fields["language"], 0, "language_bytes_max")
            and re.fullmatch(r"[A-Za-z0-9-]*", fields["language"]) is not None
            and len(stewards) <= LIMITS["stewards_max"]
            and ascends(stewards)
            and (1 if stewards else 0) <= fields["threshold"] <= len(stewards)
            and fields["work_bits"] <= LIMITS["work_bits_max"]
            and fields["body_bytes_max"] <= LIMITS["body_bytes_max"]
        )
    if word == "post":
        tags = fields["tags"]
        clean = all(is_clean_name(tag, LIMITS["name_chars_max"]) and fits(tag, 1, "tag_bytes_max") for tag in tags)
        return clean and len(tags) <= LIMITS["tags_max"] and ascends([tag.encode("utf-8") for tag in tags])
    if word == "retract":
        return 1 <= len(fields["targets"]) <= LIMITS["retract_targets_max"] and ascends(fields["targets"])
    if word == "vote":
        return fields["value"] in (-1, 0, 1)
    if word == "label":
        order = [(0, target["event"]) if "event" in target else (1, target["author"]) for target in fields["targets"]]
        return (
            1 <= len(order) <= LIMITS["label_targets_max"]
            and ascends(order)
            and fits(fields["value"], 1, "label_value_bytes_max")
            and re.fullmatch(r"[a-z0-9-]+", fields["value"]) is not None
            and fields["rule"] != 0
        )
    if word == "steward":
        return fields["rank"] != 0
    if word in ("checkpoint", "revoke"):
        least = 1 if word == "checkpoint" else 0
        return least <= len(fields["heads"]) <= LIMITS["heads_max"] and ascends(fields["heads"])
    if word == "vouch":
        return fields["weight"] <= 1
    return True


def is_right_space(word, fields, space, author):
    if word == "charter":
        return space == ZERO
    if word == "vouch":
        return space == fields["board"] and space != ZERO
    if word in ("profile", "revoke", "succeed"):
        return space == author_space({"profile": author, "revoke": fields.get("root"), "succeed": fields.get("old")}[word])
    return space != ZERO


def is_readable(word, words):
    link_fits = words.get("link") is None or fits(words["link"], 0, "link_bytes_max")
    if word == "charter":
        rules = words["rules"]
        each = all(fits(rule, 0, "rule_bytes_max") for rule in rules)
        return fits(words["title"], 0, "title_bytes_max") and len(rules) <= LIMITS["rules_max"] and each
    if word == "post":
        return fits(words["title"], 1, "title_bytes_max") and link_fits
    if word == "comment":
        return words["text"] != ""
    if word == "edit":
        return (words["title"] is None or fits(words["title"], 1, "title_bytes_max")) and link_fits
    if word == "label":
        return fits(words["reason"], 0, "reason_bytes_max")
    each = all(fits(link, 0, "link_bytes_max") for link in words["links"])
    return is_clean_name(words["name"], LIMITS["name_chars_max"]) and len(words["links"]) <= LIMITS["profile_links_max"] and each


def read_body(word, data):
    """The words, None where there are none, or "unreadable"."""
    if word not in BODIES or data == b"":
        return None
    try:
        words = decode(BODIES[word], data)
    except Malformed:
        return "unreadable"
    return words if is_readable(word, words) else "unreadable"


class Invalid(Exception):
    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code


def require(condition, code):
    if not condition:
        raise Invalid(code)


class Event:
    """Checks 1 to 13 of section 7."""

    def __init__(self, network, data):
        require(len(data) <= LIMITS["event_bytes_max"], 1)
        require(data, 2)
        require(data[0] == 1, 3)
        reader = Reader(data[: LIMITS["header_bytes_max"]])
        try:
            header = HEADER.read(reader)
        except Malformed as error:
            raise Invalid(2) from error
        self.network, self.data, self.header, self.header_len = network, data, header, reader.at
        require(len(header["refs"]) <= LIMITS["refs_max"] and ascends(header["refs"]), 4)
        length = header["body_len"]
        require(length <= LIMITS["body_bytes_max"] and (length > 0 or header["commitment"] == ZERO), 8)
        self.word, kind = KINDS.get(header["tag"], ("unknown", None))
        try:
            self.fields = decode(kind, unhex(header["fields"])) if kind else {}
        except Malformed as error:
            raise Invalid(5) from error
        require(keeps_rules(self.word, self.fields), 6)
        require(is_right_space(self.word, self.fields, header["space"], header["author"]), 7)
        if self.word == "label":
            most = min(header["created_ms"] + LIMITS["label_life_ms_max"], 2**64 - 1)
            require(self.fields["expires_ms"] <= most, 6)
        fixed = self.header_len + LIMITS["signature_bytes"] + LIMITS["salt_bytes"]
        require(fixed + length <= LIMITS["event_bytes_max"], 1)
        require(len(data) >= self.header_len + LIMITS["signature_bytes"], 2)
        self.signature = data[self.header_len : self.header_len + 64]
        rest = data[self.header_len + 64 :]
        if rest:
            require(length > 0 and len(rest) == LIMITS["salt_bytes"] + length, 9)
            require(blake3(rest).hexdigest() == header["commitment"], 9)
        self.has_body = bool(rest) or length == 0
        self.body = read_body(self.word, rest[LIMITS["salt_bytes"] :]) if self.has_body else "dropped"
        self.id = event_id(network, data[: self.header_len])

    @property
    def set(self):
        return self.id if self.word == "charter" else self.header["space"]

    def validate(self, work_bits_floor, body_bytes_max):
        """Checks 14 to 17 of section 7."""
        if self.word == "charter":
            work_bits_floor, body_bytes_max = self.fields["work_bits"], self.fields["body_bytes_max"]
        require(self.header["body_len"] <= body_bytes_max, 8)
        require(work_bits(self.id) >= work_bits_floor, 11)
        key = unhex(self.header["author"])
        if self.header["signer"] != "root":
            device = self.header["signer"]["device"]
            message = preimage("roda/1/device", self.network, device_message(device["device"], device["expires_ms"]))
            require(self.header["created_ms"] <= device["expires_ms"], 10)
            require(is_signed(key, message, unhex(device["certificate"])), 10)
            key = unhex(device["device"])
        message = preimage("roda/1/event", self.network, self.data[: self.header_len])
        require(is_signed(key, message, self.signature), 12)

    def encoded(self):
        """Every part written anew from its value."""
        header = dict(self.header)
        if self.word != "unknown":
            header["fields"] = KINDS[header["tag"]][1].write(self.fields).hex()
        data = HEADER.write(header) + self.signature
        if not self.has_body or self.header["body_len"] == 0:
            return data
        salt = self.data[self.header_len + 64 :][: LIMITS["salt_bytes"]]
        return data + salt + BODIES[self.word].write(self.body)


# ---- Sections 10 to 12: views. Ids are 32 bytes here, so that they compare as they should. ----


def depths(refs):
    """The depth of each event of a set, given the refs of each."""
    done = {}
    for start in refs:
        stack = [start]
        while stack:
            below = [ref for ref in refs[stack[-1]] if ref in refs and ref not in done]
            if below:
                stack.extend(below)
            else:
                event = stack.pop()
                done[event] = 1 + max((done[ref] for ref in refs[event] if ref in refs), default=0)
    return done


def own_events(root, events):
    def word(event):
        return event["kind"]["word"]

    def fields(event):
        return event["kind"]["fields"]

    places = {
        name: event
        for name, event in events.items()
        if (word(event) == "post" and name == root) or (word(event) == "comment" and fields(event)["root"] == root)
    }
    actions = {
        name: event for name, event in events.items() if word(event) in ("edit", "vote") and fields(event)["target"] in places
    }
    both = {**places, **actions}
    retractions = {
        name: event
        for name, event in events.items()
        if word(event) == "retract" and any(target in both for target in fields(event)["targets"])
    }
    return places, actions, retractions


def resolve(root, events):
    places, actions, retractions = own_events(root, events)
    own = {**places, **actions, **retractions}
    depth = depths({name: event["refs"] for name, event in own.items()})
    retracted = {
        target
        for event in retractions.values()
        for target in event["kind"]["fields"]["targets"]
        if target in own and target not in retractions and own[target]["author"] == event["author"]
    }
    edits, votes = {}, {}
    for name in sorted((name for name in actions if name not in retracted), key=lambda name: (depth[name], name)):
        event = actions[name]
        target = event["kind"]["fields"]["target"]
        if event["kind"]["word"] == "vote":
            votes[target, event["author"]] = event["kind"]["fields"]["value"]
        elif places[target]["author"] == event["author"] and isinstance(event["body"], dict):
            edits[target] = event

    children, holes = {}, set()
    for name, event in places.items():
        if event["kind"]["word"] == "comment":
            parent = event["kind"]["fields"]["parent"]
            children.setdefault(parent, []).append(name)
            if parent not in places and parent != root:
                holes.add(parent)
    claimed = {name: event["created_ms"] for name, event in places.items()}
    for hole in holes:
        claimed[hole] = min(places[name]["created_ms"] for name in children[hole])
    claimed.setdefault(root, 0)
    children.setdefault(root, []).extend(holes)

    nodes, stack = [], [(root, None, 0, 0)]
    while stack:
        name, parent, level, not_before = stack.pop()
        display = max(claimed[name], not_before)
        nodes.append(node(name, parent, level, display, places.get(name), retracted, edits, votes))
        below = sorted(children.get(name, []), key=lambda child: (max(claimed[child], display), child))
        level = min(level + 1, LIMITS["reply_depth_max"])
        stack.extend((child, name, level, display) for child in reversed(below))
    return nodes


def node(name, parent, level, display, event, retracted, edits, votes):
    shared = {"id": name, "depth": level, "display_ms": display}
    if event is None:
        empty = {"parent": None, "author": None, "created_ms": 0, "edited_ms": None, "tags": [], "up": 0, "down": 0}
        return {**shared, **empty, "shown": "missing"}
    shown, edited = content(name, event, retracted, edits)
    return {
        **shared,
        "parent": parent,
        "author": event["author"],
        "created_ms": event["created_ms"],
        "edited_ms": edited,
        "tags": event["kind"]["fields"].get("tags", []),
        "up": sum(value == 1 for (target, _), value in votes.items() if target == name),
        "down": sum(value == -1 for (target, _), value in votes.items() if target == name),
        "shown": shown,
    }


def content(name, event, retracted, edits):
    if name in retracted:
        return "retracted", None
    if event["body"] == "dropped":
        return "dropped", None
    if not isinstance(event["body"], dict):
        return "unreadable", None
    own, is_post = event["body"], event["kind"]["word"] == "post"
    edit = edits.get(name)
    words = edit["body"] if edit else own
    shown = {"title": "", "text": words["text"], "link": None}
    if is_post:
        shown["title"] = own["title"] if words["title"] is None else words["title"]
        shown["link"] = words["link"]
    return shown, edit["created_ms"] if edit else None


def profile_in_force(events):
    depth = depths({event["id"]: event["refs"] for event in events})
    readable = [event for event in events if isinstance(event["body"], dict)]
    return max(readable, key=lambda event: (depth[event["id"]], event["id"]), default=None)


# ---- Section 13: gossip ----


def topic(context, data):
    return "/roda/1/" + derive(context, data)[:16].hex()


def board_topic(network, space):
    return topic("roda/1/topic", network + unhex(space))


def author_topics(network):
    return [topic("roda/1/author-topic", network + bytes([number])) for number in range(LIMITS["author_topics"])]


def author_topic(network, space):
    return author_topics(network)[unhex(space)[0] % LIMITS["author_topics"]]


def message_id(data):
    return blake3(data).digest()[:20].hex()


# ---- Section 14: the known set. A member is (time, id); in an epoch it is a place, (offset, id), ids as bytes. ----

FIRST = (0, b"\0" * 32)
END = (2**32 - 1, b"\xff" * 32)
MASK = 2**64 - 1


def lthash(ids):
    total = 0
    lane_masks = (int.from_bytes(b"\xff\xff\0\0" * 512, "little"), int.from_bytes(b"\0\0\xff\xff" * 512, "little"))
    for name in ids:
        expanded = int.from_bytes(blake3(b"lt1" + name).digest(length=2048), "little")
        # Every second lane at a time, so that a carry runs into a lane that is masked away.
        total = sum(((total & mask) + (expanded & mask)) & mask for mask in lane_masks)
    return total.to_bytes(2048, "little")


def salt_key(salt):
    return derive("roda/1/sync-salt", unhex(salt))


def digest(key, ids):
    return blake3(lthash(ids) + U64.write(len(ids)), key=key).digest()[:16]


def sum_of(ids):
    return (sum(int.from_bytes(name, "little") for name in ids) % 2**256).to_bytes(32, "little")


def fingerprint(key, ids):
    return blake3(sum_of(ids) + U64.write(len(ids)), key=key).digest()[:8].hex()


def salted_name(key, place):
    return blake3(place[1], key=key).digest()[:8].hex()


def space_tag(key, space):
    return blake3(unhex(space), key=key).digest()[:8].hex()


def digest_hint(key, name):
    return blake3(b"hint" + unhex(name), key=key).digest()[:8].hex()


def place_of(member):
    return divmod(member[0], LIMITS["epoch_ms"])[0], (member[0] % LIMITS["epoch_ms"], member[1])


def short(place):
    return place[0] << 34 | int.from_bytes(place[1], "big") >> 222


def short_hex(place):
    return short(place).to_bytes(8, "big").hex()


def short_range(name):
    def at(name):
        return name >> 34, (name % 2**34 << 222).to_bytes(32, "big")

    return at(name), END if name == MASK else at(name + 1)


def mix(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def name_check(name):
    return mix(name ^ 0x526F646120636B73) >> 32


def indices(name, symbols):
    state, index = mix(name ^ 0x526F6461206D6170), 0
    while index < symbols:
        yield index
        state = state * 0xDA942042E4DD58B5 & MASK
        root = max(1, math.isqrt(state))
        index += (2 * index + 3) * (2**32 - root) // (2 * root) + 1


def sketch(names, symbols):
    rows = [[0, 0, 0] for _ in range(symbols)]
    for name in names:
        add_name(rows, name, 1)
    return rows


def add_name(rows, name, by):
    for index in indices(name, len(rows)):
        row = rows[index]
        rows[index] = [row[0] ^ name, row[1] ^ name_check(name), (row[2] + by) % 256]


SYMBOL = Struct(names=U64, checks=U32, count=U8)


def symbols_to_bytes(rows):
    return b"".join(SYMBOL.write(dict(zip(("names", "checks", "count"), row))) for row in rows)


def symbols_from_bytes(data):
    reader, rows = Reader(data), []
    while reader.at < len(data):
        rows.append(list(SYMBOL.read(reader).values()))
    return rows


def symbols_for(members):
    if members < 128:
        return 0
    return max(128, min(LIMITS["symbols_max"], 1 << (members // 4 - 1).bit_length()))


def peel(ours, theirs):
    rows = [[a[0] ^ b[0], a[1] ^ b[1], (a[2] - b[2]) % 256] for a, b in zip(ours, theirs)]
    found = {1: [], 255: []}
    for _ in range(2 * len(rows)):
        single = next((row for row in rows if row[2] in found and row[1] == name_check(row[0])), None)
        if single is None:
            break
        name, count = single[0], single[2]
        found[count].append(name)
        add_name(rows, name, -count)
    return (sorted(found[1]), sorted(found[255])) if rows and not any(map(any, rows)) else None


# ---- Section 15: sync ----

BOUND = Struct(offset_ms=U32, prefix=Bytes())
FORM = Enum(whole=None, header=None)
SHORTS = List(Raw(8))
PARTS = List(Struct(upper=BOUND, count=U64, fingerprint=Raw(8)))
LISTED = Struct(upper=BOUND, members=SHORTS)
ASK = Enum(split=PARTS, list=LISTED, exact=LISTED, sketch=Struct(**{"from": U32, "to": U32}))
PROBE = Struct(epoch=U64, lower=BOUND, ask=ASK)
DIFFERS = Enum(nothing=None, list=SHORTS, split=PARTS, later=None)
FINDING = Enum(
    split=List(Tuple(U16, DIFFERS)),
    scattered=List(U64),
    list=Struct(upto=Option(BOUND), wants=Bytes(), offers=SHORTS),
    sketch=Bytes(),
    later=None,
)
EPOCHS = List(Struct(epoch=U64, count=U64, fingerprint=Raw(8)))
EVENTS = List(Bytes())
REQUEST = Enum(
    spaces=Struct(salt=Raw(16), spaces=List(Struct(tag=Raw(8), hint=Raw(8)))),
    compare=Struct(salt=Raw(16), space=ID, probes=List(PROBE)),
    range=Struct(space=ID, epoch=U64, lower=BOUND, upper=BOUND, form=FORM),
    pick=Struct(space=ID, epoch=U64, members=SHORTS, form=FORM),
    get=Struct(space=ID, ids=List(ID)),
    push=Struct(space=ID, form=FORM, events=EVENTS),
    holds=Struct(space=ID, ids=List(ID)),
    directory=Struct(after=Option(ID)),
)
RESPONSE = Enum(
    spaces=Struct(
        headers_first=Bool(),
        spaces=List(Struct(index=U32, count=U64, digest=Raw(16), epochs=Option(EPOCHS))),
    ),
    compared=List(FINDING),
    range=Struct(events=EVENTS, next=Option(BOUND)),
    events=Struct(events=EVENTS, answered=U32),
    taken=List(Enum(held=None, declined=None, words=None, no=None)),
    holding=List(Bool()),
    not_followed=None,
    busy=None,
    directory=Struct(boards=List(Struct(charter=Bytes(), events=U64, threads=U64, last_day=U32)), more=Bool()),
)


def require_form(condition):
    if not condition:
        raise Malformed("a rule of the message is broken")


def place_at(bound):
    """The place of a bound that is in form."""
    prefix = unhex(bound["prefix"])
    if bound["offset_ms"] == END[0]:
        require_form(prefix == b"")
        return END
    require_form(len(prefix) <= 32 and prefix[-1:] != b"\0")
    return bound["offset_ms"], prefix.ljust(32, b"\0")


def bound_of(place):
    prefix = b"" if place[0] == END[0] else place[1].rstrip(b"\0")
    return {"offset_ms": place[0], "prefix": prefix.hex()}


def between(before, member):
    if before[0] < member[0]:
        return member[0], FIRST[1]
    length = next(at for at in range(32) if before[1][at] != member[1][at]) + 1
    return member[0], member[1][:length].ljust(32, b"\0")


def check_message(name, fields, is_request):
    """The bounds of the tables of requests and responses."""
    most = {"compare": "probes_max", "compared": "probes_max", "spaces": "sync_spaces_max"}.get(name, "sync_get_ids_max")
    if name == "range":
        bounds = [fields["lower"], fields["upper"]] if is_request else [fields["next"]] if fields["next"] else []
        require_form(ascends([place_at(bound) for bound in bounds]))
    elif name == "spaces" and not is_request:
        require_form(ascends([space["index"] for space in fields["spaces"]]))
        for epochs in (space["epochs"] or [] for space in fields["spaces"]):
            require_form(len(epochs) <= LIMITS["sync_epochs_max"] and all(entry["count"] > 0 for entry in epochs))
            require_form(ascends([entry["epoch"] for entry in epochs]))
    elif name == "directory" and not is_request:
        boards = fields["boards"]
        most_bytes = LIMITS["directory_charter_bytes_max"]
        require_form(len(boards) <= LIMITS["directory_boards_max"] and (boards or not fields["more"]))
        require_form(all(len(board["charter"]) // 2 <= most_bytes for board in boards))
    lists = [fields] if isinstance(fields, list) else [value for value in fields.values() if isinstance(value, list)]
    require_form(all(len(values) <= LIMITS[most] for values in lists))
    events = fields.get("events", []) if isinstance(fields, dict) else []
    require_form(all(len(event) // 2 <= LIMITS["event_bytes_max"] for event in events))


def read_message(kind, data):
    is_request = kind is REQUEST
    require_form(len(data) <= LIMITS["sync_request_bytes_max" if is_request else "sync_response_bytes_max"])
    message = decode(kind, data, compact=True)
    require_form(len(kind.write(message)) <= LIMITS["sync_wide_bytes_max"])
    if not isinstance(message, str):
        check_message(*next(iter(message.items())), is_request)
    return message


class Epoch:
    """The members of an epoch of the side that is asked, and its findings."""

    def __init__(self, places, key):
        self.places, self.key = sorted(places), key
        self.symbols = sketch(map(short, self.places), symbols_for(len(self.places)))

    def range(self, lower, upper):
        return self.places[bisect.bisect_left(self.places, lower) : bisect.bisect_left(self.places, upper)]

    def part(self, lower, upper):
        ids = [name for _, name in self.range(lower, upper)]
        return {"upper": bound_of(upper), "count": len(ids), "fingerprint": fingerprint(self.key, ids)}

    def split(self, lower, upper):
        members = self.range(lower, upper)
        count = min(LIMITS["fan_out"] - 1, len(members))
        cuts = [len(members) * part // count for part in range(1, count)]
        ends = [between(members[cut - 1], members[cut]) for cut in cuts]
        if members:
            ends.append(min((members[-1][0] + 1, bytes(32)), upper))
        if not members or ends[-1] != upper:
            ends.append(upper)
        return [self.part(begin, end) for begin, end in zip([lower] + ends, ends)]

    def find(self, probe):
        kind, ask = next(iter(probe["ask"].items()))
        lower = place_at(probe["lower"])
        if kind == "split":
            return self.find_split(lower, ask)
        if kind == "sketch":
            require_form(ask["from"] <= ask["to"] <= LIMITS["symbols_max"])
            return {"sketch": symbols_to_bytes(self.symbols[ask["from"] : ask["to"]]).hex()}
        upper = place_at(ask["upper"])
        require_form(len(ask["members"]) <= LIMITS["listed_max"] and lower <= upper)
        require_form(kind == "exact" or ascends(ask["members"]))
        return self.find_list(lower, upper, ask["members"], short_hex if kind == "list" else lambda place: salted_name(self.key, place))

    def find_split(self, lower, parts):
        ends = [place_at(part["upper"]) for part in parts]
        require_form(1 <= len(parts) <= LIMITS["fan_out"] and ascends([lower] + ends))
        mine = [self.part(begin, end) for begin, end in zip([lower] + ends, ends)]
        differing = [at for at, part in enumerate(parts) if part != mine[at]]
        is_whole = len(parts) == LIMITS["fan_out"] and (lower, ends[-1]) == (FIRST, END)
        both = [at for at in differing if parts[at]["count"] and mine[at]["count"]]
        if is_whole and len(both) >= 4 and self.symbols:
            return {"scattered": [part["count"] for part in mine]}
        return {"split": [[at, self.differs(([lower] + ends)[at], ends[at])] for at in differing]}

    def differs(self, lower, upper):
        members = self.range(lower, upper)
        if not members:
            return "nothing"
        if len(members) <= LIMITS["list_max"]:
            return {"list": [short_hex(place) for place in members]}
        return {"split": self.split(lower, upper)}

    def find_list(self, lower, upper, listed, name_of):
        walked, offers, upto, before, asked = set(), [], None, lower, set(listed)
        for number, place in enumerate(self.range(lower, upper)):
            name = name_of(place)
            if number >= 65536 or (name not in asked and len(offers) >= LIMITS["listed_max"]):
                upto = bound_of(between(before, place))
                break
            before = place
            if name in asked:
                walked.add(name)
            else:
                offers.append(short_hex(place))
        offers = [name for at, name in enumerate(offers) if at == 0 or offers[at - 1] != name]
        wants = sum(1 << at for at, name in enumerate(listed) if name not in walked)
        return {"list": {"upto": upto, "wants": wants.to_bytes((len(listed) + 7) // 8, "little").hex(), "offers": offers}}


# ---- The vectors ----


def check_ids():
    vectors = load("ids.json")
    for case in vectors["networks"]:
        check(f"network {case['name']!r}", network_id(case["name"]).hex(), case["id"])
    for case in vectors["authors"]:
        check("author's space", author_space(case["key"]), case["space"])
        check("author as text", author_text(case["key"]), case["text"])
    for case in vectors["open_boards"]:
        check(f"open board {case['normalised']!r}", open_board(case["normalised"]), case["space"])
    for case in vectors["topics"]:
        network = network_id(case["network"])
        check("topic of a board", board_topic(network, case["space"]), case["as_board"])
        check("topic of an author", author_topic(network, case["space"]), case["as_author_space"])
    for case in vectors["author_topics"]:
        check("author topics", author_topics(network_id(case["network"])), case["topics"])
    for case in vectors["message_ids"]:
        check("message id", message_id(unhex(case["bytes"])), case["id"])
    for case in vectors["work"]:
        check("work", work_bits(case["id"]), case["bits"])


def check_names():
    for table in ("hidden", "marks"):
        flat = [code for span in NAMES[table] for code in span]
        check(f"the table {table} ascends", flat, sorted(flat))
    for case in NAMES["names"]:
        check(f"name {case['name']!r}", is_clean_name(case["name"], case["chars_max"]), case["is_clean"])
    for case in NAMES["boards"]:
        check(f"board name {case['name']!r}", normalised_board_name(case["name"]), case["normalised"])


def verdict(network, data, floor, body_bytes_max):
    try:
        event = Event(network, data)
        event.validate(floor, body_bytes_max)
    except Invalid as invalid:
        return invalid.code
    return 0


def check_events():
    vectors = load("events.json")
    network = network_id(vectors["network"])
    for case in vectors["events"]:
        data, name = unhex(case["bytes"]), case["name"]
        event = Event(network, data)
        check(f"{name}: encoded again", event.encoded().hex(), case["bytes"])
        check(f"{name}: verdict", verdict(network, data, 0, LIMITS["body_bytes_max"]), 0)
        signer = event.header["signer"]
        found = {
            "name": name,
            "bytes": case["bytes"],
            "id": event.id,
            "set": event.set,
            "work_bits": work_bits(event.id),
            "header_len": event.header_len,
            "signature": event.signature.hex(),
            "signer": signer if signer == "root" else signer["device"],
            "kind": {"word": event.word, "fields": event.fields},
            "body": event.body,
        }
        for field in ("version", "space", "author", "created_ms", "refs", "tag", "body_len", "commitment", "work"):
            found[field] = event.header[field]
        for field in sorted(found.keys() | case.keys()):
            check(f"{name}: {field}", found.get(field), case.get(field))
        bare = data[: event.header_len + 64]
        check(f"{name}: without its words", Event(network, bare).id, event.id)


def check_signatures():
    for case in load("signatures.json")["cases"]:
        message = preimage(case["domain"], network_id(case["network"]), unhex(case["message"]))
        found = is_signed(unhex(case["key"]), message, unhex(case["signature"]))
        check(f"signature: {case['name']}", found, case["valid"])


def check_invalid():
    vectors = load("invalid.json")
    network = network_id(vectors["network"])
    for case in vectors["cases"]:
        parts = [unhex(part) if isinstance(part, str) else unhex(part[0]) * part[1] for part in case["bytes"]]
        rules = case["rules"]
        found = verdict(network, b"".join(parts), rules["work_bits"], rules["body_bytes_max"])
        check(f"verdict: {case['name']}", found, case["code"])


def number_id(number):
    return blake3(U32.write(number)).digest()


def numbers_to_ids(fields):
    convert = {"root", "parent", "target"}
    fields = {name: number_id(value) if name in convert else value for name, value in fields.items()}
    if "targets" in fields:
        fields["targets"] = [number_id(target) for target in fields["targets"]]
    return fields


def check_threads():
    vectors = load("threads.json")
    numbers = {number_id(number): number for number in range(1000)}
    for case in vectors["threads"]:
        events = {}
        for event in case["events"]:
            kind = {"word": event["kind"]["word"], "fields": numbers_to_ids(event["kind"]["fields"])}
            refs = [number_id(ref) for ref in event["refs"]]
            events[number_id(event["id"])] = {**event, "refs": refs, "kind": kind}
        nodes = resolve(number_id(case["root"]), events)
        missing = [numbers[name] for name in sorted(node["id"] for node in nodes if node["shown"] == "missing")]
        for node in nodes:
            node["id"] = numbers[node["id"]]
            node["parent"] = None if node["parent"] is None else numbers[node["parent"]]
        name = f"thread: {case['name']}"
        check(f"{name}: order", [node["id"] for node in nodes], [node["id"] for node in case["nodes"]])
        for found, expected in zip(nodes, case["nodes"]):
            check(f"{name}: node {expected['id']}", found, expected)
        check(f"{name}: missing", missing, case["missing"])
    for case in vectors["profiles"]:
        events = [
            {**event, "id": number_id(event["id"]), "refs": [number_id(ref) for ref in event["refs"]]}
            for event in case["events"]
        ]
        found = profile_in_force(events)
        check(f"profile: {case['name']}", numbers[found["id"]] if found else None, case["in_force"])
        check(f"profile: {case['name']}: name", found["body"]["name"] if found else None, case["shown_name"])


def check_sync():
    vectors = load("sync.json")
    types = {"u8": U8, "u16": U16, "u32": U32, "u64": U64}
    for case in vectors["varints"]:
        kind = types[case["type"]]
        check("compact integer", decode(kind, unhex(case["bytes"]), compact=True), case["value"])
        check("compact integer, encoded again", kind.write(case["value"], True).hex(), case["bytes"])
    for case in vectors["not_varints"]:
        check_refused("compact integer", lambda: decode(types[case["type"]], unhex(case["bytes"]), compact=True))
    for kind, cases in ((REQUEST, vectors["requests"]), (RESPONSE, vectors["responses"])):
        for case in cases:
            message = read_message(kind, unhex(case["bytes"]))
            check("message", message, case["message"])
            check("message, encoded again", kind.write(message, True).hex(), case["bytes"])
    for case in vectors["malformed"]:
        head, (byte, times) = case["bytes"]
        for kind in (REQUEST, RESPONSE):
            data = unhex(head) + unhex(byte) * times
            check_refused(f"message: {case['name']}", lambda: read_message(kind, data))
    for case in vectors["greetings"]:
        key = salt_key(case["salt"])
        check("key of a salt", key.hex(), case["key"])
        check("tag", space_tag(key, case["space"]), case["tag"])
        check("hint", digest_hint(key, case["digest"]), case["hint"])


def check_refused(what, read):
    try:
        found = read()
    except Malformed:
        found = "malformed"
    check(what, found, "malformed")


INVITATION = Struct(
    network=String(), issued_ms=U64, expires_ms=U64, addresses=List(Bytes()), others=List(Bytes()),
    board=Enum(open=Struct(name=String()), charter=Struct(board=ID, name=String(), title=String())),
    stewards=List(ID), authors=List(ID),
)


def invitation_fits(said):
    board = said["board"]
    if "open" in board:
        board_fits = normalised_board_name(board["open"]["name"]) == board["open"]["name"]
    else:
        name, title = board["charter"]["name"], board["charter"]["title"].encode("utf-8")
        board_fits = is_clean_name(name, LIMITS["name_chars_max"]) and len(title) <= LIMITS["title_bytes_max"]
    address_bytes_max = LIMITS["invite_address_bytes_max"]
    return (
        board_fits
        and is_clean_name(said["network"], LIMITS["network_name_chars_max"])
        and 1 <= said["expires_ms"] - said["issued_ms"] <= LIMITS["invite_life_ms_max"]
        and len(said["addresses"]) <= LIMITS["invite_addresses_max"]
        and len(said["others"]) <= LIMITS["invite_others_max"]
        and all(1 <= len(unhex(address)) <= address_bytes_max for address in said["addresses"] + said["others"])
        and max(len(said["stewards"]), len(said["authors"])) <= LIMITS["invite_keys_max"]
    )


def read_invite(text, now_ms):
    """The inviter and the invitation, or why there is none."""
    text = text.strip(" \t\r\n\f")
    if text[:5].lower() != "roda:":
        return "no invite"
    digits = re.sub("[ \t\r\n\f]", "", text[5:]).upper()
    try:
        data = base64.b32decode(digits + "=" * (-len(digits) % 8))
    except ValueError:
        return "malformed"
    if base64.b32encode(data).decode().rstrip("=") != digits or not 1 <= len(data) <= LIMITS["invite_bytes_max"]:
        return "malformed"
    if data[0] != 1:
        return "other version"
    signed, signature = data[:-64], data[-64:]
    try:
        said = decode(INVITATION, signed[33:], compact=True)
    except Malformed:
        return "malformed"
    if len(signed) < 33 or not invitation_fits(said):
        return "malformed"
    if not is_signed(signed[1:33], preimage("roda/1/invite", network_id(said["network"]), signed), signature):
        return "forged"
    return (signed[1:33].hex(), said) if now_ms < said["expires_ms"] else "expired"


def check_invites():
    vectors = load("invites.json")
    for case in vectors["invites"]:
        what, said, text = f"invite: {case['name']}", case["invitation"], case["text"]
        check(what, read_invite(text, vectors["now_ms"]), (case["inviter"], said))
        spaced = "\n".join(text.upper()[at : at + 60] for at in range(0, len(text), 60))
        check(f"{what}, in capitals and lines", read_invite(spaced, vectors["now_ms"]), (case["inviter"], said))
        check(f"{what}, encoded", INVITATION.write(said, True).hex(), case["said"])
        board = said["board"]
        space = open_board(board["open"]["name"]) if "open" in board else board["charter"]["board"]
        check(f"{what}, its board", space, case["board"])
        signed = b"\1" + public_key(unhex(case["seed"])) + unhex(case["said"])
        data = signed + sign(unhex(case["seed"]), preimage("roda/1/invite", network_id(said["network"]), signed))
        check(f"{what}, made", "roda:" + base64.b32encode(data).decode().rstrip("=").lower(), text)
    for case in vectors["refused"]:
        check(f"invite: {case['name']}", read_invite(case["text"], case["now_ms"]), case["why"])


def members_of(rule):
    numbers = range(rule["first"], rule["first"] + rule["count"])
    return [(number * rule["step_ms"], number_id(number)) for number in numbers] + [
        (time, unhex(name)) for time, name in rule["more"]
    ]


def epochs_of(rule):
    epochs = {}
    for member in members_of(rule):
        epoch, place = place_of(member)
        epochs.setdefault(epoch, []).append(place)
    return dict(sorted(epochs.items()))


def place_json(value):
    return value[0], unhex(value[1])


def check_sets():
    vectors = load("reconcile.json")
    for case in vectors["lthash"]:
        state = lthash([number_id(number) for number in range(case["members"])])
        check("LtHash", blake3(state).hexdigest(), case["state_blake3"])
        check("LtHash, first lanes", state[:32].hex(), case["first_lanes"])
        check("LtHash, last lanes", state[-32:].hex(), case["last_lanes"])
    for case in vectors["digests"]:
        key = salt_key(case["salt"])
        check("digest", digest(key, [name for _, name in members_of(case["set"])]).hex(), case["digest"])
        entries = [
            {"epoch": epoch, "count": len(places), "fingerprint": digest(key, [name for _, name in places])[:8].hex()}
            for epoch, places in epochs_of(case["set"]).items()
        ]
        check("epochs", entries, case["epochs"])
    for case in vectors["epochs"]:
        epoch, place = place_of((case["time_ms"], unhex(case["id"])))
        first, end = short_range(short(place))
        found = {"epoch": epoch, "offset_ms": place[0], "short": short_hex(place)}
        found.update(first=bound_of(first), end=bound_of(end))
        check("epoch of a time", found, {name: case[name] for name in found})
        check("a short name's range holds its member", first <= place < end, True)
    for case in vectors["bounds"]:
        bound = bound_of(between(place_json(case["before"]), place_json(case["member"])))
        check("place between", bound, case["between"])
        check("bound, encoded", BOUND.write(bound, True).hex(), case["bytes"])
    for case in vectors["fingerprints"]:
        key, ids = salt_key(case["salt"]), [unhex(name) for name in case["ids"]]
        check("sum", sum_of(ids).hex(), case["sum"])
        check("fingerprint", fingerprint(key, ids), case["fingerprint"])
        check("salted names", [salted_name(key, (0, name)) for name in ids], case["salted_names"])
    for case in vectors["mappings"]:
        name = int(case["name"], 16)
        check("check of a name", name_check(name), case["check"])
        check("symbols of a name", list(indices(name, LIMITS["symbols_max"])), case["indices"])
    for case in vectors["sketches"]:
        names = [int(name, 16) for name in case["names"]]
        check("sketch", symbols_to_bytes(sketch(names, len(case["symbols"]) // 26)).hex(), case["symbols"])
    for case in vectors["peels"]:
        found = peel(symbols_from_bytes(unhex(case["ours"])), symbols_from_bytes(unhex(case["theirs"])))
        if found:
            found = {side: [name.to_bytes(8, "big").hex() for name in names] for side, names in zip(("ours", "theirs"), found)}
        check("peeled", found, case["found"])


def check_comparisons():
    for case in load("reconcile.json")["comparisons"]:
        key = salt_key(case["salt"])
        theirs = {epoch: Epoch(places, key) for epoch, places in epochs_of(case["theirs"]).items()}
        ours = {epoch: Epoch(places, key) for epoch, places in epochs_of(case["ours"]).items()} if "ours" in case else {}
        for number, step in enumerate(case["rounds"]):
            what = f"comparison: {case['name']}: round {number}"
            probes = decode(List(PROBE), unhex(step["probes"]), compact=True)
            findings = [theirs.get(probe["epoch"], Epoch([], key)).find(probe) for probe in probes]
            data = List(FINDING).write(findings, True)
            expected = step["findings"]
            found = data.hex() if isinstance(expected, str) else {"bytes": len(data), "blake3": blake3(data).hexdigest()}
            check(what, found, expected)
            for probe in probes if ours else []:
                check_probe(what, ours.get(probe["epoch"], Epoch([], key)), probe)


def check_probe(what, epoch, probe):
    """What the asking side says of its own set."""
    kind, ask = next(iter(probe["ask"].items()))
    lower = place_at(probe["lower"])
    if kind == "split":
        upper = place_at(ask[-1]["upper"])
        check(f"{what}: parts", ask, epoch.split(lower, upper) if len(ask) > 1 else [epoch.part(lower, upper)])
    elif kind != "sketch":
        members = epoch.range(lower, place_at(ask["upper"]))
        names = [short_hex(place) if kind == "list" else salted_name(epoch.key, place) for place in members]
        check(f"{what}: members", ask["members"], list(dict.fromkeys(names)))


def check_example():
    section = SPECIFICATION.split("## 16. A worked example")[1].split("## 17.")[0]
    rows = re.findall(r"^\| (\d+) \| `([0-9a-f]+)` \| (.*) \|$", section, re.MULTILINE)
    offset = 0
    for at, data, what in rows:
        check(f"example: offset of {what}", int(at), offset)
        offset += len(data) // 2
    data = unhex("".join(data for _, data, _ in rows))
    derived = dict(re.findall(r"^\| ([a-z ]+) \| `(.+)` \|$", section, re.MULTILINE))
    network = network_id("roda-main")
    check("example: verdict", verdict(network, data, LIMITS["work_bits_default"], LIMITS["body_bytes_max"]), 0)
    event = Event(network, data)
    check("example: encoded again", event.encoded(), data)
    check("example: space", event.header["space"], open_board("cooking"))
    found = {
        "network": network.hex(),
        "header length": str(event.header_len),
        "event id": event.id,
        "work hash": derive("roda/1/work", unhex(event.id)).hex(),
        "work bits": str(work_bits(event.id)),
        "gossip message id": message_id(data),
        "topic": board_topic(network, event.set),
    }
    check("example: derived", {name: derived.get(name) for name in found}, found)
    root, device = b"\1" * 32, b"\2" * 32
    signer = event.header["signer"]["device"]
    check("example: author", public_key(root).hex(), event.header["author"])
    check("example: device", public_key(device).hex(), signer["device"])
    certified = preimage("roda/1/device", network, device_message(signer["device"], signer["expires_ms"]))
    check("example: certificate", sign(root, certified).hex(), signer["certificate"])
    message = preimage("roda/1/event", network, data[: event.header_len])
    check("example: signature", sign(device, message), event.signature)


def main():
    for part in (
        check_example, check_ids, check_names, check_events, check_signatures, check_invalid, check_threads, check_sync,
        check_sets, check_comparisons, check_invites,
    ):
        before = passed + len(failures)
        try:
            part()
        except (AssertionError, IndexError, Invalid, KeyError, Malformed, TypeError, ValueError) as error:
            failures.append(f"{part.__name__} stopped: {type(error).__name__}: {error}")
        if passed + len(failures) == before:
            failures.append(f"{part.__name__} found nothing to check")
    for failure in failures[:20]:
        print(f"differs: {failure}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} checks failed, {passed} passed", file=sys.stderr)
        return 1
    print(f"{passed} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
