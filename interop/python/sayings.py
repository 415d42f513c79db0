"""What the canned language model says."""

TEXT = "Granted: the income of 3,000 € covers the debts. 承認"
OBJECT = {"granted": True, "score": 0.71}
CALLS = [
    ("call_income", "look_up_income", {"applicant": 4711, "currency": "€"}),
    ("call_debts", "look_up_debts", {"applicant": 4711}),
]
USAGE = {"prompt_tokens": 31, "completion_tokens": 14, "total_tokens": 45}
