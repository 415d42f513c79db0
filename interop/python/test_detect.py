"""The detectors against the data of other packages: Faker's people, libphonenumber's examples, python-stdnum's verdicts.

`pytest -s test_detect.py` prints the table of docs/detectors.md.
"""

import importlib
import json
import random
import subprocess
from pathlib import Path

import phonenumbers
import pytest
from faker import Faker

ROOT = Path(__file__).parents[2]

LOCALES = {
    "AT": "de_AT", "BE": "nl_BE", "BG": "bg_BG", "CH": "de_CH", "CZ": "cs_CZ", "DE": "de_DE", "DK": "da_DK", "EE": "et_EE",
    "ES": "es_ES", "FI": "fi_FI", "FR": "fr_FR", "GB": "en_GB", "GR": "el_GR", "HR": "hr_HR", "HU": "hu_HU", "IE": "en_IE",
    "IT": "it_IT", "LT": "lt_LT", "NL": "nl_NL", "NO": "no_NO", "PL": "pl_PL", "PT": "pt_PT", "RO": "ro_RO", "SE": "sv_SE",
    "SI": "sl_SI", "SK": "sk_SK", "US": "en_US",
}  # fmt: skip

# Of each country: the module of python-stdnum that says which numbers are valid, and how many digits to make one of.
STDNUM = {
    "AT": ("stdnum.at.vnr", "4dmy"), "BE": ("stdnum.be.nn", "ymd5"), "BG": ("stdnum.bg.egn", "ymd4"),
    "CZ": ("stdnum.cz.rc", "ymd4"), "DE": ("stdnum.de.idnr", "11"), "EE": ("stdnum.ee.ik", "3ymd4"),
    "GR": ("stdnum.gr.amka", "dmy5"), "LT": ("stdnum.lt.asmens", "3ymd4"), "NO": ("stdnum.no.fodselsnummer", "dmy5"),
    "PL": ("stdnum.pl.pesel", "ymd5"), "RO": ("stdnum.ro.cnp", "1ymd10d4"), "SE": ("stdnum.se.personnummer", "ymd-4"),
    "SI": ("stdnum.si.emso", "dm950504"),
}  # fmt: skip


