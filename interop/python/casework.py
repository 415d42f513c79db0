"""A gateway's morning: an official client asks, the application tells what it retrieved, which tools it called, what a person did;
one applicant is erased. And bundles of it all."""

import contextlib
from typing import NamedTuple

import httpx
import openai

import servers
from reader import Inferlog
from replay import Answer, replaying
from transcripts import load, well_formed

ROUTE = """
[[route]]
name = "chat"
wire = "openai"
upstream = "http://127.0.0.1:{port}"
system = "credit-scoring"
subject = {{ header = "x-applicant-id" }}
"""
DISCLOSED = {
    "all": ["--disclose", "*", "--sealed"],
    "some": ["--disclose", "output.*", "--disclose", "retrieval.query", "--disclose-class", "personal"],
    "none": [],
}
APPLICATIONS = {
    "4711": [
        {"kind": "retrieval", "index": "policies", "query": "early repayment",
         "documents": [{"id": "rule-7", "score": 0.83, "content": "Repayment is free of charge after a year."}]},
        {"kind": "tool_call", "name": "bureau.lookup", "arguments": {"person": 4711}, "result": {"score": "B+"}},
        {"kind": "human", "action": "override", "reviewer": "kim@example.org", "before": "granted", "after": "rejected",
         "reason": "income was misread"},
    ],
    "4712": [{"kind": "transform", "name": "mask-names", "stage": "post", "in": "Dear Ms \u00c5ngstr\u00f6m", "out": "Dear [NAME]"}],
    "4713": [
        {"kind": "context", "environment": "test", "input": {"media_type": "image/png", "base64": "iVBORw0KGgo="}},
        {"kind": "label", "name": "repaid", "origin": "ground_truth", "value": True},
    ],
    "4714": [{"kind": "tool_call", "name": "bureau.lookup", "arguments": {"person": 4714}, "error": "timeout"}],
}
ERASED = "4714"
# Registered: what a record names, and a bundle holds, by its SHA-256.
PROMPT = "You decide on loans. Say what weighed."


class Evidence(NamedTuple):
    """The log, its decisions by applicant, and its bundles by what they disclose."""

    log: Inferlog
    decisions: dict
    bundles: dict

    def export(self, path, *arguments):
        """A bundle of all decisions."""
        chosen = [word for decision in self.decisions.values() for word in ("--decision", decision)]
        self.log.run("export bundle", "--output", path, *chosen, *arguments, opens=True)
        return path


@contextlib.contextmanager
def chatting(folder, more=""):
    """A gateway before a language model that says the same to everybody. `more` is configuration."""
    transcript = next(each for name in well_formed("openai", "/chat/completions") if not (each := load()[name]).is_stream)
    with replaying() as replay:
        replay.answer = Answer(transcript, framing="length")
        (folder / "serve.toml").write_text(ROUTE.format(port=replay.port) + more)
        with servers.gateway(folder, "--config", folder / "serve.toml") as gateway:
            yield gateway


def ask(gateway, applicant, said):
    """An official client asks for an applicant; the decision."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-not-to-be-recorded", max_retries=0)
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": said}]
    answered = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=messages, extra_headers={"x-applicant-id": applicant},
    )
    decision = answered.headers["inferlog-decision-id"]
    gateway.log.ended(decision)
    return decision


@contextlib.contextmanager
def recorded(folder):
    with chatting(folder) as gateway:
        (folder / "prompt.txt").write_text(PROMPT)
        gateway.log.run("prompts add", "--role", "system", "credit", folder / "prompt.txt")
        decisions = {}
        for applicant, events in APPLICATIONS.items():
            decisions[applicant] = ask(gateway, applicant, f"Applicant {applicant} asks for 20,000.")
            told = httpx.post(f"{gateway.url}/v1/events", json={"decision": decisions[applicant], "events": events})
            assert told.status_code == 200, told.text
        gateway.log.erase(ERASED)
        evidence = Evidence(gateway.log, decisions, {})
        for name, arguments in DISCLOSED.items():
            evidence.bundles[name] = evidence.export(folder / f"{name}.zip", *arguments)
        yield evidence
