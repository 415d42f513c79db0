#!/usr/bin/env python3
"""Checks an evidence bundle of inferlog: Python 3.8 or later, nothing to install, no network.

    python3 verify.py bundle.zip --key VKEY     with a log's verifier key (or a file of keys) from somebody you trust
    python3 verify.py                           inside the folder of an unpacked bundle

It shows that every record stands, byte for byte, in a log of which somebody signed the state, and that disclosed content is
the content that was recorded. It cannot show that nothing was left out, nor whose a key is: without --key it believes the
keys in the bundle, and says so. Of a timestamp it shows what is timestamped, not by whom, and prints the command that does.
It does not make report.html again; `inferlog verify --bundle` does. Whoever altered a bundle could alter the copy of this
program in it: take yours from where you trust it. docs/bundle.md and docs/format.md define all that is read here.
Ends with status 0 if all is good, with 1 if a fault was found, with 2 if it could not be checked.
"""

import argparse, base64, collections, contextlib, hashlib, hmac, itertools
import json, os, re, stat, sys, types, zipfile

CHECKS = "files manifest checkpoint cosignatures timestamps entries openings sealed shared summary report".split()
NOT_PROVED = ("that nothing was left out: a bundle proves what is in it",
              "that what was recorded is true: the record says what a system took and gave, as it was written at the time",
              "what stands in content that is not disclosed: only that it has not changed since")
FILE_BYTES_MAX = 1 << 29  # one file is in memory at a time
FILES_MAX, BUNDLE_BYTES_MAX, NOTE_BYTES_MAX, FAULTS_LISTED_MAX = 1 << 18, 1 << 36, 1 << 20, 1000

UNLISTED = {"SHA256SUMS", "manifest", "report.html", "report.note"}
REQUIRED = {"README.txt", "bundle.json", "decisions.json", "docs/bundle.md", "docs/format.md", "verify.py", *UNLISTED}
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
DIGEST, NUMBER, TEXT = r"[0-9a-f]{64}", r"(0|[1-9][0-9]{0,19})", r"(?s).*"
NAME = r"[^\s+\x00-\x1f]+"  # of a key
OTHERS = re.compile(rf"coverage\.json|logs/{NUMBER}/(checkpoint|keys|system\.json|openings\.json|timestamps/{NUMBER}\.tsr)"
                    rf"|(decisions|openings|sealed)/{ID}\.json|shared/{DIGEST}")

LIFE = {"erasure": {"intent": (ID,), "keys": ([TEXT],), "phase": (str,), "subjects": ([TEXT],)}, "hold.released": {"hold": ID},
        "hold.placed": {"hold": ID, "scope": (dict,)}, "purge": {"class": (str,), "first": int, "last": int, "what": (str,)}}
SCOPE = {"classes": ([TEXT],), "decisions": ([TEXT],), "from": (str,), "subjects": ([TEXT],), "to": (str,)}

class Unusable(Exception): """There is nothing that could be checked as a bundle."""
class Bad(Exception): """Something is not as it should be; the rest is checked all the same."""
class Unreadable(Bad): """A file that is missing or damaged: told once, as a fault of `files`."""

# ---- What is checked -------------------------------------------------------------------------------------------------