@pytest.fixture(scope="module")
def find():
    """What is found in each of some texts."""
    command = ["cargo", "build", "--quiet", "--package", "inferlog-detect", "--example", "spans"]
    subprocess.run(command, cwd=ROOT, check=True)
    binary = ROOT / "target/debug/examples/spans"

    def find(texts, *countries):
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        done = subprocess.run([binary, *countries], input=lines, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return find


def recall(find, kind, values, sentence):
    """The share of values that are found whole, in a sentence; and a few that are not."""
    texts = [sentence.format(value) for value in values]
    start = sentence.index("{}")
    missed = []
    for value, found in zip(values, find(texts)):
        if not any(of == kind and at <= start and start + len(value) <= end for of, at, end in found):
            missed.append(value)
    return 1 - len(missed) / len(values), missed[:8]


def made(locale, what, count=200):
    fake = Faker(locale)
    fake.seed_instance(2026)
    return [getattr(fake, what)() for _ in range(count)]


@pytest.mark.parametrize(
    "kind, what, floor",
    [("email", "email", 1.0), ("iban", "iban", 1.0), ("ip", "ipv4_public", 1.0), ("ip", "ipv6", 1.0)],
)
def test_what_faker_makes_is_found(find, kind, what, floor):
    values = [value for locale in LOCALES.values() for value in made(locale, what, 40)]
    share, missed = recall(find, kind, values, "it is {}, as told.")
    print(f"\n| {kind} | Faker, `{what}` | {len(values)} | {share:.1%} |", missed)
    assert share >= floor, missed


def test_cards_that_faker_makes_are_found(find):
    # Of 12 digits Faker makes cards of a network that gave them out once; shorter ones are none.
    values = [value for value in made("en_US", "credit_card_number", 1000) if len(value) > 12]
    share, missed = recall(find, "card", values, "it is {}, as told.")
    print(f"\n| card | Faker, `credit_card_number` | {len(values)} | {share:.1%} |", missed)
    assert share >= 0.99, missed


def test_telephone_numbers_that_libphonenumber_writes_are_found(find):
    forms = phonenumbers.PhoneNumberFormat
    kinds = [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]
    rows = []
    for name, form, floor in [("E.164", forms.E164, 0.98), ("international", forms.INTERNATIONAL, 0.98), ("national", forms.NATIONAL, 0.9)]:
        regions = phonenumbers.SUPPORTED_REGIONS if form != forms.NATIONAL else LOCALES
        numbers = [phonenumbers.example_number_for_type(region, kind) for region in sorted(regions) for kind in kinds]
        values = sorted({phonenumbers.format_number(number, form) for number in numbers if number})
        share, missed = recall(find, "phone", values, "Phone: {}, as told.")
        rows.append((share, floor, missed))
        print(f"\n| phone | libphonenumber's examples, {name} | {len(values)} | {share:.1%} |", missed)
    for share, floor, missed in rows:
        assert share >= floor, missed


def test_telephone_numbers_that_faker_makes_are_found(find):
    # Faker writes many that nobody could dial; those that libphonenumber takes for possible are asked for.
    values = []
    for region, locale in LOCALES.items():
        for value in made(locale, "phone_number", 60):
            try:
                if "x" not in value and phonenumbers.is_valid_number(phonenumbers.parse(value, region)):
                    values.append(value)
            except phonenumbers.NumberParseException:
                pass
    share, missed = recall(find, "phone", values, "Phone: {}, as told.")
    print(f"\n| phone | Faker, `phone_number`, valid ones | {len(values)} | {share:.1%} |", missed)
    assert share >= 0.9, missed


def test_national_numbers_that_faker_makes_are_found(find):
    shares = {}
    # Countries whose numbers Faker makes with their check digits; elsewhere it makes American ones, or any digits.
    for country in ("AT", "BE", "EE", "FI", "FR", "NL", "NO", "PL", "RO", "SE", "US"):
        locale = LOCALES[country]
        values = made(locale, "ssn", 60)
        shares[country], missed = recall(find, "national", values, "social security {}, as told.")
        print(f"\n| national, {country} | Faker, `ssn` | {len(values)} | {shares[country]:.1%} |", missed)
    assert all(share >= 0.95 for share in shares.values()), shares


def number(form, rng):
    """Digits of a form: `ymd` and `dmy` are dates, numbers are that many digits."""
    year, month, day = rng.randrange(40, 99), rng.randrange(1, 13), rng.randrange(1, 29)
    date = {"ymd": f"{year:02}{month:02}{day:02}", "dmy": f"{day:02}{month:02}{year:02}"}
    digits = lambda count: "".join(str(rng.randrange(10)) for _ in range(count))
    if form == "11":
        return digits(11)
    if form == "4dmy":
        return digits(4) + date["dmy"]
    if form == "dm950504":
        return f"{day:02}{month:02}9{year:02}50" + digits(4)
    if form == "1ymd10d4":
        return "1" + date["ymd"] + f"{rng.randrange(1, 47):02}" + digits(4)
    for key in date:
        if key in form:
            before, after = form.split(key)
            dash = "-" if after.startswith("-") else ""
            return before + date[key] + dash + digits(int(after.strip("-")))
    raise AssertionError(form)


@pytest.mark.parametrize("country", STDNUM)
def test_check_digits_are_judged_as_python_stdnum_judges_them(find, country):
    module, form = STDNUM[country]
    module, rng = importlib.import_module(module), random.Random(country)
    numbers = [number(form, rng) for _ in range(6000)]
    valid = [value for value in numbers if module.is_valid(value)][:150]
    invalid = [value for value in numbers if not module.is_valid(value)][:1500]
    # Some of four digits and a date are times in seconds as well, which a word before them rules out.
    sentence = "SVNR {}, as told." if country == "AT" else "it is {}, as told."
    share, missed = recall(find, "national", valid, sentence)
    texts = [sentence.format(value) for value in invalid]
    wrong = [value for value, found in zip(invalid, find(texts, country)) if any(of == "national" for of, _, _ in found)]
    print(f"\n| national, {country} | random, valid by python-stdnum | {len(valid)} | {share:.1%} |", missed, len(wrong), wrong[:5])
    assert valid and share == 1.0, missed
    # python-stdnum also knows which days and regions were never given out.
    assert len(wrong) / len(invalid) < 0.02, wrong[:20]
