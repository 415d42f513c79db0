"""What a bundle withholds cannot be guessed from it, not even by somebody who knows all but a few plausible values.

Decisions that differ in one withheld value alone are recorded by a real gateway and bundled. Then an attacker who knows the whole
request but for that value (its template), and every public or disclosed byte of the bundle, tries every plausible value:

- the value, the request with it, and spellings of both are searched for in every file, as they are, in base64 and in hexadecimal,
  also inside what the bundle itself holds as base64 or hexadecimal, and inside JSON within JSON;
- digests of each (SHA-1, -2, -3, BLAKE2, MD5; with the prefixes 0x00 and 0x01 of a Merkle tree; over each of the bundle's ids as
  salt), HMACs and the format's own commitment under every byte string of the bundle that could be a key, disclosed data keys among
  them, are searched for the same way, by their first and last eight bytes;
- bundles of different values have the same shape: the same files, members, and lengths of whatever is made from content.

What is not withheld by this: that a value is there, how long it is up to its bucket, how long the model took, and what the record
has in clear by design (outcomes, token counts, names). The same attack finds the value as soon as it is disclosed, or a digest of it
stands anywhere: it can fail.
"""

import base64
import hashlib
import hmac
import json
import re

import httpx
import pytest

import casework
from bundles import Bundle, by_python, by_rust

# What is withheld: every value that it could plausibly have, and two of them, as different as they come.
SECRETS = {
    "age": ([str(age) for age in range(121)], ("7", "113")),
    "consent": (["yes", "no"], ("yes", "no")),
    "code": ([f"{code:04}" for code in range(10_000)], ("0000", "9871")),
}
DIGESTS = [
    hashlib.md5, hashlib.sha1, hashlib.sha224, hashlib.sha256, hashlib.sha384, hashlib.sha512, hashlib.sha3_256,
    hashlib.blake2b, hashlib.blake2s,
]
WINDOW_BYTES = 8
KEY_TEXT = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")


def sentence(name, value):
    return f"Applicant 4711 asks for 20,000 over 48 months. Their {name} is {value}. Decide."


def request(name, value):
    """All of the request is known to the attacker but the value."""
    return json.dumps({"model": "clerk-1", "messages": [{"role": "user", "content": sentence(name, value)}]}).encode()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """By name and value of what is withheld: the bundle of a decision with its answer disclosed, and the one with everything."""
    folder, found = tmp_path_factory.mktemp("secret"), {}
    with casework.chatting(folder) as gateway:
        for name, value in [(name, value) for name, (_, values) in SECRETS.items() for value in values]:
            headers = {"content-type": "application/json", "x-applicant-id": "4711"}
            answered = httpx.post(f"{gateway.url}/v1/chat/completions", content=request(name, value), headers=headers)
            decision = answered.headers["inferlog-decision-id"]
            gateway.log.ended(decision)
            answer = export(gateway.log, folder / f"{decision}.zip", decision, "--disclose", "output.*")
            found[name, value] = answer, export(gateway.log, folder / f"{decision}-all.zip", decision, "--disclose", "*")
    return found


def export(log, path, decision, *arguments):
    log.run("export bundle", "--decision", decision, "--sealed", "--output", path, *arguments, opens=True)
    for check in by_rust, by_python:
        verdict = check(path, "--key", log.vkey())
        assert verdict.status == 0, verdict
    return Bundle.read(path)


