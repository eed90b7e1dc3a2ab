# Python in WebAssembly: built into a component by `scripts/python_wasi.sh`, with everything below
# imported already. Each script has a fresh instance of it. There are no threads, no sockets, no
# files and no C extensions but those that are built in.
import abc, argparse, array, ast, asyncio, base64, binascii, bisect, builtins, calendar, cmath, codecs
import collections, collections.abc, colorsys, configparser, contextlib, contextvars, copy, csv
import dataclasses, datetime, decimal, difflib, email, email.message, email.parser, email.utils, enum
import errno, fnmatch, fractions, functools, gc, getpass, glob, graphlib, gzip, hashlib, heapq, hmac
import html, html.entities, html.parser, http, http.client, http.cookies, importlib.resources, inspect
import io, zoneinfo._common
import ipaddress, itertools, json, keyword, linecache, locale, logging, math, mimetypes, numbers
import opcode, operator, os, pathlib, pickle, platform, posixpath, pprint, queue, quopri, random, re
import reprlib, sched, secrets, shlex, shutil, signal, socket, sqlite3, stat, statistics, string
import stringprep, struct, subprocess, sys, tempfile, textwrap, threading, time, timeit, token
import tokenize, tomllib, traceback, types, typing, unicodedata, unittest, urllib.error, urllib.parse
import urllib.request, uuid, warnings, weakref, wsgiref, xml.dom.minidom, xml.etree.ElementTree
import xml.sax, xml.sax.saxutils, zipfile, zlib, zoneinfo
import concurrent.futures, concurrent.futures.thread, concurrent.futures._base
import encodings.ascii, encodings.cp1252, encodings.idna, encodings.latin_1, encodings.punycode
import encodings.utf_8, encodings.utf_8_sig, encodings.utf_16, encodings.utf_32, encodings.cp437

import contract
import wit_world

MIB = 1 << 20

contract.MISSING = ("scripts on `runtime: wasi` have the usual modules of the standard library and "
                    "no packages; leave `runtime` out for the host's Python")


class Waiting:
    """What an event loop waits with: there is nothing here to wait for but time."""

    def select(self, timeout):
        if timeout is None:
            raise contract.Wrong("the script waits for something that never happens",
                                 "a task is never done, and nothing is left that could end it")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self):
        pass


class Loop(asyncio.BaseEventLoop):
    """Python's own event loops wake themselves up by sockets, which are not there."""

    def __init__(self):
        super().__init__()
        self._selector = Waiting()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


asyncio.new_event_loop = asyncio.events.new_event_loop = Loop


# Time zones are files elsewhere; here they are in memory.
def zones():
    found, folder = {}, importlib.resources.files("tzdata").joinpath("zones").read_text().split()
    for name in folder:
        found[name] = importlib.resources.files("tzdata.zoneinfo").joinpath(name).read_bytes()
    return found


ZONES = zones()


def zone(key):
    if key not in ZONES:
        raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")
    return io.BytesIO(ZONES[key])


zoneinfo._common.load_tzdata = zone
zoneinfo.available_timezones = lambda: set(ZONES)


def send(kind, data):
    descriptor = 1 if kind == b"o" else 2
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]


class WitWorld(wit_world.WitWorld):
    def run(self, job):
        told = json.loads(job)
        random.seed()
        return contract.perform(told["source"], told["variables"], send, MIB)


# What is used for the first time takes longer.
contract.perform("import re\ndef f(x):\n  return re.sub('a', 'b', x)\nreturn {'a': f('aa'), 'b': [1.5]}", {}, lambda *_: None, 0)
contract.perform("import asyncio\nawait asyncio.sleep(0)\nraise ValueError('x')", {}, lambda *_: None, 0)
sys.stdout = sys.__stdout__ = sys.stderr = sys.__stderr__ = None
linecache.clearcache()
gc.collect()
gc.freeze()
