"""What `inferlog reconstruct` writes, read by others: PROV-JSON by the package `prov`, the account itself held against it."""

import json

import prov.model
import pytest

WAYS = [
    prov.model.ProvUsage, prov.model.ProvGeneration, prov.model.ProvCommunication, prov.model.ProvAssociation,
    prov.model.ProvDerivation,
]


@pytest.fixture(scope="module")
def accounts(demo):
    """Decisions of the demo, those that a person changed among them, as accounts and as PROV-JSON."""
    found = demo.find()
    overridden = [decision for decision, told in found.items() if told.get("overridden")]
    chosen = {*overridden[-4:], *list(found)[:: max(1, len(found) // 8)]}
    return [
        (json.loads(reconstruct(demo, decision, "json")), reconstruct(demo, decision, "prov"))
        for decision in chosen
    ]


def reconstruct(log, decision, form):
    return log.run("reconstruct", decision, "--format", form, "--role", "auditor", "--purpose", "audit", opens=True)


def test_the_provenance_of_every_decision_is_a_provn_document(accounts):
    assert len(accounts) > 3
    for account, text in accounts:
        document = prov.model.ProvDocument.deserialize(content=text, format="json")
        again = prov.model.ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
        assert again == document
        activities = {str(record.identifier): record for record in document.get_records(prov.model.ProvActivity)}
        assert set(activities) == {f"uuid:{step['event']}" for step in account["steps"]}
        entities = {str(record.identifier) for record in document.get_records(prov.model.ProvEntity)}
        assert {f"uuid:{payload}" for payload in account["contents"]} <= entities
        agents = {str(record.identifier) for record in document.get_records(prov.model.ProvAgent)}
        assert f"system:{account['identity']['system']}" in agents
        everything = entities | agents | set(activities)
        for way in WAYS:
            for record in document.get_records(way):
                # The two that it relates; an absent one is None.
                ends = [str(value) for _, value in record.formal_attributes[:2] if value is not None]
                assert len(ends) == 2 and set(ends) <= everything, record


def test_causes_are_communication(accounts):
    for account, text in accounts:
        document = prov.model.ProvDocument.deserialize(content=text, format="json")
        events = {step["number"]: f"uuid:{step['event']}" for step in account["steps"]}
        told = {(events[edge["from"]], events[edge["to"]]) for edge in account["edges"]}
        read = {
            (str(record.args[1]), str(record.args[0]))
            for record in document.get_records(prov.model.ProvCommunication)
        }
        assert read == told


def test_the_model_and_the_people_are_there(accounts):
    overridden = [(account, text) for account, text in accounts if account["humans"]]
    assert overridden
    for account, text in overridden:
        document = prov.model.ProvDocument.deserialize(content=text, format="json")
        people = [record for record in document.get_records(prov.model.ProvAgent) if "prov:Person" in str(record)]
        reviewers = {human["reviewer"] for human in account["humans"]} - {None}
        assert {str(person.identifier) for person in people} == {f"uuid:{reviewer}" for reviewer in reviewers}


def test_reading_stands_in_the_log(demo, accounts):
    account, _ = accounts[0]
    again = json.loads(reconstruct(demo, account["identity"]["decision"], "json"))
    readings = [mention for mention in again["mentions"] if mention["kind"] == "access"]
    assert [reading["label"] for reading in readings[:2]] == ["reconstruct as auditor for audit"] * 2