class Verifier:
    def __init__(self, bundle, keys, witnesses, held=None):
        self.bundle, self.given, self.witnesses, self.held = bundle, keys, witnesses, held
        self.facts, self.logs, self.rows, self.faults, self.fault_count, self.notices = {}, [], [], [], 0, []
        self.seen, self.failed, self.unchecked, self.events, self.counts = set(), set(), set(), set(), collections.Counter()
        self.life, self.named = {kind: [] for kind in LIFE}, {}
        self.unnamed = {path[len("shared/"):] for path in bundle.under("shared/")}

    def run(self):
        self.check_files()
        with self.at("files", "bundle.json"):
            self.read_facts()
        for log in self.logs:
            self.read_keys(log, log.folder + "keys")
            with self.at("checkpoint", log.folder + "checkpoint"):
                self.check_checkpoint(log, log.folder + "checkpoint")
            self.check_timestamps(log)
        self.check_statement("manifest", "manifest", "inferlog bundle v1", "SHA256SUMS")
        if self.held:
            with self.at("checkpoint", "the checkpoint you hold"):
                self.compare_held()
        for log in self.logs:
            self.check_story(None, log.folder + "system.json", log.folder + "openings.json", None)
        for path in self.bundle.under("decisions/"):
            decision = path[len("decisions/"):-len(".json")]
            self.check_story(decision, path, f"openings/{decision}.json", f"sealed/{decision}.json")
        for path in self.bundle.under("openings/") + self.bundle.under("sealed/"):
            if "decisions/" + path.partition("/")[2] not in self.bundle.sizes:
                self.fault(path.partition("/")[0], path, "the bundle has no entries of this decision")
        for path in self.bundle.under("shared/"):
            with self.at("shared", path):
                self.check_shared(path)
        with self.at("summary", "decisions.json"):
            self.check_summary()
        self.check_statement("report", "report.note", "inferlog bundle report v1", "report.html")
        self.notices += [f"{place} names the event {event}, which is not in the bundle"
                         for event, place in self.named.items() if event not in self.events]
        phases = [{each["intent"] for each in self.life["erasure"] if each["phase"] == phase} for phase in ("intent", "completed")]
        self.notices += [f"the erasure {intent} was announced, and nothing here says that it was completed" for intent in sorted(phases[0] - phases[1])]
        self.faults.sort(key=lambda fault: (CHECKS.index(fault["check"]), fault["file"]))

    @contextlib.contextmanager
    def at(self, check, path, place=None):
        """Whatever is bad within is a fault of this file, at this place, and ends there."""
        self.seen.add(check)
        try:
            yield
        except Bad as bad:
            if not isinstance(bad, Unreadable):
                self.fault(check, path, str(bad), place)

    def fault(self, check, path, what, place=None):
        self.failed.add(check)
        self.fault_count += 1
        if len(self.faults) < FAULTS_LISTED_MAX:
            self.faults.append({"check": check, "file": path, **({"place": place} if place else {}), "what": what})

    def check_files(self):
        """SHA256SUMS lists every file but the four that rest on it, and nothing else is there."""
        listed, last, text = {}, "", ""
        with self.at("files", "SHA256SUMS"):
            text = self.bundle.text("SHA256SUMS")
        for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), 1):
            with self.at("files", "SHA256SUMS", f"line {number}"):
                match = re.fullmatch(rf"({DIGEST})  ([^\n]+)\n", line)
                if not match or match[2] in UNLISTED or match[2] <= last:
                    raise Bad("is not `<SHA-256>  <path>`, in the order of the paths")
                last, listed[match[2]] = match[2], match[1]
        for path in sorted({*listed, *self.bundle.paths, *REQUIRED}):
            with self.at("files", path):
                if path not in self.bundle.sizes:
                    raise Bad("is missing")
                if path not in REQUIRED and not OTHERS.fullmatch(path):
                    raise Bad("is no file that a bundle has: nothing that it says is checked")
                if path not in {*UNLISTED, *listed} and "SHA256SUMS" in self.bundle.sizes:
                    raise Bad("SHA256SUMS does not list it: it was added")
                if self.bundle.sha256(path, Bad) != listed.get(path) and path in listed:
                    raise Bad("its SHA-256 is not the one that SHA256SUMS lists: it was changed")
        if "coverage.json" in self.bundle.sizes:
            with self.at("files", "coverage.json"):
                parse_json(self.bundle.text("coverage.json"), fractions=True)
        self.counts.update(files=len(self.bundle.paths), bytes=sum(self.bundle.sizes.values()))

    def read_facts(self):
        told = shaped(self.bundle.json("bundle.json"), build=str, decisions=int, disclosure=dict, format=int, logs=list)
        disclosure = shaped(told["disclosure"], classes=list, roles=list, sealed=bool)
        logs = [shaped(log, origin=str, root=str, size=int, timestamps=int) for log in told["logs"]]
        if not all(type(word) is str for word in disclosure["classes"] + disclosure["roles"]):
            raise Bad("names what is disclosed by other than texts")
        self.facts = told
        for number, log in enumerate(logs):
            more = {"folder": f"logs/{number}/", "text": None, "keys": [], "signers": [], "cosigners": []}
            self.logs.append(types.SimpleNamespace(**{**log, **more, "root": None}))
            with self.at("files", "bundle.json", f"logs[{number}]"):
                self.logs[-1].root = unbase64(log["root"], 32)
            for path in (f"logs/{number}/keys", f"logs/{number}/system.json"):
                if path not in self.bundle.sizes:
                    self.fault("files", path, "is missing")
        for path in self.bundle.under("logs/"):
            if not path.startswith(tuple(log.folder for log in self.logs)):
                self.fault("files", path, "bundle.json has no log of this number")
        if told["format"] != 1 or not logs or len({log["origin"] for log in logs}) < len(logs):
            raise Bad(f"is of format {told['format']}, of which this program reads 1, or has no log, or one twice")

    def read_keys(self, log, path):
        """The keys that the bundle has of a log. They count where the reader gives none: the bundle's own word."""
        with self.at("manifest", path):
            *lines, end = self.bundle.text(path).split("\n")
            if end:
                self.fault("manifest", path, "does not end in a newline")
            for number, line in enumerate(lines, 1):
                with self.at("manifest", path, f"line {number}"):
                    key = Key(line)
                    if key.name != log.origin or line in [known.vkey for known in log.keys]:
                        raise Bad(f"is a key of another log than {log.origin}, or stands there twice")
                    log.keys.append(key)
        if self.given:
            log.keys = [key for key in self.given if key.name == log.origin]

    def signed_by(self, note, log):
        """The keys of the log that signed a note; there has to be one."""
        found = signers(note, log.keys)
        if not found:
            whose = "key that you gave" if self.given else "key that the bundle lists"
            raise Bad(f"no {whose} of {log.origin} signed it; it is signed by {', '.join(name for name, _, _ in note[1])}")
        return found

    def check_statement(self, check, path, domain, about):
        """A note that states the SHA-256 of another file, signed by every log of the bundle."""
        with self.at(check, path):
            note = parse_note(self.bundle.text(path))
            if note[0] != f"{domain}\n{self.bundle.sha256(about)}\n":
                self.fault(check, path, f"does not state the SHA-256 that {about} has: one of the two was changed")
            for log in self.logs:
                if log.keys or not self.given:  # else it is told as a fault of the checkpoint alone
                    self.signed_by(note, log)
            if not self.logs:
                raise Bad("no log is known that could have signed it")

    def check_checkpoint(self, log, path):
        """The state of the log that every proof leads to; what witnesses signed stands in the same note."""
        if path not in self.bundle.sizes:
            raise Bad("is missing: no proof of this log leads to anything that was signed")
        note = parse_note(self.bundle.text(path))
        told, log.text = parse_checkpoint(note[0]), note[0]
        if self.witnesses or any(name != log.origin for name, _, _ in note[1]):
            with self.at("cosignatures", path):
                self.check_cosignatures(log, path, note)
        if told != (log.origin, log.size, log.root):
            self.fault("checkpoint", path, "origin, size and root hash are not those in bundle.json: one was changed")
        log.signers = self.signed_by(note, log)

    def check_cosignatures(self, log, path, note):
        for name in {name for name, _, _ in note[1]} - {log.origin, *(key.name for key in self.witnesses)}:
            self.unchecked.add("cosignatures")
            self.notices.append(f"{path}: the cosignature of {name} was not checked: give its key with --witness")
        log.cosigners = signers(note, self.witnesses)
        if self.witnesses and not log.cosigners:
            raise Bad("none of the witnesses whose keys you gave cosigned it")

    def check_timestamps(self, log):
        there = self.bundle.under(log.folder + "timestamps/")
        expected = {f"{log.folder}timestamps/{number}.tsr" for number in range(min(log.timestamps, len(there) + 1))}
        for path in sorted(expected ^ set(there)):
            self.fault("timestamps", path, f"bundle.json tells of {log.timestamps} timestamps; these are others")
        for path in there:
            with self.at("timestamps", path):
                imprint, time = read_timestamp(self.bundle.read(path))
                if log.text is None or imprint != sha256(log.text.encode()):
                    raise Bad("is a timestamp of something other than this checkpoint's text")
                self.unchecked.add("timestamps")
                self.notices.append(
                    f"{path}: the checkpoint existed at {time}, says an authority whose signature was not checked. To check it: "
                    f"sed '/^$/,$d' {log.folder}checkpoint >text; openssl ts -verify -in {path} -data text -CAfile ROOTS.pem")

    def compare_held(self):
        """The checkpoint that the reader kept. A bundle can only be held against one of the same size."""
        note = parse_note(self.held)
        origin, size, root = parse_checkpoint(note[0])
        log = next((log for log in self.logs if log.origin == origin), None)
        if log is None:
            raise Bad(f"is of {origin}, which is no log of this bundle")
        self.signed_by(note, log)
        if size == log.size and root != log.root:
            raise Bad(f"has another root hash at the same size {size}: its log shows different records to different readers")
        cannot = f"the bundle's has {log.size}, and a bundle alone cannot show that one grew into the other"
        self.notices.append(f"the checkpoint you hold has {size} entries: {'it is the same' if size == log.size else cannot}")

    def check_story(self, decision, path, openings, sealed):
        """The entries of one decision, each proved under the checkpoint, and the files with content of its payloads."""
        story = Story(decision)
        self.each("entries", path, story, self.check_entry, index=int, log=int, entry=str, proof=list)
        for place, what in story.missing_parts() if decision else ():
            self.fault("entries", path, what, place)
        for life in story.life:
            self.learn(*life)
        self.each("openings", openings, story, self.check_opening, payload=ID, base64=(str,), data_key=str, text=(str,))
        if decision:
            if self.facts and (sealed in self.bundle.sizes) != self.facts["disclosure"]["sealed"]:
                self.fault("sealed", sealed, "is there, or is not, other than bundle.json says")
            self.each("sealed", sealed, story, self.check_sealed, payload=ID, base64=str)
        self.count(path, story)

    def each(self, check, path, story, does, **shape):
        """Runs a check on every item of a file of entries or of content."""
        if not path or path not in self.bundle.sizes:
            return
        with self.at(check, path):
            told = shaped(self.bundle.json(path), decision=(ID,), **{check: list})
            items = [shaped(item, **shape) for item in told[check]]
            if told["decision"] != story.decision:
                self.fault(check, path, "is of another decision than its name says")
            if not items and (story.decision or check == "openings") and check != "sealed":
                self.fault(check, path, "there is nothing in it")
            seen = set()
            for item in items:
                place = f"payload {item['payload']}" if "payload" in item else f"log {item['log']}, entry {item['index']}"
                with self.at(check, path, place):
                    if place in seen and check != "entries":
                        raise Bad("stands there twice")
                    seen.add(place)
                    does(item, story)

    def check_entry(self, item, story):
        log, index, entry = item["log"], item["index"], item["entry"]
        is_next, story.last = (log, index) > story.last, (log, index)
        problems = story.add(log, index, parse_json(entry, canonical=True))
        self.unnamed.difference_update(re.findall(f'"({DIGEST})"', entry))
        if not is_next:
            raise Bad("does not come after the entry before it, or stands there twice")
        if log >= len(self.logs) or index >= self.logs[log].size:
            raise Bad("is covered by no checkpoint of the bundle")
        if root_of(item["proof"], index, self.logs[log].size, sha256(b"\0" + entry.encode())) != self.logs[log].root:
            raise Bad("its proof does not lead to the checkpoint's root hash: it was changed, or never stood in the log")
        if problems:
            raise Bad("; ".join(problems))

    def check_opening(self, item, story):
        reference = story.sealed(item["payload"])
        if (item["base64"] is None) == (item["text"] is None) or not re.fullmatch(DIGEST, item["data_key"]):
            raise Bad("has not one content and one key")
        content = unbase64(item["base64"]) if item["text"] is None else item["text"].encode()
        if commitment(bytes.fromhex(item["data_key"]), content) != reference["commitment"]:
            raise Bad("is not the content that was recorded, or not its key")
        if self.is_erased(reference):
            raise Bad("is disclosed, though an erasure destroyed its key")
        if self.facts and not is_covered(self.facts["disclosure"], reference["class"], story.roles[item["payload"]]):
            raise Bad("is disclosed, and bundle.json does not say so of its role and class")
        story.opened.add(item["payload"])

    def check_sealed(self, item, story):
        if sha256(unbase64(item["base64"])).hex() != story.sealed(item["payload"])["sealed"]:
            raise Bad("is not the sealed content that was recorded")
        self.counts["sealed"] += 1

    def is_erased(self, ref):
        """Whether an erasure in the bundle destroyed the key of this content: it names key or person, came later, and spared it not."""
        told, names = self.life["erasure"], {ref["key_id"], *ref["subjects"]}
        spared = {each["intent"] for each in told if each["phase"] == "withheld" and ref["key_id"] in each["names"]}
        return ref["key_id"] is not None and any(  # in another log it is later in any case: keys are the node's
            each["phase"] not in ("withheld", "refused") and names & each["names"] and each["intent"] not in spared
            and (each["log"] != ref["log"] or each["index"] > ref["index"]) for each in told)

    def is_purged(self, ref, story):
        """Whether a purge in the bundle removed it: it covers class and entry, came later, and no hold kept the decision from it."""
        return ref["key_id"] is not None and any(
            each["log"] == ref["log"] and each["index"] > ref["index"] and each["first"] <= ref["index"] <= each["last"]
            and each["what"] != "entries" and each["class"] in (None, ref["retention"]) and not self.is_held(each, story)
            for each in self.life["purge"])

    def is_held(self, purge, story):
        """Whether a hold that stood then covers an event of the decision: of another log it is not known which came first."""
        before = {kind: [each for each in self.life[kind] if each["log"] != purge["log"] or each["index"] < purge["index"]] for kind in LIFE}
        released = {each["hold"] for each in before["hold.released"] if each["log"] == purge["log"]}
        return any(covers(told, story.decision, event) for told in before["hold.placed"] for event in story.facts
                   if told["hold"] not in released)

    def learn(self, log, index, event):
        """What the system's life says was erased, withheld, purged and held."""
        with contextlib.suppress(Bad):  # what is not understood says nothing; the entry itself is proved
            told = {"log": log, "index": index, **shaped(event["body"], True, **LIFE[event["kind"]])}
            told.update(names={*(told.get("keys") or []), *(told.get("subjects") or [])}, intent=told.get("intent") or event["id"])
            self.life[event["kind"]].append({**told, **shaped(told.get("scope") or {}, True, **SCOPE)})

    def count(self, path, story):
        """What became of the content, and what the decision's line in the summary has to be."""
        self.events.update(story.events)
        for event, place in story.named.items():
            self.named.setdefault(event, f"{path}, {place}")
        row = {"disclosed": len(story.opened), "entries": story.entries, "id": story.decision, "logged_at": story.logged_at,
               "outcome": story.outcome, "payloads": len(story.references), "system": story.system}
        self.counts["entries"] += story.entries
        if story.decision is None:
            self.counts.update(system_entries=story.entries, system_disclosed=len(story.opened))
            return
        self.rows.append(row)
        self.counts.update(decisions=1, payloads=len(story.references))
        for payload, reference in story.references.items():
            state = "purged" if self.is_purged(reference, story) else "shared" if reference["sha256"] else "undisclosed"
            self.counts["disclosed" if payload in story.opened else "erased" if self.is_erased(reference) else state] += 1
        self.counts.update(story.absent.values())

    def check_shared(self, path):
        self.counts["shared_files"] += 1
        if self.bundle.sha256(path) != path[len("shared/"):]:
            self.fault("shared", path, "its SHA-256 is not its name: it is not what the entries speak of")
        if path[len("shared/"):] in self.unnamed:
            raise Bad("no entry of the bundle names it")

    def check_summary(self):
        if self.facts and self.facts["decisions"] != len(self.rows):
            self.fault("summary", "bundle.json", f"it tells of {self.facts['decisions']} decisions; there are {len(self.rows)}")
        shape = {"disclosed": int, "entries": int, "id": ID, "logged_at": str, "outcome": (str,), "payloads": int, "system": str}
        told = self.bundle.json("decisions.json") if "decisions.json" in self.bundle.sizes else {"decisions": []}
        rows = [shaped(row, **shape) for row in shaped(told, decisions=list)["decisions"]]
        for told, found in itertools.zip_longest(rows, self.rows):
            if told != found:
                raise Bad(f"its line of decision {(told or found)['id']} is not what follows from the entries")