def strings(value):
    """Every text in a JSON value, also in JSON that stands in it as text."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (name, *strings(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            yield from strings(json.loads(value))


def decoded(data, depth=3):
    """These bytes, and what they hold in base64 or hexadecimal, and so on."""
    yield data
    if depth == 0:
        return
    for token in set(re.findall(rb"[0-9A-Fa-f]{16,}", data)):
        yield from decoded(bytes.fromhex(token[: len(token) // 2 * 2].decode()), depth - 1)
    for token in set(re.findall(rb"[0-9A-Za-z+/_-]{11,}", data)):
        token = token.translate(bytes.maketrans(b"-_", b"+/"))
        yield from decoded(base64.b64decode(token + b"=" * (-len(token) % 4) if len(token) % 4 != 1 else token[:-1]), depth - 1)


class Attacker:
    """Somebody who has a bundle and knows what was asked, but for one value."""

    def __init__(self, bundle):
        pieces = {piece for content in bundle.values() for piece in decoded(content)}
        for path in bundle:
            if path.endswith(".json"):
                for text in strings(bundle.json(path)):
                    pieces.update(decoded(text.encode()))
        self.pieces = pieces
        self.windows = {piece[at : at + WINDOW_BYTES] for piece in pieces for at in range(len(piece) - WINDOW_BYTES + 1)}
        # What could be the salt or the key of a digest: ids, digests, hashes, data keys, as bytes and as text.
        self.keys = {piece for piece in pieces if len(piece) in (16, 32) or KEY_TEXT.fullmatch(piece)}

    def finds(self, name, plausible=None):
        """The values that the bundle confirms, of those that are plausible."""
        commit_keys = [commit_key(key) for key in self.keys if len(key) == 32]
        return {value for value in plausible or SECRETS[name][0] if self.confirms(name, value, commit_keys)}

    def confirms(self, name, value, commit_keys):
        asked, said = request(name, value), sentence(name, value).encode()
        if any(said in piece for piece in self.pieces):
            return True
        texts = [value.encode(), asked, said, json.dumps(value).encode(), f"{value}\n".encode(), f"{name}={value}".encode()]
        return any(needle[:WINDOW_BYTES] in self.windows or needle[-WINDOW_BYTES:] in self.windows
                   for needle in self.digests(texts, commit_keys))

    def digests(self, texts, commit_keys):
        for text in texts:
            for kind in DIGESTS:
                for prefix in (b"", b"\0", b"\1"):
                    yield kind(prefix + text).digest()
        for text in texts[:2]:
            for key in self.keys:
                yield hashlib.sha256(key + text).digest()
                yield hashlib.sha256(text + key).digest()
                yield hmac.digest(key, text, "sha256")
            for key in commit_keys:
                yield hmac.digest(key, text, "sha256")


def commit_key(data_key):
    """docs/format.md, section 5."""
    return hmac.digest(hmac.digest(bytes(32), data_key, "sha256"), b"inferlog/commit/v1\1", "sha256")


@pytest.mark.parametrize("name", SECRETS)
def test_no_plausible_value_is_confirmed(recorded, name):
    for value in SECRETS[name][1]:
        withheld, _ = recorded[name, value]
        attacker = Attacker(withheld)
        assert len(attacker.keys) > 50
        assert attacker.finds(name) == set()


def test_the_same_attack_finds_what_is_there(recorded):
    for name, (plausible, values) in SECRETS.items():
        for value in values:
            # Of many a sample will do, with the true one in it.
            tried = [*plausible[:: len(plausible) // 100 + 1], value]
            assert Attacker(recorded[name, value][1]).finds(name, tried) == {value}
    withheld, _ = recorded["consent", "no"]
    (path,) = withheld.under("decisions/")
    decision, answer_key = path[10:-5], bytes.fromhex(withheld.json(f"openings/{path[10:]}")["openings"][0]["data_key"])
    asked = request("consent", "no")
    leaks = {
        "a digest": hashlib.sha256(b"no").hexdigest(),
        "a short digest": hashlib.sha256(b"no").hexdigest()[:16],
        "a digest of the request": hashlib.blake2b(asked).hexdigest(),
        "a leaf": base64.b64encode(hashlib.sha256(b"\0" + asked).digest()).decode(),
        "a salted digest": hashlib.sha256(decision.encode() + b"no").hexdigest(),
        "a commitment by a key that is disclosed": hmac.new(commit_key(answer_key), asked, "sha256").hexdigest(),
        "the sentence in base64": base64.urlsafe_b64encode(sentence("consent", "no").encode()).decode(),
    }
    for what, leak in leaks.items():
        leaky = withheld.copy()
        told = leaky.json(path)
        entry = json.loads(told["entries"][0]["entry"])
        entry["events"][0]["leak"] = leak
        told["entries"][0]["entry"] = json.dumps(entry)
        leaky.put(path, told)
        assert Attacker(leaky).finds("consent") == {"no"}, what


# What differs from decision to decision whatever was asked: places in log and keystore, and how long things took.
VARYING = {"index", "key_id", "proof", "time_to_first_byte_ns"}


def shape(value, name=None):
    """What can be told of a value without its letters: members, lengths of texts, numbers."""
    if name in VARYING:
        return None
    if isinstance(value, dict):
        return {inner_name: shape(inner, inner_name) for inner_name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner, name) for inner in value]
    if isinstance(value, str):
        return shape(json.loads(value)) if value[:1] == "{" else len(value)
    return value


def shapes(bundle):
    (path,) = bundle.under("decisions/")
    files = [path, f"sealed/{path[10:]}", f"openings/{path[10:]}", "decisions.json"]
    names = sorted(re.sub("[0-9a-f]{8}-[0-9a-f-]{27}", "ID", path) for path in bundle)
    return names, [shape(bundle.json(path)) for path in files]


@pytest.mark.parametrize("name", SECRETS)
def test_bundles_of_different_values_have_the_same_shape(recorded, name):
    first, second = (recorded[name, value] for value in SECRETS[name][1])
    assert shapes(first[0]) == shapes(second[0])
    # Of what is disclosed the lengths differ, if those of the values do.
    lengths = {len(value) for value in SECRETS[name][1]}
    assert (shapes(first[1]) == shapes(second[1])) == (len(lengths) == 1)


def test_what_is_withheld_is_proved_all_the_same(recorded):
    """The holder of the content shows later that it is the one: by the opening alone, under the bundle that was given out."""
    withheld, whole = recorded["code", "9871"]
    (path,) = withheld.under("decisions/")
    disclosed = {each["payload"]: each for each in whole.json(f"openings/{path[10:]}")["openings"]}
    entries = [json.loads(entry["entry"]) for entry in withheld.json(path)["entries"]]
    (asked,) = (
        reference for entry in entries for event in entry["events"] for reference in event.get("payloads", [])
        if reference["role"] == "input.raw" and "commitment" in reference
    )
    opening = disclosed[asked["payload"]]
    assert opening["text"].encode() == request("code", "9871")
    key = commit_key(bytes.fromhex(opening["data_key"]))
    assert hmac.new(key, opening["text"].encode(), "sha256").hexdigest() == asked["commitment"]
    for code in range(10_000):
        if f"{code:04}" != "9871":
            assert hmac.digest(key, request("code", f"{code:04}"), "sha256").hex() != asked["commitment"]
