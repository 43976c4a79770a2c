"""Regions of an airssys bus, read from outside: header, directory, schemas, and the messages of a link.

Everything here follows docs/memory-layout.md (layout version 2). Nothing is written: files are mapped read-only, and neither
end of a link knows of its reader. See README.md beside this file for what Python can promise and what it can't.
"""

import mmap
import os
import platform
import stat
import struct
from collections import namedtuple

import numpy as np

VERSION = 2
HEADER_LEN = 128
ENTRY_LEN = 48
STRINGS_LEN_MAX = 16 << 20
SECTIONS_MAX = 65_536
WORD = 8

KINDS = {1: "pulse", 2: "doorbells", 3: "actor", 4: "cell", 5: "ring", 6: "credit", 7: "command", 8: "latency", 9: "hints", 10: "undo", 11: "vector",
         12: "last", 13: "map", 14: "table", 15: "blame", 16: "clock", 17: "instance", 18: "panic"}

# Words of a ring section, in words of eight bytes.
RING_CLOSE, RING_RESERVED, RING_TAIL, RING_WORDS = 0, 16, 32, 48

Section = namedtuple("Section", "kind name offset len count stride schema")


class RegionError(Exception):
    """A file that is no region, or one that this reader doesn't know how to read."""


def bus_directory(bus):
    """The directory of a bus, by its name or by its path."""
    if "/" in bus:
        return bus
    return f"/dev/shm/airssys-{os.getuid()}/{bus}"


def fnv1a64(data):
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return digest