def covers(scope, decision, event):
    """Whether a hold's scope covers an event: it fits every member that is there."""
    has = {"classes": {event["retention"]}, "decisions": {decision}, "subjects": {*(event["subjects"] or [])}}
    is_in_time = (scope["from"] or "") <= event["logged_at"] and (scope["to"] is None or event["logged_at"] < scope["to"])
    return is_in_time and all(not scope[name] or has[name] & {*scope[name]} for name in has)

def is_covered(disclosure, data_class, roles):
    """Whether bundle.json says that content of this class and these roles is disclosed: `output.final`, `input.*`, `*`."""
    fits = [role for role in roles for pattern in disclosure["roles"]
            if pattern in ("*", role) or (pattern.endswith(".*") and role.startswith(pattern[:-1]))]
    return bool(fits) and (not disclosure["classes"] or data_class in disclosure["classes"])

class Story:
    """What the entries of one decision say, or those of the system's life (`decision` is None)."""

    ENTRY = {"decision": (ID,), "events": list, "of": (int,), "part": (int,), "v": int}
    EVENT = {"after": ([ID],), "body": (dict,), "id": ID, "kind": str, "logged_at": str, "parent": (ID,), "payloads": (list,),
             "retention": (str,), "subjects": ([TEXT],), "system": str}
    REFERENCE = {"class": (str,), "commitment": (DIGEST,), "first": (ID,), "key_id": (rf"{NUMBER}\.{NUMBER}",), "payload": ID,
                 "role": str, "sealed": (DIGEST,), "sha256": (DIGEST,), "state": str}

    def __init__(self, decision):
        self.decision, self.last, self.parts, self.life, self.entries = decision, (-1, -1), {}, [], 0
        self.logged_at, self.system, self.outcome = "", "", None
        self.references, self.absent, self.roles, self.opened = {}, {}, {}, set()
        self.events, self.named, self.facts = set(), {}, []

    def add(self, log, index, entry):
        """Takes the next entry. Returns what is wrong with it; what is no entry at all is refused as a whole."""
        told = shaped(entry, True, **self.ENTRY)
        part, of = (1 if told[name] is None else told[name] for name in ("part", "of"))
        events = [shaped(event, True, **self.EVENT) for event in told["events"]]
        for event in events:
            event["payloads"] = [shaped(reference, True, **self.REFERENCE) for reference in event["payloads"] or []]
            if not all(re.fullmatch(ID, str(name)) for name in event["after"] or []) or {*map(type, event["subjects"] or [])} - {str}:
                raise Bad("has an event that names others by what are no ids")
        if told["v"] != 1 or not events or not 1 <= part <= of:
            raise Bad("is no entry of version 1, or has no events, or is no part of its whole")
        if self.entries == 0:
            self.logged_at, self.system = events[0]["logged_at"], events[0]["system"]
        self.entries, self.parts[log, index] = self.entries + 1, (part, of)
        problems = ["is of another decision"] if told["decision"] != self.decision else []
        place = f"log {log}, entry {index}"
        self.facts += events
        for event in events:
            self.events.add(event["id"])
            for name in (event["after"] or []) + ([event["parent"]] if event["parent"] else []):
                self.named.setdefault(name, place)
            for reference in event["payloads"]:
                self.roles.setdefault(reference["payload"], set()).add(reference["role"])
                problem = self.refer(dict(reference, log=log, index=index, subjects=event["subjects"] or [],
                                          retention=events[0]["retention"]), place)
                problems += [problem] if problem else []
            if event["kind"] == "decision.closed":
                self.outcome = shaped(event["body"], True, outcome=str)["outcome"]
            if event["kind"] in LIFE and self.decision is None:
                self.life.append((log, index, event))
        return problems

    def refer(self, reference, place):
        """A reference stands for content: sealed, shared, recorded by another event (`first`), or absent for a reason."""
        payload, is_sealed = reference["payload"], None not in (reference["commitment"], reference["key_id"], reference["sealed"])
        if reference["first"]:
            self.named.setdefault(reference["first"], place)
        elif reference["state"] in ("erased", "purged", "redacted", "not_captured"):
            self.absent.setdefault(payload, reference["state"])
        elif reference["state"] != "present" or is_sealed == (reference["sha256"] is not None):
            return f"payload {payload} is in no state that the format has, or nothing binds its content"
        else:
            known = self.references.setdefault(payload, reference)
            if any(known[name] != reference[name] for name in ("commitment", "sha256")):
                return f"payload {payload} is bound to different content by two references"
        return None

    def sealed(self, payload):
        """The reference that binds content by a commitment."""
        if self.references.get(payload, {}).get("commitment") is None:
            raise Bad("no entry of the same decision says that such content was recorded and sealed")
        return self.references[payload]

    def missing_parts(self):
        """What was too long for one entry stands in several, one after the other: all of them have to be here."""
        for (log, index), (part, of) in self.parts.items():
            for other in range(max(1, part - 1), min(of, part + 1) + 1):
                if self.parts.get((log, index + other - part)) != (other, of):
                    yield f"log {log}, entry {index}", f"is part {part} of {of}, and part {other} is missing"

# ---- Proofs: Merkle tree, commitment, timestamp -----------------------------------------------------------------------

def sha256(data):
    return hashlib.sha256(data).digest()

def root_of(proof, index, size, leaf):
    """The root hash that an inclusion proof leads to from a leaf (RFC 9162, section 2.1.3.2); None if it is none."""
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        sibling = unbase64(sibling, 32)
        if last == 0:
            return None
        if at & 1 or at == last:
            found = sha256(b"\1" + sibling + found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = sha256(b"\1" + found + sibling)
        at, last = at >> 1, last >> 1
    return found if last == 0 else None

def commitment(data_key, content):
    """docs/format.md, section 5: HMAC-SHA256 of the content, by a key that HKDF-SHA256 (RFC 5869) makes of the data key."""
    extracted = hmac.new(bytes(32), data_key, "sha256").digest()
    key = hmac.new(extracted, b"inferlog/commit/v1\1", "sha256").digest()
    return hmac.new(key, content, "sha256").hexdigest()

def der(data):
    """The contents of the DER values that stand one after the other."""
    values, at = [], 0
    while at < len(data):
        length, at = data[at + 1], at + 2
        if length > 128:
            length, at = int.from_bytes(data[at:at + length - 128], "big"), at + length - 128
        if length == 128 or at + length > len(data):
            raise ValueError
        values.append(data[at:at + length])
        at += length
    return values

def read_timestamp(response):
    """The SHA-256 that an RFC 3161 response is about, and the time that it states. Its signature is not looked at."""
    try:
        [[status, token]] = map(der, der(response))
        content_type, content = der(der(der(der(token)[1])[0])[2])
        [[info]] = map(der, der(content))
        _, _, imprint, _, time = der(info)[:5]
        [algorithm, digest] = der(imprint)
        is_sha256 = der(algorithm)[0] == bytes.fromhex("608648016503040201")
        is_info = content_type == bytes.fromhex("2a864886f70d0109100104")
        if der(status)[0] not in (b"\0", b"\1") or not is_sha256 or not is_info:
            raise ValueError
        return digest, time.decode("ascii")
    except (ValueError, IndexError):
        raise Bad("is no granted RFC 3161 timestamp of a SHA-256")

# ---- Signed notes (c2sp.org/signed-note), checkpoints (c2sp.org/tlog-checkpoint), cosignatures (c2sp.org/tlog-cosignature)

class Key:
    """A verifier key, `<name>+<id>+<base64 of kind and key>`. Kind 1 signs a note's text, kind 4 a time and the text."""

    def __init__(self, vkey):
        self.vkey, (self.name, key_id, key) = vkey, (vkey.split("+", 2) + ["", ""])[:3]
        key = unbase64(key)
        self.kind, self.public, self.id = key[:1], key[1:], sha256(f"{self.name}\n".encode() + key)[:4]
        if self.kind not in (b"\1", b"\4") or point(self.public) is None or not re.fullmatch(NAME, self.name):
            raise Bad(f"{vkey!r} is no Ed25519 verifier key")
        if self.id.hex() != key_id:
            raise Bad(f"{vkey!r} was altered or mistyped: its id is not that of its name and key")

    def verifies(self, text, signature):
        if self.kind == b"\1":
            return ed25519_verifies(self.public, text.encode(), signature)
        time = int.from_bytes(signature[:8], "big")
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        return time < 1 << 63 and ed25519_verifies(self.public, message, signature[8:])

def parse_note(note):
    """The text of a note and its signatures: name, key id and signature of each."""
    text, blank, lines = note.rpartition("\n\n")
    if len(note.encode()) > NOTE_BYTES_MAX or not blank or lines[-1:] != "\n" or any("\n" != letter < " " for letter in text):
        raise Bad("is no signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        match = re.fullmatch(f"\u2014 ({NAME}) ([^ ]+)", line)
        decoded = unbase64(match[2]) if match else b""
        if len(decoded) < 5 or len(signatures) == 100:
            raise Bad("is no signed note: a line at its end is no signature")
        signatures.append((match[1], decoded[:4], decoded[4:]))
    return text + "\n", signatures

def signers(note, keys):
    """Which of these keys signed a note. One false signature of theirs, and nothing of the note is believed."""
    found = []
    for name, key_id, signature in note[1]:
        for key in keys:
            if (key.name, key.id) == (name, key_id) and key not in found:
                if not key.verifies(note[0], signature):
                    raise Bad(f"the signature of {name} ({key_id.hex()}) is false: text or signature was altered")
                found.append(key)
    return found

def parse_checkpoint(text):
    """Origin, size and root hash of a log."""
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]) or not re.fullmatch(NUMBER, lines[1]) or len(lines[1]) > 20:
        raise Bad("is no checkpoint, which is origin, size and root hash")
    return lines[0], int(lines[1]), unbase64(lines[2], 32)