class Region:
    """One region file: validated, then mapped read-only."""

    def __init__(self, path):
        self.path = path
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(path, flags)
        try:
            status = os.fstat(fd)
            self._check(stat.S_ISREG(status.st_mode), "not a regular file")
            self._check(status.st_uid == os.geteuid(), f"belongs to user {status.st_uid}")
            self.inode = status.st_ino
            self._read(fd, status.st_size)
            memory = mmap.mmap(fd, status.st_size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self.bytes = np.frombuffer(memory, dtype=np.uint8)
        self.words = np.frombuffer(memory, dtype=np.uint64)

    def _check(self, holds, problem):
        if not holds:
            raise RegionError(f"{self.path}: {problem}")

    def _read(self, fd, size):
        """Header, directory and strings: read, not mapped, and checked against the file's size."""
        self._check(size >= HEADER_LEN, f"{size} bytes are fewer than a header has")
        header = os.pread(fd, HEADER_LEN, 0)
        self._check(header[:8] == b"AirsRegn", "not a region file")
        fields = struct.unpack("=4x4x4I Q 16s 6Q 2I 16s Q", header)
        mark, version, header_len, entry_len, file_len, self.boot_id, self.digest = fields[:7]
        directory, entries, directory_len, strings, strings_len = fields[7:12]
        bus_len, owner_len, zero, checksum = fields[12:]
        self._check(mark == 0x01020304, "written on a machine of the other byte order")
        self._check(version == VERSION, f"layout version {version}, this program reads {VERSION}")
        self._check((header_len, entry_len) == (HEADER_LEN, ENTRY_LEN), "the header is damaged: its own lengths")
        self._check(file_len == size, f"has {size} bytes, its header says {file_len}")
        self._check(entries <= SECTIONS_MAX and strings_len <= STRINGS_LEN_MAX, "the header is damaged: its limits")
        places = (HEADER_LEN, entries * ENTRY_LEN, HEADER_LEN + entries * ENTRY_LEN)
        self._check((directory, directory_len, strings) == places, "the header is damaged: where its parts are")
        self._check(zero == bytes(16), "the header is damaged: bytes that are zero")
        end = strings + strings_len
        self._check(end <= size, "the header is damaged: it is longer than the file")
        rest = os.pread(fd, end - HEADER_LEN, HEADER_LEN)
        self._check(len(rest) == end - HEADER_LEN, "cut off while it was read")
        sealed = header[:120] + bytes(8) + rest
        self._check(fnv1a64(sealed) == checksum, "the checksum is wrong: header, directory or strings are damaged")
        self._sections(rest[:directory_len], rest[directory_len:], (bus_len, owner_len), size)

    def _sections(self, directory, strings, names, size):
        at = 0

        def take(length):
            nonlocal at
            self._check(at + length <= len(strings), "the directory is damaged: its strings")
            at += length
            return strings[at - length : at].decode()

        self.bus, self.owner = (take(length) for length in names)
        self.sections = {}
        for entry in struct.iter_unpack("=2I 4Q 2I", directory):
            number, align, offset, length, count, stride, name_len, schema_len = entry
            name, schema = take(name_len), take(schema_len)
            self._check(offset % max(128, align) == 0, f"section `{name}` isn't aligned")
            self._check(HEADER_LEN <= offset and offset + length <= size, f"section `{name}` isn't in the file")
            self._check(count * stride <= length, f"the items of section `{name}` aren't in it")
            kind = KINDS.get(number, str(number))
            self.sections[kind, name] = Section(kind, name, offset, length, count, stride, schema)

    def load(self, offset):
        """One word of eight bytes. NumPy loads an aligned one whole."""
        return int(self.words[offset // WORD])

    def is_gone(self):
        """Whether its file is another one by now, or none: the bus has ended."""
        try:
            return os.stat(self.path).st_ino != self.inode
        except FileNotFoundError:
            return True


def regions(directory):
    """Every region of a bus."""
    names = sorted(name for name in os.listdir(directory) if name.endswith(".region") and not name.startswith("."))
    return [Region(os.path.join(directory, name)) for name in names]


# --- Schemas ---


class _Types:
    """A type's text, from left to right."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def until(self, *ends):
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ends:
            self.at += 1
        return self.text[start : self.at]

    def expect(self, token):
        if not self.text.startswith(token, self.at):
            raise RegionError(f"schema: `{self.text}`, at {self.at}: expected `{token}`")
        self.at += len(token)

    def type(self):
        if self.text.startswith("[", self.at):
            self.expect("[")
            element = self.type()
            self.expect("; ")
            count = int(self.until("]"))
            self.expect("]")
            return np.dtype((element, (count,)))
        name = self.until("{", ",", "}", ";", "@", "]")
        if not self.text.startswith("{", self.at):
            return primitive(name)
        fields = []
        while self.text.startswith(("{", ","), self.at):
            self.at += 1
            field = self.until(":")
            self.expect(":")
            kind = self.type()
            self.expect("@")
            fields.append((field, kind, int(self.until(",", "}"))))
        self.expect("}")
        return struct_type(fields, sum(kind.itemsize for _, kind, _ in fields))


def primitive(name):
    if name[:1] not in ("u", "i", "f") or name[1:] not in ("8", "16", "32", "64"):
        raise RegionError(f"schema: `{name}` is no type that this reader knows")
    return np.dtype(f"={name[0]}{int(name[1:]) // 8}")


def struct_type(fields, size):
    names, formats, offsets = zip(*fields)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


def parse_type(text):
    types = _Types(text)
    parsed = types.type()
    if types.at != len(text):
        raise RegionError(f"schema: `{text}` goes on after its type")
    return parsed


def dtype_of(schema):
    """The name of a message, and its NumPy type."""
    first, *leaves = schema.splitlines()
    name, size, _align = first.rsplit(" ", 2)
    if not leaves:
        return name, parse_type(name)
    fields = []
    for leaf in leaves:
        path, rest = leaf.split(" ", 1)
        kind, offset = rest.rsplit(" ", 1)
        fields.append((path, parse_type(kind), int(offset)))
    dtype = struct_type(fields, int(size))
    if any(offset + kind.itemsize > dtype.itemsize for _, kind, offset in fields):
        raise RegionError(f"schema of `{name}`: a field lies outside of it")
    return name, dtype


def plain(value):
    """A NumPy value as numbers, lists and dicts; fields of nested messages, `outer.inner`, as dicts in dicts."""
    if isinstance(value, np.void):
        fields = {}
        for path in value.dtype.names:
            *outer, last = path.split(".")
            inside = fields
            for name in outer:
                inside = inside.setdefault(name, {})
            inside[last] = plain(value[path])
        return fields
    if isinstance(value, np.ndarray):
        return [plain(element) for element in value]
    number = value.item()
    # JSON has no such numbers.
    return number if np.isfinite(number) else str(number)


# --- Links ---

Message = namedtuple("Message", "position value sent_ns")
Missed = namedtuple("Missed", "position count")


class Observer:
    """Looks at a link's messages, from the oldest that is left."""

    def __init__(self, directory, link):
        if platform.machine() not in ("x86_64", "AMD64"):
            raise RegionError(f"on {platform.machine()} a look needs fences that Python doesn't have; see README.md")
        found = regions(directory)
        sender = [region for region in found if ("ring", link) in region.sections]
        receiver = [region for region in found if ("credit", link) in region.sections]
        if len(sender) != 1 or len(receiver) != 1:
            known = sorted(name for region in found for kind, name in region.sections if kind == "ring")
            raise RegionError(f"{directory}: there is no link `{link}`; it has: {', '.join(known)}")
        self.region = sender[0]
        section = self.region.sections["ring", link]
        self.start, self.capacity, self.stride = section.offset, section.count, section.stride
        self.message, self.dtype = dtype_of(section.schema)
        self.stamped = ("latency", link) in receiver[0].sections
        self._shape(section)
        self.position = max(0, self.reserved() - self.capacity)

    def _shape(self, section):
        size = self.dtype.itemsize
        tail = 2 * WORD if self.stamped else WORD
        self.contiguous = self.stride == -size % WORD + size
        sequenced = self.stride % 16 == 0 and self.stride >= size + tail
        self.slots = self.start + section.len - self.capacity * self.stride
        holds = self.capacity > 0 and self.capacity & (self.capacity - 1) == 0
        if not (holds and (self.contiguous or sequenced) and self.slots >= self.start + RING_WORDS * WORD):
            raise RegionError(f"{self.region.path}: slots of {self.stride} bytes don't hold `{self.message}`")

    def _word(self, index):
        return self.region.load(self.start + index * WORD)

    def reserved(self):
        return self._word(RING_RESERVED)

    def is_closed(self):
        """Whether the sender has ended and everything that it sent lies below the position."""
        return self._word(RING_CLOSE) == self.position + 1

    def _ahead(self, slot):
        """How far what is published is ahead of the position's message: negative if that isn't there yet."""
        if self.contiguous:
            ahead = self._word(RING_TAIL) - (self.position + 1)
        else:
            ahead = self.region.load(slot + self.stride - WORD) - (self.position + 1)
        # Words wrap.
        return (ahead + (1 << 63)) % (1 << 64) - (1 << 63)

    def next(self):
        """The next `Message`, `Missed`, or None if there is none yet.

        The copy is made while the sender may be overwriting it, and judged afterwards, by `reserved`.
        """
        position = self.position
        slot = self.slots + position % self.capacity * self.stride
        ahead = self._ahead(slot)
        if ahead < 0:
            return None
        if ahead == 0 or self.contiguous:
            copied = self.region.bytes[slot : slot + self.dtype.itemsize].copy()
            sent_ns = self.region.load(slot + self.stride - 2 * WORD) if self.stamped else None
            if position + self.capacity >= self.reserved():
                self.position += 1
                return Message(position, plain(copied.view(self.dtype)[0]), sent_ns)
        # At the oldest that is left a reader of this speed would be lapped again at once: it goes on amidst.
        self.position = max(position + 1, self.reserved() - self.capacity // 2)
        return Missed(position, self.position - position)