# ---- Ed25519 (RFC 8032, section 5.1), written out ---------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
NEUTRAL = (0, 1, 1, 0)

def ed25519_verifies(key, message, signature):
    """Section 5.1.7, and no key or point of small order: these would verify signatures that nobody made."""
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= ORDER:
        return False
    if equal(times(8, a), NEUTRAL) or equal(times(8, r), NEUTRAL):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return equal(times(s, BASE), add(r, times(k, a)))

def point(encoded):
    """The point that 32 bytes encode (section 5.1.3), in extended coordinates; None if none, or not in its one encoding."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ~(1 << 255)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * pow(2, (P - 1) // 4, P) % P
    if len(encoded) != 32 or y >= P or v * x * x % P != u or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P

def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P

def times(number, p):
    result = NEUTRAL
    for bit in f"{number:b}":
        result = add(add(result, result), p if bit == "1" else NEUTRAL)
    return result

def equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0

BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

# ---- Texts in their one spelling --------------------------------------------------------------------------------------

def parse_json(text, fractions=False, canonical=False):
    """JSON, without what two readers may take in two ways: double members, numbers that are no 64-bit integers."""
    def members(pairs):
        if len(dict(pairs)) < len(pairs):
            raise Bad("a member stands twice in its JSON")
        return dict(pairs)

    def number(digits):
        if not re.fullmatch("0|-?[1-9][0-9]{0,19}", digits) or not -(1 << 63) <= int(digits) < 1 << 64:
            raise Bad(f"its JSON holds {digits[:30]}, which is no integer of 64 bits")
        return int(digits)

    try:
        found = json.loads(text, object_pairs_hook=members, parse_int=number, parse_float=float if fractions else number,
                           parse_constant=number)
        if re.search(r"\\u[dD]", text):
            json.dumps(found, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair is no text
        if canonical and json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True) != text:
            raise Bad("is not in the one spelling that an entry has (RFC 8785)")
        return found
    except (ValueError, RecursionError) as error:
        raise Bad(f"is no JSON: {error}")

def shaped(value, others=False, **members):
    """An object with these members: of a type, text of a pattern, or of `[pattern]` a list. In `(one,)` it may be absent, and is
    None then. `others` says whether it may have more."""
    if type(value) is not dict or not (others or set(value) <= set(members)):
        raise Bad(f"has not the members {', '.join(members)} alone")
    for name, kind in members.items():
        is_optional, kind = type(kind) is tuple, kind[0] if type(kind) is tuple else kind
        if name in value or not is_optional:
            found, pattern = value.get(name), kind if type(kind) is str else None
            is_right = type(found) is (str if pattern else kind) and not (kind is int and found < 0)
            if type(kind) is list:
                is_right = type(found) is list and all(type(each) is str and re.fullmatch(kind[0], each) for each in found)
            if not is_right or (pattern and not re.fullmatch(pattern, found)):
                raise Bad(f"its member {name} is missing, or not as it should be")
    return {**dict.fromkeys(members), **{name: value[name] for name in members if name in value}}

def unbase64(text, length=None):
    with contextlib.suppress(ValueError, AttributeError):
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
        if base64.b64encode(decoded).decode() == text and length in (None, len(decoded)):
            return decoded
    raise Bad("holds something that is not base64, or not of its length or in its one spelling")

# ---- Where the files are: a ZIP file, or the folder where it was unpacked ---------------------------------------------

class Bundle:
    """Files by their paths. One at a time is in memory, and no longer than the limits above."""

    def __init__(self, place):
        self.place, self.zip, self.sizes = place, None, {}
        self.list_folder() if os.path.isdir(place) else self.list_zip(open(place, "rb"))
        for path, size in self.sizes.items():
            if not re.fullmatch(r"[A-Za-z0-9._/-]{1,256}", path) or not {"", ".", ".."}.isdisjoint(path.split("/")):
                raise Unusable(f"{path!r} is no name for a file of a bundle")
            if size > FILE_BYTES_MAX:
                raise Unusable(f"{path} has {size} bytes; at most {FILE_BYTES_MAX} are read")
        if len(self.sizes) > FILES_MAX or sum(self.sizes.values()) > BUNDLE_BYTES_MAX:
            raise Unusable("it has more files, or larger ones, than are read")
        self.paths = sorted(self.sizes)

    def list_folder(self):
        for folder, folders, names in os.walk(self.place):
            for name in folders + names:
                found = os.lstat(os.path.join(folder, name))
                path = os.path.relpath(os.path.join(folder, name), self.place).replace(os.sep, "/")
                if stat.S_ISREG(found.st_mode):
                    self.sizes[path] = found.st_size
                elif not stat.S_ISDIR(found.st_mode):
                    raise Unusable(f"{path} is neither a file nor a folder")

    def list_zip(self, file):
        """Order, times, modes and comments mean nothing. What two programs could unpack in two ways is refused."""
        try:
            self.zip, end = zipfile.ZipFile(file), 0
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise Unusable(f"not a ZIP file that can be read: {error}")
        for member in sorted(self.zip.infolist(), key=lambda member: member.header_offset):
            path = member.filename
            if path.endswith("/") and member.file_size == 0:
                continue  # a folder, which many programs list
            if path in self.sizes or path != member.orig_filename:
                raise Unusable(f"{path!r} stands in it twice")
            if member.flag_bits & 0x2061 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Unusable(f"{path} is encrypted, or packed in a way that a bundle is not")
            if member.header_offset < end:
                raise Unusable(f"{path} overlaps another file")
            end = member.header_offset + 30 + len(path) + member.compress_size
            self.sizes[path] = member.file_size

    def under(self, folder):
        return [path for path in self.paths if path.startswith(folder) and OTHERS.fullmatch(path)]

    def read(self, path, fault=Unreadable):
        """The bytes of a file. Never more than one byte beyond the size that is listed is unpacked."""
        size = self.sizes.get(path)
        try:
            if size is None:
                raise FileNotFoundError("it is missing")
            with self.zip.open(path) if self.zip else open(os.path.join(self.place, *path.split("/")), "rb") as file:
                found = file.read(size + 1)
                if len(found) == size:
                    return found
        except Exception as error:  # of many kinds, where an archive is damaged
            raise fault(f"cannot be read: {error}")
        raise fault("is not as long as the archive or folder says")

    def sha256(self, path, fault=Unreadable):
        return sha256(self.read(path, fault)).hex()

    def text(self, path):
        try:
            return self.read(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Bad(f"is no UTF-8: {error.reason}")

    def json(self, path):
        return parse_json(self.text(path))

# ---- What is printed --------------------------------------------------------------------------------------------------

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
WORDS = {"passed": (GREEN, "passed"), "failed": (RED, "FAILED"), "unchecked": (YELLOW, "unchecked"), "absent": (DIM, "none")}

def report(verifier):
    """The members of `inferlog verify --bundle --json` that this program knows too."""
    def outcome(check):
        found = "passed" if check in verifier.seen else "absent"
        return "failed" if check in verifier.failed else "unchecked" if check in verifier.unchecked else found

    logs = [{"origin": log.origin, "size": log.size, "root": base64.b64encode(log.root or b"").decode(),
             "key_from": "given" if verifier.given else "bundle", "signed_by": [key.vkey for key in log.signers],
             "cosigned_by": [key.vkey for key in log.cosigners]} for log in verifier.logs]
    return {"ok": verifier.fault_count == 0, "checks": [{"check": check, "outcome": outcome(check)} for check in CHECKS],
            "faults": verifier.faults, "fault_count": verifier.fault_count, "notices": verifier.notices,
            "counts": verifier.counts, "logs": logs, "disclosure": verifier.facts.get("disclosure"),
            "build": verifier.facts.get("build"), "not_proved": NOT_PROVED}

def as_text(told, is_plain):
    lines, is_own_word = [], any(log["key_from"] == "bundle" for log in told["logs"])
    for log in told["logs"]:
        lines += [(BOLD, log["origin"]), ("", f"  complete to {log['size']} entries, root {log['root']}")]
        whose = "the key that the bundle itself brings: its own word" if is_own_word else "the key you gave"
        lines += [("", f"  signed by {key} ({whose})") for key in log["signed_by"]]
        lines += [("", f"  cosigned by {key} (the key you gave)") for key in log["cosigned_by"]]
    for check in told["checks"]:
        color, word = WORDS[check["outcome"]]
        lines.append((color, f"  {check['check']:<12}  {word}"))
    lines += [("", f"  {count:>9,} {name.replace('_', ' ')}") for name, count in told["counts"].items()]
    verdict = GREEN, "No fault: every record in it is the one that the log's key, which you gave, signed for."
    if is_own_word:
        verdict = YELLOW, "No fault, by the bundle's own word: get the log's key from whom you trust, and give it with --key."
    lines.append(verdict if told["ok"] else (RED, f"Faults: {told['fault_count']}"))
    for fault in told["faults"]:
        lines.append(("", f"  {fault['check']}: {fault['file']}, {fault.get('place', 'as a whole')}: {fault['what']}"))
    for title, what in ("To know", told["notices"]), ("Not proved by any bundle", told["not_proved"]):
        lines += [(BOLD, title), *(("", f"  {line}") for line in what)] if what else []
    # What stands in a bundle is not to speak to the terminal.
    lines = [(color, "".join(letter if letter.isprintable() else "?" for letter in line)) for color, line in lines]
    return "\n".join(line if is_plain or not color else f"\033[{color}m{line}\033[0m" for color, line in lines)

def keys_given(texts):
    """Keys, each written out or in a file, one a line."""
    files = {text: open(text, encoding="utf-8").read().split() for text in texts if os.path.isfile(text)}
    return [Key(vkey) for text in texts for vkey in files.get(text, [text])]

def main():
    parser = argparse.ArgumentParser(description="Checks an evidence bundle of inferlog, offline.")
    parser.add_argument("bundle", nargs="?", default=".", help="a ZIP file, or the folder where it was unpacked; else this one")
    parser.add_argument("--key", action="append", default=[], metavar="VKEY|FILE", help="a log's verifier key that you trust")
    parser.add_argument("--witness", action="append", default=[], metavar="VKEY|FILE", help="a witness's verifier key")
    parser.add_argument("--against", metavar="CHECKPOINT", help="a file with a checkpoint that you kept")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args()
    try:
        held = open(asked.against, encoding="utf-8", newline="", errors="replace").read() if asked.against else None
        verifier = Verifier(Bundle(asked.bundle), keys_given(asked.key), keys_given(asked.witness), held)
    except Unusable as refused:
        print(json.dumps({"ok": False, "refused": str(refused)}) if asked.json else f"Refused: {refused}")
        return 1
    except (Bad, OSError, UnicodeDecodeError) as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return 2
    verifier.run()
    told = report(verifier)
    print(json.dumps(told) if asked.json else as_text(told, not sys.stdout.isatty() or "NO_COLOR" in os.environ))
    return 0 if told["ok"] else 1

if __name__ == "__main__":
    sys.exit(main())
